"""The command line's way to a running stack: `ready.json` in the home, then the API with its token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from services.cli.output import fail

TIMEOUT_S = 30.0


class Stack:
    """A running stack, found by its home folder."""

    def __init__(self, home: Path, token: str | None = None) -> None:
        """`token` is whose word it is; the operator's without it."""
        self.home = home
        try:
            self.ready: dict[str, Any] = json.loads((home / "ready.json").read_text())
        except FileNotFoundError:
            fail(f"nothing runs in {home}: start it with `ncc up --home {home}`", 3)
        except json.JSONDecodeError:
            fail(f"{home / 'ready.json'} cannot be read: stop the stack and start it again with `ncc up`", 3)
        token = token or Path(self.ready["token_file"]).read_text().strip()
        self._http = httpx.Client(
            base_url=self.ready["api"], headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S
        )

    def get(self, path: str, **params: Any) -> Any:
        """Read something."""
        return self._call("GET", path, params=params)

    def post(self, path: str, body: Any = None, **params: Any) -> Any:
        """Ask for something."""
        return self._call("POST", path, json=body, params=params)

    def put(self, path: str, body: Any) -> Any:
        """Change something."""
        return self._call("PUT", path, json=body)

    def delete(self, path: str, **params: Any) -> Any:
        """Do away with something."""
        return self._call("DELETE", path, params=params)

    def _call(self, method: str, path: str, **rest: Any) -> Any:
        try:
            answer = self._http.request(method, path, **rest)
        except httpx.TransportError as error:
            fail(f"the API at {self.ready['api']} does not answer ({type(error).__name__}): see `ncc status`", 3)
        if answer.is_error:
            fail(_sentence(answer))
        return answer.json()


def _sentence(answer: httpx.Response) -> str:
    """The API's own sentence, or its status where it has none."""
    try:
        detail = answer.json().get("detail")
    except (ValueError, AttributeError):
        detail = None
    if isinstance(detail, list) and detail:
        first = detail[0]
        where = ".".join(str(step) for step in first.get("loc", ())[1:])
        return f"{where}: {first.get('msg', 'not valid')}"
    return str(detail or f"the API answered {answer.status_code}: see logs/api.log in the home")
