"""What a dialect is: recognise, read, write. Everything inside it is neutral to whoever calls."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from schemas.orders import MoveOrder, MoveShipping, OrderLine
from schemas.payments import AnnouncePayment, ReportPayment, ReportUnnamedPayment
from schemas.replies import ReplyPromised
from schemas.texts.phrases import Language
from schemas.values import Actor, OrderId, PublicKey

TELLS_STANDING: frozenset[str] = frozenset({"nip15"})
"""Dialects whose every update says how the whole order stands, so that a reply has to know it."""


DIRECT: frozenset[str] = frozenset({"nip15"})
"""Dialects whose messages are of kind 4, not wrapped."""


class MessageFault(StrEnum):
    """Why a private message is no command: stable codes for the quarantine."""

    UNKNOWN_KIND = "unknown_kind"
    NO_TYPE = "no_type"
    NO_ORDER = "no_order"
    NO_ITEM = "no_item"
    AMBIGUOUS = "ambiguous"
    BAD_COORD = "bad_coord"
    BAD_STATUS = "bad_status"
    BAD_SHAPE = "bad_shape"
    NO_PAYMENT = "no_payment"
    NOT_ALLOWED = "not_allowed"
    RECIPIENT_MISMATCH = "recipient_mismatch"
    GROUP_ORDER = "group_order"
    TOO_MANY_LINES = "too_many_lines"
    EMPTY_MESSAGE = "empty_message"
    KNOWN_FOREIGN_DIALECT = "known_foreign_dialect"
    BAD_NUTZAP = "bad_nutzap"


class MessageRefused(ValueError):
    """A private message that leads to no command; `detail` quotes nothing the sender wrote."""

    def __init__(self, reason: MessageFault, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Said:
    """A private message whose author is proven: what was said, by whom, to which hosted merchant."""

    rumor_id: str
    author: PublicKey
    merchant: PublicKey
    kind: int
    tags: tuple[tuple[str, ...], ...]
    content: str

    @property
    def actor(self) -> Actor:
        """The author's role: the merchant's own copy, or a buyer (MSG-02)."""
        return Actor.MERCHANT if self.author == self.merchant else Actor.BUYER


@dataclass(frozen=True, slots=True, repr=False)
class PersonalDetails:
    """What only the merchant may read. It is sealed before it leaves intake; its repr shows nothing.

    Of an order, or of a person's message, whose text is the `note`.
    """

    address: str | None = None
    email: str | None = None
    phone: str | None = None
    note: str | None = None
    subject: str | None = None

    def __repr__(self) -> str:
        return "PersonalDetails(…)"

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to seal."""
        return not (self.address or self.email or self.phone or self.note or self.subject)


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """A buyer's order as read, personal details still open."""

    order_id: OrderId
    lines: tuple[OrderLine, ...]
    shipping: str | None
    country: str | None
    region: str | None
    personal: PersonalDetails
    claimed_sats: int | None
    warnings: tuple[str, ...]
    geohash: str | None = None
    coupon: str | None = None
    language: Language | None = None


Reading = OrderDraft | MoveOrder | MoveShipping | ReportPayment | ReportUnnamedPayment | AnnouncePayment


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply in a dialect's words: kind, tags and content of the rumor to wrap.

    One of kind 4 is not wrapped: its content is encrypted and the event signed (NIP-04).
    """

    kind: int
    tags: tuple[tuple[str, ...], ...]
    content: str


class Dialect(Protocol):
    """One client family's language."""

    @property
    def name(self) -> str:
        """The name that orders are marked with, so that each is answered in its own dialect (MSG-03)."""

    def recognises(self, kind: int, tags: tuple[tuple[str, ...], ...]) -> bool:
        """Whether a rumor of this shape is this dialect's to read."""

    def read(self, said: Said) -> Reading:
        """A message as a neutral command. Raises `MessageRefused`."""

    def write(self, reply: ReplyPromised) -> Draft:
        """A reply as this dialect's rumor; the same reply always gives the same rumor."""
