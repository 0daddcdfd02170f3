"""Asks the query door, from any process: the answers of ClickHouse without its engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from services.metrics.port import BadQuery, Result, StoreUnavailable

TIMEOUT_S = 30.0
"""Longer than the door lets a query wait and run."""


class QueryClient:
    """One door and its token. Belongs to one event loop; whoever opens it closes it."""

    def __init__(self, url: str, token: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`url` is the door's root; `transport` replaces the network, for an app in the same process."""
        self._url = url
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_S,
            transport=transport,
            trust_env=False,
        )

    def __repr__(self) -> str:
        return f"QueryClient({self._url!r})"

    async def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Result:
        """Ask; decimals and times come as text. Raises `BadQuery` with the door's sentence, or `StoreUnavailable`."""
        try:
            response = await self._http.post("/query", json={"sql": sql, "params": dict(params or {})})
        except httpx.HTTPError as error:
            raise StoreUnavailable(f"the query door at {self._url} does not answer: {type(error).__name__}") from None
        match response.status_code:
            case 200:
                body = response.json()
                rows = tuple(tuple(row) for row in body["rows"])
                return Result(tuple(body["columns"]), tuple(body["types"]), rows)
            case 400:
                raise BadQuery(_error(response))
            case status:
                raise StoreUnavailable(f"the query door at {self._url} answers {status}: {_error(response)}")

    async def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The same, as one object a row."""
        return (await self.query(sql, params)).dicts()

    async def is_healthy(self) -> bool:
        """Whether the door and the engine behind it answer."""
        try:
            return (await self._http.get("/health")).status_code == 200
        except httpx.HTTPError:
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _error(response: httpx.Response) -> str:
    """The door's sentence, or what stands in for it when something else answered."""
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return "no explanation"
