"""Collections, kind 30405 (market spec §3)."""

from __future__ import annotations

from schemas.catalogue import Collection, Template
from schemas.market.reading import (
    READER,
    MarketFault,
    MarketRefused,
    TagReader,
    cell,
    coordinate,
    identifier,
    place,
    time,
    title,
)
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event


def read_collection(event: Event) -> Collection:
    """A verified event as a collection. Raises `MarketRefused` (`no_d`, `no_title`, `foreign_shape`).

    Another client keeps encrypted carts under this kind; what has neither title nor member is none of ours (A-49).
    """
    tags = TagReader(event)
    d = identifier(tags)
    if tags.text("title", "name") is None and not any(tag[0] == "a" for tag in event.tags):
        raise MarketRefused(MarketFault.FOREIGN_SHAPE, "neither a title nor a member")
    return Collection(
        coordinate=str(Coordinate(Kind.COLLECTION, event.pubkey, d)),
        event_id=event.id,
        created_at=event.created_at,
        title=title(tags, "name"),
        members=_members(tags),
        shipping=_shipping(tags, event.pubkey),
        location=place(tags),
        geohash=cell(tags),
        expires_at=time(tags, "expiration"),
        warnings=tuple(tags.warnings),
        template=Template(kind=event.kind, created_at=event.created_at, tags=event.tags, content=event.content),
        reader=READER,
    )


def _members(tags: TagReader) -> tuple[str, ...]:
    """The listings, each once and in their order; a collection of none is accepted with a warning (T405-02)."""
    members: dict[str, None] = {}
    for tag in tags.all("a"):
        if member := coordinate(tag[1], Kind.PRODUCT):
            members[member] = None
        elif tag[1].startswith(f"{int(Kind.PRODUCT)}:"):
            tags.warn("bad_member")
    if not members:
        tags.warn("no_members")
    return tuple(members)


def _shipping(tags: TagReader, author: str) -> tuple[str, ...]:
    """The options for listings that point here; an extra cost has no meaning in this place (T405-04, A-16)."""
    options: dict[str, None] = {}
    for tag in tags.all("shipping_option", "shipping"):
        bare = f"{int(Kind.SHIPPING_OPTION)}:{author}:{tag[1]}"
        option = coordinate(bare if ":" not in tag[1] else tag[1], Kind.SHIPPING_OPTION)
        if option is None:
            tags.warn("bad_shipping_option")
            continue
        if len(tag) > 2 and tag[2].strip():
            tags.warn("extra_cost_ignored")
        options[option] = None
    return tuple(options)
