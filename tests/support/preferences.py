"""A merchant's preferences as commands, read from events like any other."""

from __future__ import annotations

import json

from schemas.market.handlers import read_handler, read_recommendation
from schemas.market.mints import read_mints
from schemas.market.profile import read_profile
from schemas.preferences import RecordPreference
from tests.support.builders import MERCHANT, NOW_S, STRANGER, Tag, an_event

APP = f"31990:{STRANGER}:shop"
MINT = "https://mint.example"
ADDRESS = "vases@example.com"
LOCK = "d7" * 32


def prefers(word: str = "", at: int = NOW_S, **content: str) -> RecordPreference:
    """A profile with this word as its payment preference, if any, and these fields."""
    tags: tuple[Tag, ...] = (("payment_preference", word),) if word else ()
    return RecordPreference(preference=read_profile(an_event(0, *tags, at=at, content=json.dumps(content))))


def takes_ecash(*urls: str, key: str = LOCK, at: int = NOW_S) -> RecordPreference:
    """A list of mints."""
    tags = (*(("mint", url) for url in urls or (MINT,)), ("pubkey", key))
    return RecordPreference(preference=read_mints(an_event(10019, *tags, at=at)))


def recommends(*apps: str, kind: int = 30402, at: int = NOW_S) -> RecordPreference:
    """Applications recommended for a kind of event; none named means the usual one."""
    tags = (("d", str(kind)), *(("a", app) for app in apps or (APP,)))
    return RecordPreference(preference=read_recommendation(an_event(31989, *tags, at=at)))


def an_app(*kinds: int, d: str = "shop", author: str = STRANGER, at: int = NOW_S) -> RecordPreference:
    """An application's own description."""
    tags = (("d", d), *(("k", str(kind)) for kind in kinds or (30402, 16)))
    return RecordPreference(preference=read_handler(an_event(31990, *tags, author=author, at=at)))


def unrecommends(at: int = NOW_S + 1) -> RecordPreference:
    """The recommendation taken back."""
    return RecordPreference(preference=read_recommendation(an_event(31989, ("d", "30402"), at=at, author=MERCHANT)))
