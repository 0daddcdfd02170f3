"""One way to serve HTTP inside a role."""

from __future__ import annotations

import contextlib
from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlsplit

import uvicorn


def serve(app: Any, url: str) -> Coroutine[Any, Any, None]:
    """An HTTP server on the URL's address; it leaves signals to the role."""
    at = urlsplit(url)
    config = uvicorn.Config(
        app, host=at.hostname or "127.0.0.1", port=at.port or 80, log_level="warning", access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    return server.serve()
