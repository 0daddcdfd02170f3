"""Recommended applications: what a merchant recommends (31989), and what the application says of itself (31990)."""

from __future__ import annotations

from typing import Final

from schemas import limits
from schemas.market.content import content_of, text_in
from schemas.market.reading import READER, MarketFault, MarketRefused, TagReader, coordinate, identifier, whole_number
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import KIND_MAX, Kind
from schemas.nostr.nip01 import Event
from schemas.nostr.relay_urls import is_relay_url
from schemas.preferences import AppAddress, AppHandler, AppRecommendation, RecommendedApp

SHOPPING_KINDS: Final = frozenset({Kind.PRODUCT, Kind.ORDER})
"""Whoever recommends an application for one of these has orders go through it (T89-01)."""

_PLACEHOLDER = "<bech32>"
_WORD_MAX = 32


APP_HANDLES: Final = (Kind.PRODUCT, Kind.COLLECTION, Kind.SHIPPING_OPTION, Kind.ORDER, Kind.PAYMENT_RECEIPT)
"""What an application of this program's says it handles (T89-02)."""


def handler_address(app: str, d: str) -> str:
    """The address of an application's description."""
    return str(Coordinate(Kind.APP_HANDLER, app, d))


def handler_tags(d: str, web: str) -> tuple[tuple[str, ...], ...]:
    """The tags of a 31990 that handles shopping; `web` has `<bech32>` in it, where clients put an entity (NIP-89)."""
    kinds = (("k", str(int(kind))) for kind in APP_HANDLES)
    return (("d", d), *kinds, ("web", web, "naddr"), ("web", web))


def recommendation_tags(kind: int, app: str | None, relay: str = "") -> tuple[tuple[str, ...], ...]:
    """The tags of a 31989 for a kind; none recommended any more without `app`. `relay` has the application's 31990."""
    return (("d", str(int(kind))), *((("a", app, relay, "web"),) if app else ()))


def read_recommendation(event: Event) -> AppRecommendation:
    """A verified 31989 (NIP-89). Raises `MarketRefused` (`no_d`, `no_kind`); one without any application counts."""
    tags = TagReader(event)
    d = identifier(tags)
    kind = whole_number(d, KIND_MAX)
    if kind is None:
        raise MarketRefused(MarketFault.NO_KIND, "a recommendation that does not say for what")
    return AppRecommendation(
        coordinate=str(Coordinate(Kind.APP_RECOMMENDATION, event.pubkey, d)),
        event_id=event.id,
        created_at=event.created_at,
        kind=kind,
        apps=_apps(tags),
        warnings=tuple(tags.warnings),
        reader=READER,
    )


def read_handler(event: Event) -> AppHandler:
    """A verified 31990 (NIP-89). Raises `MarketRefused` (`no_d`)."""
    tags = TagReader(event)
    return AppHandler(
        coordinate=str(Coordinate(Kind.APP_HANDLER, event.pubkey, identifier(tags))),
        event_id=event.id,
        created_at=event.created_at,
        kinds=_kinds(tags),
        web=_web(tags),
        name=text_in(tags, content_of(tags, event.content), "name"),
        warnings=tuple(tags.warnings),
        reader=READER,
    )


def _apps(tags: TagReader) -> tuple[RecommendedApp, ...]:
    """Each application once, in its order; a relay hint that is none is left out."""
    apps: dict[str, RecommendedApp] = {}
    for tag in tags.all("a"):
        app = coordinate(tag[1], Kind.APP_HANDLER)
        if app is None:
            tags.warn("bad_app")
            continue
        if app not in apps and len(apps) == limits.PREFERENCE_ITEMS.most:
            tags.warn("apps_cut")
            break
        relay = tag[2].strip() if len(tag) > 2 else ""
        platform = tag[3].strip()[:_WORD_MAX] if len(tag) > 3 else ""
        hint = relay if is_relay_url(relay) else None
        apps.setdefault(app, RecommendedApp(coordinate=app, relay=hint, platform=platform or None))
    if not apps and tags.first("a") is not None:  # without any, a recommendation is taken back
        tags.warn("no_app")
    return tuple(apps.values())


def _kinds(tags: TagReader) -> tuple[int, ...]:
    kinds: dict[int, None] = {}
    for tag in tags.all("k"):
        kind = whole_number(tag[1].strip(), KIND_MAX)
        if kind is None:
            tags.warn("bad_kind")
        elif len(kinds) < limits.PREFERENCE_ITEMS.most:
            kinds[kind] = None
        else:
            tags.warn("kinds_cut")
    if not kinds:
        tags.warn("no_kinds")
    return tuple(kinds)


def _web(tags: TagReader) -> tuple[AppAddress, ...]:
    """Addresses with a place for what is to be opened; others open nothing."""
    web: list[AppAddress] = []
    for tag in tags.all("web"):
        url = tag[1].strip()
        if not url.startswith(("https://", "http://")) or _PLACEHOLDER not in url or len(url) > limits.RELAY_URL.most:
            tags.warn("bad_web")
        elif len(web) < limits.PREFERENCE_ITEMS.most:
            entity = tag[2].strip()[:_WORD_MAX] if len(tag) > 2 else ""
            web.append(AppAddress(url=url, entity=entity or None))
        else:
            tags.warn("web_cut")
    return tuple(web)
