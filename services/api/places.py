"""Where this deployment stands, over HTTP: the operator's relays, and the address of the buyers' door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict


class Places(BaseModel):
    """What whoever adds a shop has to know; nothing of it is secret."""

    model_config = ConfigDict(frozen=True)

    own_relays: tuple[str, ...] = ()
    discovery_relays: tuple[str, ...] = ()
    service_url: str = ""


def add_routes(app: FastAPI, guarded: Sequence[Any], places: Places) -> None:
    """`GET /places`."""

    @app.get("/places", dependencies=guarded)
    async def show_places() -> Places:
        return places
