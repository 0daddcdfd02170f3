"""Freezing a merchant: what is owed outside waits, while everything is still decided and recorded (law L11)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.values import Value

BY_OPERATOR = "operator"
"""The code of a freeze that a person asked for; all others are codes of invariants (`I2`)."""

REASON_MAX = 300


class FreezeMerchant(Value):
    """Send, publish and ask for nothing more in this merchant's name; `cause` names what was found, so a repeat is one.

    `code` is the invariant that was broken, or `operator`; `reason` is one sentence for whoever is to look.
    """

    type: Literal["FreezeMerchant"] = "FreezeMerchant"
    code: str = Field(max_length=16)
    reason: str = Field(min_length=1, max_length=REASON_MAX)
    cause: str = Field(max_length=128)


class ThawMerchant(Value):
    """Somebody looked at everything found so far; what waited may go out."""

    type: Literal["ThawMerchant"] = "ThawMerchant"
    reason: str = Field(min_length=1, max_length=REASON_MAX)
    cause: str = Field(max_length=128)


class MerchantFrozen(Value):
    """The merchant's effects wait from here on. Publisher and payments hold their positions; no order expires.

    A follower that dies meanwhile reads this record again, because its position does not move past it.
    """

    type: Literal["MerchantFrozen"] = "MerchantFrozen"
    code: str
    reason: str
    cause: str


class MerchantThawed(Value):
    """What waited goes out, once. Orders whose deadline passed meanwhile have until `deadline_ms`.

    A follower that dies over it holds the position of the freeze and starts again; a repeat is the same bytes.
    """

    type: Literal["MerchantThawed"] = "MerchantThawed"
    reason: str
    cause: str
    deadline_ms: int
