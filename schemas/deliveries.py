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
