"""What a merchant publishes through us: offers, deletions, drafts and relay lists; values, commands, events."""

from __future__ import annotations

from typing import Literal

from schemas.catalogue import Template
from schemas.nostr.kinds import Kind
from schemas.values import EventId, PublicKey, Value

OFFER_KINDS = frozenset({Kind.PRODUCT, Kind.COLLECTION, Kind.SHIPPING_OPTION})
"""What a shop is made of."""
PRIVATE_KINDS = frozenset({Kind.DRAFT_WRAP, Kind.DRAFT_RELAYS})
"""What a merchant publishes for nobody else: the content is encrypted to the own key (NIP-37)."""
APP_KINDS = frozenset({Kind.APP_RECOMMENDATION, Kind.APP_HANDLER})
"""Which application a shop recommends, and what the operator's own application says of itself (NIP-89)."""
PUBLISHABLE_KINDS = OFFER_KINDS | PRIVATE_KINDS | APP_KINDS | {Kind.DELETION, Kind.INBOX_RELAYS, Kind.ZAP_RECEIPT}
"""Every kind that is ever signed in a merchant's name besides messages and log-ins (NCC-04)."""

EVERY_TAG = "*"
"""Stands for all tags where a wish rules the whole event."""

Tags = tuple[tuple[str, ...], ...]

Refused = Literal[
    "kind_not_published", "foreign_author", "changed_meanwhile", "already_there", "not_there", "unreadable", "too_big"
]


class PublishOffer(Value):
    """A listing, collection or option is to be published, new or as a new version of itself (CAT-08).

    `tags` are what the tag groups in `rules` are to be; every other tag of the newest version stays (CAT-09), and
    with `content` None its text. `expects` is the version the wish was made from: "" for none, None for whichever.
    `draft` is the address of the draft it was, which is emptied with it.
    """

    type: Literal["PublishOffer"] = "PublishOffer"
    coordinate: str
    tags: Tags
    rules: tuple[str, ...]
    content: str | None = None
    expects: str | None = None
    draft: str | None = None
    cause: str


class WithdrawOffer(Value):
    """A listing, collection or option is to be deleted (NIP-09)."""

    type: Literal["WithdrawOffer"] = "WithdrawOffer"
    coordinate: str
    cause: str


class Draft(Value):
    """A draft as the newest version of its wrap says it; `content` is encrypted to the merchant, "" once discarded.

    `of_kind` is what it is a draft of (NIP-37 `k`).
    """

    coordinate: str
    event_id: EventId
    created_at: int
    of_kind: int
    content: str
    expires_at: int | None = None


class KeepDraft(Value):
    """A draft is to be kept in this version; an empty content discards it (CAT-10). `content` is encrypted already."""

    type: Literal["KeepDraft"] = "KeepDraft"
    coordinate: str
    of_kind: int
    content: str
    expires_at: int | None = None
    cause: str


class RecordDraft(Value):
    """A version of a draft was seen, made here or with another client."""

    type: Literal["RecordDraft"] = "RecordDraft"
    draft: Draft


class RelayNames(Value):
    """One of the merchant's relay lists, 10050 (inboxes) or 10013 (drafts), in its newest version."""

    kind: int
    event_id: EventId
    created_at: int
    relays: tuple[str, ...]


class RecordRelays(Value):
    """A version of a relay list was seen, made here or with another client."""

    type: Literal["RecordRelays"] = "RecordRelays"
    names: RelayNames


class PublishRelays(Value):
    """A relay list is to say this. Over one that says something else only where `replaces` is true (T65-01).

    `content` is the list of a 10013, encrypted already.
    """

    type: Literal["PublishRelays"] = "PublishRelays"
    kind: int
    relays: tuple[str, ...]
    content: str = ""
    replaces: bool = False
    cause: str


class PublishApp(Value):
    """A shop recommends applications (31989), or the operator's own application describes itself (31990) (T89-02).

    `tags` are all of the event's. A shop's own key never describes an application, and no other key recommends one.
    """

    type: Literal["PublishApp"] = "PublishApp"
    coordinate: str
    tags: Tags
    content: str = ""
    cause: str


class PublicationPromised(Value):
    """This very event goes out in the merchant's name; the publisher signs and publishes it.

    Called again, the publisher makes the same bytes: the event is fixed by its template.
    `coordinate` is what it is about, so that a version with a newer one behind it is left out.
    `relays` are where it goes, where it is not for everybody; none means the shop's own.
    """

    type: Literal["PublicationPromised"] = "PublicationPromised"
    coordinate: str
    event_id: EventId
    template: Template
    relays: tuple[str, ...] = ()
    cause: str


class PublicationRefused(Value):
    """The merchant's wish cannot be published, and why. Nothing else follows; a repeat is not heard again."""

    type: Literal["PublicationRefused"] = "PublicationRefused"
    coordinate: str
    reason: Refused
    detail: str = ""
    cause: str


class DraftRecorded(Value):
    """A newer version of a draft counts from now on. Nothing else follows: nobody but the merchant sees it."""

    type: Literal["DraftRecorded"] = "DraftRecorded"
    draft: Draft


class RelaysRecorded(Value):
    """A newer version of a relay list counts from now on: drafts go where the one of 10013 says (T37-02)."""

    type: Literal["RelaysRecorded"] = "RelaysRecorded"
    names: RelayNames


def address(kind: int, merchant: PublicKey, d: str = "") -> str:
    """An address as text."""
    return f"{int(kind)}:{merchant}:{d}"
