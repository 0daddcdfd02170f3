"""Profiles, kind 0: how the merchant wants to be paid (market spec §2, §6)."""

from __future__ import annotations

import re
from typing import Any, Final

from schemas import limits
from schemas.catalogue import Template
from schemas.market.content import content_of, text_in
from schemas.market.reading import READER, TagReader
from schemas.nostr.bech32 import Bech32Refused, decode
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event
from schemas.preferences import PaymentPreference, Profile

TAG: Final = "payment_preference"
ALIAS: Final = "payment-preference"

VALUES: Final[dict[str, PaymentPreference]] = {
    "manual": PaymentPreference.MANUAL,
    "direct": PaymentPreference.MANUAL,
    "service": PaymentPreference.MANUAL,
    "bitcoin": PaymentPreference.MANUAL,
    "fiat": PaymentPreference.MANUAL,
    "ecash": PaymentPreference.ECASH,
    "cashu": PaymentPreference.ECASH,
    "lud16": PaymentPreference.LUD16,
    "lightning": PaymentPreference.LUD16,
}
"""The spec's values and those that clients and its other drafts write instead (A-22)."""

_LUD16 = re.compile(r"[a-z0-9._+-]{1,64}@([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,63}(:[0-9]{1,5})?", re.ASCII)


def read_profile(event: Event) -> Profile:
    """A verified event as a profile. Nothing in it is required; what cannot be read counts as absent, with a warning.

    The tag counts before its alias, and both before the key of that name in the content.
    """
    tags = TagReader(event)
    content = content_of(tags, event.content)
    word = _preference(tags, content)
    preference = None if word is None else VALUES.get(word)
    if word is not None and preference is None:
        tags.warn("unknown_preference")
        preference = PaymentPreference.MANUAL
    return Profile(
        coordinate=str(Coordinate(Kind.METADATA, event.pubkey, "")),
        event_id=event.id,
        created_at=event.created_at,
        preference=preference,
        is_direct=word == "direct",
        wants_service=word == "service",
        lud16=_lud16(tags, content),
        lud06=_lud06(tags, content),
        name=text_in(tags, content, "name"),
        nip05=text_in(tags, content, "nip05"),
        is_bot=content.get("bot") is True,
        warnings=tuple(tags.warnings),
        template=Template(kind=event.kind, created_at=event.created_at, tags=event.tags, content=event.content),
        reader=READER,
    )


def with_preference(template: Template, preference: PaymentPreference, created_at: int) -> Template:
    """The same profile with this preference in the spec's own tag; every other tag and the content stay (T0-01)."""
    kept = tuple(tag for tag in template.tags if not tag or tag[0] not in (TAG, ALIAS))
    tags = (*kept, (TAG, preference.value))
    return template.model_copy(update={"tags": tags, "created_at": max(created_at, template.created_at + 1)})


def _preference(tags: TagReader, content: dict[str, Any]) -> str | None:
    """The word that says it, in lower case; of several that differ the first counts, with a warning."""
    said = [
        tag[1].strip().lower() for name in (TAG, ALIAS) for tag in tags.event.tags if len(tag) > 1 and tag[0] == name
    ]
    if len(set(said)) > 1:
        tags.warn("two_preferences")
    if word := tags.text(TAG, ALIAS):
        return word.lower()
    word = content.get(TAG)
    if not isinstance(word, str) or not word.strip():
        return None
    tags.warn("preference_in_content")
    return word.strip().lower()


def _lud16(tags: TagReader, content: dict[str, Any]) -> str | None:
    """A Lightning address in lower case: `name@host` (LUD-16)."""
    text = content.get("lud16")
    if not isinstance(text, str) or not text.strip():
        return None
    address = text.strip().lower()
    if len(address) > limits.LIGHTNING_ADDRESS.most or not _LUD16.fullmatch(address):
        tags.warn("bad_lud16")
        return None
    return address


def _lud06(tags: TagReader, content: dict[str, Any]) -> str | None:
    """A bech32 `lnurl` in lower case (LUD-06)."""
    text = content.get("lud06")
    if not isinstance(text, str) or not text.strip():
        return None
    try:
        prefix, _ = decode(text.strip(), limits.LNURL.most)
    except Bech32Refused:
        prefix = ""
    if prefix != "lnurl":
        tags.warn("bad_lud06")
        return None
    return text.strip().lower()
