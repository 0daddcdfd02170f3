"""What enough histories must have passed: a counter at zero means that something is not simulated any more."""

from __future__ import annotations

from collections import Counter

from schemas.crash_points import Point
from schemas.orders import OrderStatus
from schemas.preferences import PaymentFlow
from schemas.refunds import OwedFor
from schemas.reviews import Standing
from streams.domain.transitions import ORDER_MOVES, SHIPPING_MOVES
from tests.simulation.ecash import MOODS
from tests.simulation.outside import CHARACTERS
from tests.simulation.people import HOSTILE

PAYMENT_MOVES = (
    ("none", "wanted"),
    ("wanted", "requested"),
    ("requested", "reported"),
    ("requested", "paid"),
    ("reported", "paid"),
    ("requested", "late"),
    ("late", "paid"),
    ("paid", "refund due"),
    ("requested", "partial"),
    ("partial", "wanted"),
    ("partial", "paid"),
    ("paid", "reversed"),
    ("reversed", "paid"),
)
REFUSED_MOVES = (
    "already_quoted",
    "dialect_off",
    "illegal_transition",
    "orphan",
    "parked_too_many",
    "refund_too_high",
    "foreign_payee",
    "illegal_transition",
    "no_order",
    "not_payable",
    "orphan",
    "parked_too_many",
    "too_little",
    "payment_reversed",
    "nothing_to_waive",
    "nothing_to_reinstate",
    "unknown_order",
)
"""Reasons under which the decider refuses what was said to it."""
REFUSALS = (
    "wrong_merchant",
    "unknown_item",
    "not_for_sale",
    "bad_quantity",
    "insufficient_stock",
    "unknown_shipping",
    "country_not_served",
)
MONEY_SEEN = (
    "sent",
    "seen",
    "seen, then settled",
    "seen, then vanished",
    "seen, waited for",
    "in a lost block",
    "in a lost block, then gone",
)
"""What becomes of money on its way; some is waited for longer than the request itself stood."""
TOKENS = ("handed in", "taken", "spent", "foreign_mint", "foreign_lock", "already_used", "already_paid", "not_payable")
"""What becomes of ecash that is handed in."""
MINT = (*MOODS, "has another keyset")
SEEDS_ENOUGH = 5_000
"""From so many histories on, nothing below may be missing."""


def expected() -> list[str]:
    """Every counter that enough histories must have moved."""
    names = [f"point {point.value}" for point in Point]
    names += [f"killed at {point.value}" for point in Point]
    names += [f"order {a.value}→{b.value}" for a, b in ORDER_MOVES if a is not OrderStatus.FAILED]
    names.append(f"order none→{OrderStatus.WAITING.value}")
    names += [f"parcel {a.value}→{b.value}" for a, b in SHIPPING_MOVES]
    names += [f"payment {a}→{b}" for a, b in PAYMENT_MOVES]
    names += [f"past {known}" for known in ("waiting", "pending", "confirmed", "completed", "cancelled", "answered")]
    names += [f"published {kind}" for kind in (5, 10_050, 30_402, 31_234, 31_989)] + ["unpublished not_there"]
    names += [f"reason {reason}" for reason in REFUSED_MOVES]
    names += ["payment announced", *(f"flow {flow.value}" for flow in PaymentFlow)]
    names += [f"refusal {refusal}" for refusal in REFUSALS]
    names += sorted({f"quarantined {reason}" for reason, _ in HOSTILE} | {"quarantined not_a_command"})
    names += ["order held", "order released", "withheld status", "payment implied", "refund", "goods set"]
    names += [f"dialect {dialect}" for dialect in ("gamma", "k15", "k14")]
    names += ["fact WalletMissed", "request forgotten", "told text", "several parcels", "paid in part", "taken back"]
    names += [
        f"address {what}" for what in ("asked", "paid", "claimed", "assigned", "assigned late", "kept", "returned")
    ]
    names += [f"refund owed {reason.value}" for reason in OwedFor]
    names += [f"order {status.value}→refunded" for status in (OrderStatus.CONFIRMED, OrderStatus.CANCELLED)]
    names += ["message of buyer", "message of merchant", "message about an order", "message taken back"]
    names += [f"money {what}" for what in MONEY_SEEN]
    names += [f"token {what}" for what in TOKENS] + [f"mint {what}" for what in MINT]
    names.append("answer unknown_order")
    names += [f"relay {character}" for character in CHARACTERS]
    names.append("owed to a relay")
    names += [f"review {standing.value}" for standing in Standing]
    names += ["review verified", "review received", "review invited"]
    return names


def missing(coverage: Counter[str]) -> list[str]:
    """Counters that stayed at zero."""
    return [name for name in expected() if not coverage[name]]
