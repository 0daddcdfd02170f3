"""The rules the books are kept by, written down a second time from the requirements (§7) and not from the code."""

from __future__ import annotations

import hashlib

ORDER_MOVES: dict[str, dict[str, str]] = {
    "waiting": {"cancelled": "buyer merchant"},
    "pending": {
        "cancelled": "buyer merchant",
        "confirmed": "coordinator merchant",
        "expired": "coordinator",
        "failed": "coordinator",
        "processing": "merchant",
        "completed": "merchant",
    },
    "confirmed": {
        "processing": "merchant",
        "completed": "merchant buyer coordinator",
        "cancelled": "merchant",
        "refunded": "merchant",
    },
    "processing": {"completed": "merchant buyer coordinator", "cancelled": "merchant", "refunded": "merchant"},
    "completed": {"refunded": "merchant"},
    **{status: {"refunded": "merchant", "confirmed": "coordinator"} for status in ("cancelled", "expired", "failed")},
}
"""Where an order stands → where it may go → who may move it there."""

PARCEL_MOVES: dict[str, str] = {
    "none": "processing shipped delivered",
    "processing": "shipped delivered exception",
    "shipped": "delivered exception",
    "exception": "processing shipped delivered",
    "delivered": "",
}

FINISHED = ("rejected", "cancelled", "completed", "expired", "failed", "refunded")
"""From here an order goes nowhere but to refunded; late money may still come."""

PAID = ("confirmed", "processing", "completed")
UNTOLD_NEVER = ("rejected", "expired", "failed")
"""Ends that are no doing of the buyer's or the merchant's, so the buyer hears of each."""

PARTS_MAX = 10
PARKED_MAX = 32
PARCELS_MAX = 20
LINES_MAX = 100
PATIENCE_MS = 120_000
"""How long something may be owed (I14)."""

PERSONAL = frozenset({"address", "email", "phone", "note", "name", "contact"})
"""Fields that must never stand in an order as the journal has it (I12)."""


def order_ref(key: dict[str, str]) -> str:
    """An order's reference: 128 bits of the hash of merchant, buyer and order id, in hex."""
    text = f"{key['merchant']}:{key['buyer']}:{key['order_id']}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def intent_of(ref: str, revision: int, part: int) -> str:
    """The name of an order revision's Lightning request, and of each further one for the rest (PAY-17, PAY-19)."""
    further = f":{part}" if part > 1 else ""
    return hashlib.sha256(f"ncc/intent/1:{ref}:{revision}:bolt11{further}".encode()).hexdigest()


def owner_of(coordinate: str) -> str:
    """The merchant in `30402:merchant:name`; '' where it is no such address."""
    parts = coordinate.split(":", 2)
    return parts[1] if len(parts) == 3 else ""


def short(coordinate: str) -> str:
    """A listing's own name, short enough for a sentence."""
    return coordinate.split(":", 2)[-1][:40]
