"""A ClickHouse server for tests: its HTTP interface as far as our store uses it, over the engine in this process.

The statement is the `query` parameter or the first line of the body, settings and `param_…` values are URL parameters.
Each request has a handle of its own with its settings, `readonly` last, as a server would apply them.
"""

from __future__ import annotations

import re
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import chdb
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_TRANSPORT = {"query", "database", "client_protocol_version", "wait_end_of_query", "query_id", "session_id"}
_TRANSPORT |= {"compress", "enable_http_compression", "send_progress_in_http_headers", "buffer_size"}
_TRANSPORT |= {"cancel_http_readonly_queries_on_client_close", "http_headers_progress_interval_ms"}


class Server:
    """The stand-in and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._keeper = chdb.connect(self._folder)
        self._lock = threading.Lock()
        self.requests: list[dict[str, str]] = []
        self.app = Starlette(routes=[Route("/", self._handle, methods=["GET", "POST"])])

    def close(self) -> None:
        """Let the engine go."""
        self._keeper.close()

    async def _handle(self, request: Request) -> Response:
        asked = dict(parse_qsl(str(request.url.query), keep_blank_values=True))
        body = await request.body()
        with self._lock:
            self.requests.append(asked)
            try:
                return Response(self._run(asked, body), headers={"X-ClickHouse-Format": "Native"})
            except RuntimeError as error:
                found = re.search(r"Code: (\d+)\.", str(error))
                headers = {"X-ClickHouse-Exception-Code": found[1]} if found else {}
                return Response(str(error), status_code=500, headers=headers)

    def _run(self, asked: dict[str, str], body: bytes) -> bytes:
        params = {name.removeprefix("param_"): value for name, value in asked.items() if name.startswith("param_")}
        settings = {n: v for n, v in asked.items() if n not in _TRANSPORT and not n.startswith("param_")}
        handle = chdb.connect(self._folder)
        try:
            for name in sorted(settings, key=lambda name: name == "readonly"):
                handle.query(f"SET {name} = '{settings[name]}'")
            if body.startswith(b"INSERT INTO"):
                head, _, data = body.partition(b"\n")
                return _insert(handle, head.decode(), data)
            sql = "\n".join(part for part in (asked.get("query", ""), body.decode()) if part)
            return bytes(handle.query(sql, "TabSeparated", params=params).bytes() or b"")
        finally:
            handle.close()


def _insert(handle: Any, head: str, data: bytes) -> bytes:
    with tempfile.NamedTemporaryFile(suffix=".native") as file:
        file.write(data)
        file.flush()
        handle.query(head.replace(" FORMAT Native", f" FROM INFILE '{file.name}' FORMAT Native"))
    return b""


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Server, int]]:
    """The stand-in on a free port of this machine."""
    server = Server(folder)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(server.app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not running.started:
            time.sleep(0.01)
        yield server, listening.getsockname()[1]
    finally:
        running.should_exit = True
        thread.join()
        server.close()
