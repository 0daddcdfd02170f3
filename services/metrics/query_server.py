"""The query door: read-only questions over HTTP, answered from the process that owns ClickHouse.

    POST /query   {"sql": "SELECT …", "params": {…}}   Authorization: Bearer <token>
      200  {"columns": […], "types": […], "rows": [[…], …], "elapsed_ms": 1.2}
      400  {"error": "one sentence for whoever asked"}
      401  the token is missing or wrong        503  busy or unreachable: ask again
    GET /health   {"status": "ok"}

In rows, decimals and integers beyond 64 bits are text (exact), times are ISO 8601 in UTC, NaN is null.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field

from services.metrics.gate import SQL_CHARS_MAX, admit, has_parameters
from services.metrics.port import BadQuery, Result, StoreUnavailable
from services.metrics.store import Store

_INT64: Final = range(-(2**63), 2**63)


class Question(BaseModel):
    """A statement, and a value for each `{name:Type}` in it."""

    sql: str = Field(max_length=2 * SQL_CHARS_MAX)
    params: dict[str, Any] = Field(default_factory=dict, max_length=50)


class _Unauthorised(Exception):
    """The bearer token is missing or wrong."""


def query_app(store: Store, token: str) -> FastAPI:
    """The door to `store`, for whoever holds `token`. The app does not close the store."""
    if not token:
        raise ValueError("the query door needs a token")
    app = FastAPI(title="ncc query door", docs_url=None, redoc_url=None, openapi_url=None)

    def hold_token(authorization: Annotated[str, Header()] = "") -> None:
        if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            raise _Unauthorised

    @app.post("/query", dependencies=[Depends(hold_token)])
    async def ask(question: Question) -> Response:
        started_s = time.perf_counter()
        result = await asyncio.to_thread(answer, store, question.sql, question.params)
        return _json(200, _body(result, (time.perf_counter() - started_s) * 1_000))

    @app.get("/health")
    async def health() -> dict[str, str]:
        await asyncio.to_thread(store.query, "SELECT 1")
        return {"status": "ok"}

    app.add_exception_handler(BadQuery, _refuse(400))
    app.add_exception_handler(StoreUnavailable, _refuse(503))
    app.add_exception_handler(_Unauthorised, _refuse(401, "The bearer token is missing or wrong."))
    app.add_exception_handler(RequestValidationError, _refuse(400, 'The body is {"sql": "…", "params": {…}}.'))
    return app


def answer(store: Store, sql: str, params: Mapping[str, object]) -> Result:
    """Answer a question from outside. Raises `BadQuery` or `StoreUnavailable`."""
    admitted = admit(sql)
    if params and not has_parameters(admitted):
        raise BadQuery("The statement has no {name:Type} parameter to put the values in.")
    return store.read(admitted, params)


def _refuse(status: int, sentence: str | None = None) -> Any:
    async def handle(_: Request, error: Exception) -> Response:
        return _json(status, {"error": sentence or str(error)})

    return handle


def _body(result: Result, elapsed_ms: float) -> dict[str, object]:
    return {
        "columns": result.columns,
        "types": result.types,
        "rows": [[_plain(value) for value in row] for row in result.rows],
        "elapsed_ms": round(elapsed_ms, 3),
    }


def _plain(value: object) -> object:
    """A value JSON can say without loss."""
    match value:
        case None | bool() | str() | float():
            return value
        case int():
            return value if value in _INT64 else str(value)
        case Decimal():
            return f"{value:f}"
        case datetime() | date():
            return value.isoformat()
        case bytes():
            return value.hex()
        case list() | tuple():
            return [_plain(part) for part in value]
        case dict():
            return {str(key): _plain(part) for key, part in value.items()}
        case _:
            return str(value)


def _json(status: int, body: object) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")
