"""The inbox: what people write to a shop and what it answers (market spec §4, kind 14; NIP-17).

A text is personal, so it is sealed under a key of its own before it goes anywhere; what stands here is who, when,
and which order it is about. No message of a person's moves an order.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas import limits
from schemas.ecash import SealedTokens
from schemas.payouts import OfferedInvoice
from schemas.values import Actor, EventId, OrderId, OrderKey, PublicKey, SealedDetails, Value


class MessageKind(StrEnum):
    """What a person sent: words, or a file's address with the key that opens it (NIP-17)."""

    TEXT = "text"
    FILE = "file"


def conversation_ref(merchant: str, buyer: str) -> str:
    """Our name for all that a shop and one buyer write to each other: 32 hex digits, as an order's reference is."""
    return hashlib.sha256(f"conversation:{merchant}:{buyer}".encode()).hexdigest()[:32]


# Commands


class ReceiveMessage(Value):
    """A person wrote to the shop, or the merchant to a buyer from another client (`author`).

    `order_refs` are the references of the orders it may be about, from its `order` and `subject` tags: hashed,
    since a subject may be anything. `said_s` is the rumor's own time, unix seconds. `text` is None once erased.
    `is_direct` where it came as a kind 4, and `rumor_id` is then that event's.
    `tokens` has the one that is all it says; for an order that waits for it, that is money and no letter.
    `invoice` is the one that a buyer's words (kind 14) show: where money may go back to (F13).
    """

    type: Literal["ReceiveMessage"] = "ReceiveMessage"
    buyer: PublicKey
    author: Actor
    rumor_id: EventId
    said_s: int
    kind: MessageKind = MessageKind.TEXT
    text: SealedDetails | None = None
    order_refs: tuple[str, ...] = Field(default=(), max_length=limits.MENTIONS.most)
    answers: EventId | None = None
    is_room: bool = False
    is_direct: bool = False
    tokens: SealedTokens = ()
    invoice: OfferedInvoice | None = None


class AnswerMessage(Value):
    """The merchant answers a buyer. `name` is the answer's own, so that a repeated wish is one message."""

    type: Literal["AnswerMessage"] = "AnswerMessage"
    buyer: PublicKey
    name: str = Field(pattern=r"^[0-9a-f]{32}$")
    text: SealedDetails
    order_id: OrderId | None = None
    answers: EventId | None = None


class DeleteMessages(Value):
    """A wrapped kind 5: `actor` takes messages back that the same key wrote (NIP-17)."""

    type: Literal["DeleteMessages"] = "DeleteMessages"
    buyer: PublicKey
    actor: Actor
    rumor_ids: tuple[EventId, ...] = Field(max_length=limits.PRIVATE_DELETIONS.most)


# Events


class MessageReceived(Value):
    """A message stands in the inbox, in its buyer's thread; `order` where it names one of that buyer's.

    `is_room` where others were addressed too; an answer goes to the buyer alone. Nothing else follows.
    """

    type: Literal["MessageReceived"] = "MessageReceived"
    buyer: PublicKey
    author: Actor
    rumor_id: EventId
    said_s: int
    kind: MessageKind = MessageKind.TEXT
    text: SealedDetails | None = None
    order: OrderKey | None = None
    answers: EventId | None = None
    is_room: bool = False
    is_direct: bool = False


class MessageDeleted(Value):
    """Whoever wrote a message took it back: it is marked so. `order` where it was an order's, which stays as it is."""

    type: Literal["MessageDeleted"] = "MessageDeleted"
    buyer: PublicKey
    actor: Actor
    rumor_id: EventId
    order: OrderKey | None = None


class AnswerPromised(Value):
    """The buyer is owed this answer; with `at_s` and the sealed text its rumor is fixed here, and with it its id.

    With `is_direct` it goes as the kind 4 that its buyer's client reads.

    The publisher wraps and sends it; called again it makes the same bytes, and relays drop the repeat.
    """

    type: Literal["AnswerPromised"] = "AnswerPromised"
    buyer: PublicKey
    name: str
    at_s: int
    text: SealedDetails
    order: OrderKey | None = None
    answers: EventId | None = None
    is_direct: bool = False

    def effect_id(self, merchant: str) -> str:
        """The identity every key, nonce and time of this message is derived from (D5)."""
        return f"answer:{conversation_ref(merchant, self.buyer)}:{self.name}"


class AnswerRefused(Value):
    """An answer that was not promised, and why; nothing else follows."""

    type: Literal["AnswerRefused"] = "AnswerRefused"
    buyer: PublicKey
    name: str
    reason: str
    detail: str = ""
