"""The operator's own application over HTTP, and which one a shop recommends (NIP-89, T89-02)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson
from fastapi import FastAPI, HTTPException, status
from pydantic import BaseModel, Field

from schemas import limits
from schemas.market.handlers import SHOPPING_KINDS, handler_address, handler_tags, recommendation_tags
from schemas.nostr.coordinates import Coordinate, CoordinateRefused
from schemas.nostr.kinds import Kind
from schemas.publishing import PublishApp, address
from schemas.values import PublicKey
from services.api.catalogue import Decide
from services.api.causes import cause_of
from services.api.places import Places

D: Final = "orders"
"""The `d` of this program's application."""
_PLACEHOLDER: Final = "<bech32>"


class AppWish(BaseModel):
    """How the operator's application shows itself; `url` is the buyers' door as the world reaches it."""

    name: str = Field(min_length=1, max_length=limits.TITLE.most)
    about: str = Field(default="", max_length=1_000)
    url: str | None = Field(default=None, max_length=200)


class RecommendationWish(BaseModel):
    """The application to recommend, by the address of its 31990; none takes back what was recommended."""

    app: str | None = Field(default=None, max_length=1_024)
    relay: str | None = Field(default=None, max_length=limits.RELAY_URL.most)


def add_routes(
    app: FastAPI,
    guarded: Sequence[Any],
    decide: Decide,
    is_hosted: Callable[[str], bool],
    is_signer_for: Callable[[str], bool],
    places: Places,
) -> None:
    """`PUT /applications/{key}` and `PUT /recommendations/{merchant}`."""

    @app.put("/applications/{key}", dependencies=guarded)
    async def publish(key: PublicKey, wish: AppWish, request: str | None = None) -> dict[str, Any]:
        if not places.service_url:
            raise ValueError("the buyers' door is shut: start the stack with NCC_SERVICE_URL, which the application is")
        if is_hosted(key):
            raise ValueError("this key is a shop's: an application has a key of its own")
        if not is_signer_for(key):
            raise ValueError("no key for this application in the home: use `ncc service publish`")
        url = (wish.url or places.service_url).strip().rstrip("/")
        if not url.startswith(("https://", "http://")) or any(one.isspace() for one in url):
            raise ValueError("url: an address that begins with https:// or http://")
        about = wish.about or "Takes sealed orders over HTTP and answers with the shop's payment request."
        content = orjson.dumps({"name": wish.name, "about": about, "website": url}).decode()
        web = url if _PLACEHOLDER in url else f"{url}/open/{_PLACEHOLDER}"
        coordinate = handler_address(key, D)
        body = PublishApp(coordinate=coordinate, tags=handler_tags(D, web), content=content, cause=cause_of(request))
        return {"coordinate": coordinate, "web": web, **await decide(key, body, request)}

    @app.put("/recommendations/{merchant}", dependencies=guarded)
    async def recommend(merchant: str, wish: RecommendationWish, request: str | None = None) -> list[dict[str, Any]]:
        if not is_hosted(merchant):
            raise HTTPException(
                status.HTTP_404_NOT_FOUND, f"there is no merchant {merchant[:64]}: `ncc merchant list` shows them"
            )
        if wish.app is not None and not _is_handler(wish.app):
            raise ValueError("app: the address of an application, 31990:<key>:<d>")
        hint = wish.relay or next(iter(places.own_relays), "")
        answers = []
        for kind in sorted(SHOPPING_KINDS):
            body = PublishApp(
                coordinate=address(Kind.APP_RECOMMENDATION, merchant, str(int(kind))),
                tags=recommendation_tags(kind, wish.app, hint),
                cause=f"{cause_of(request)} {int(kind)}",
            )
            decided = await decide(merchant, body, request and f"{request} {int(kind)}")
            answers.append({"coordinate": body.coordinate, "app": wish.app, **decided})
        return answers


def _is_handler(text: str) -> bool:
    try:
        target = Coordinate.parse(text)
    except CoordinateRefused:
        return False
    return target.kind == Kind.APP_HANDLER and bool(target.d)
