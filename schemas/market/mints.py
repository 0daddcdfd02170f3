"""Mint lists, kind 10019: where a merchant takes ecash, and the key tokens are locked to (NIP-61, market spec §6)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

from schemas import limits
from schemas.market.reading import READER, TagReader
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, tag_values
from schemas.nostr.relay_urls import keep_relay_urls
from schemas.preferences import Mint, MintList

_KEY = re.compile(r"(02|03)?([0-9a-f]{64})", re.ASCII)
_UNITS_MAX = 8


def read_mints(event: Event) -> MintList:
    """A verified event as a mint list. Nothing is required; what cannot be read is left out with a warning."""
    tags = TagReader(event)
    return MintList(
        coordinate=str(Coordinate(Kind.NUTZAP_INFO, event.pubkey, "")),
        event_id=event.id,
        created_at=event.created_at,
        mints=_mints(tags),
        relays=keep_relay_urls(tag_values(event, "relay")),
        key=_key(tags),
        warnings=tuple(tags.warnings),
        reader=READER,
    )


def mint_url(text: str) -> str | None:
    """A mint's URL as two ways of writing it become one: lower-case host, no slash at the end; None where it is none.

    Without TLS only a hidden service is a mint.
    """
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > limits.RELAY_URL.most:
        return None
    try:
        url = urlsplit(text)
        _ = url.port  # raises ValueError when it is no port
    except ValueError:
        return None
    host = url.hostname or ""
    plain = url.scheme == "http" and host.endswith(".onion")
    if not host or "@" in url.netloc or not (url.scheme == "https" or plain) or url.query or url.fragment:
        return None
    return urlunsplit((url.scheme, url.netloc.lower(), url.path.rstrip("/"), "", ""))


def _mints(tags: TagReader) -> tuple[Mint, ...]:
    """Each once, with the units of all its tags."""
    found: dict[str, dict[str, None]] = {}
    for tag in tags.all("mint"):
        url = mint_url(tag[1].strip())
        if url is None:
            tags.warn("bad_mint")
        elif url not in found and len(found) == limits.PREFERENCE_ITEMS.most:
            tags.warn("mints_cut")
        else:
            units = (unit.strip().lower()[:16] for unit in tag[2:])
            found.setdefault(url, {}).update(dict.fromkeys(unit for unit in units if unit))
    if not found:
        tags.warn("no_mints")
    return tuple(Mint(url=url, units=tuple(units)[:_UNITS_MAX]) for url, units in found.items())


def _key(tags: TagReader) -> str | None:
    """The key to lock to. With or without its first byte: Schnorr signatures know only the rest of it."""
    text = tags.text("pubkey")
    if text is None:
        tags.warn("no_pubkey")
        return None
    key = _KEY.fullmatch(text.lower())
    if key is None:
        tags.warn("bad_pubkey")
        return None
    if key[1] == "03":
        tags.warn("odd_pubkey")
    return key[2]
