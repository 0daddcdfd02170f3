"""What became of a message on the relays it was meant for."""

from __future__ import annotations

from enum import StrEnum

from schemas.values import PublicKey, Value


class DeliveryState(StrEnum):
    """How far a message got (MSG-10)."""

    DELIVERED = "delivered"
    SELF_ONLY = "self_only"
    FAILED = "failed"
    NO_ROUTE = "no_route"


class RelayOutcome(Value):
    """One relay's answer: `accepted`, `duplicate`, `refused`, `timeout` or `unreachable`, with its own words."""

    relay: str
    outcome: str
    message: str = ""


class Delivery(Value):
    """One effect's delivery (`ncc.deliveries`), at least once; `effect_id` names the effect.

    `compat_route` is set where the recipient has no inbox list and a fallback was used (REL-15).
    """

    v: int = 1
    effect_id: str
    merchant: PublicKey
    order_ref: str | None
    what: str
    event_id: str
    sequence: int
    state: DeliveryState
    compat_route: bool = False
    outcomes: tuple[RelayOutcome, ...] = ()
    at_ms: int


class Owed(Value):
    """A message that one relay has, or that was given up at them all, while others are still told (`ncc.outbox`).

    `delivery` is how it stands; `relays` of the recipient and `copies` of the merchant's own are those still owed it.
    `offset` is the journal record that its bytes are made again from; `since_ms` is when its first owner first tried,
    by that one's clock, and `tried_ms` how long it has been tried by all.
    """

    v: int = 1
    delivery: Delivery
    offset: int
    since_ms: int
    tried_ms: int = 0
    relays: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
