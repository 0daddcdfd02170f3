"""A merchant's shop as a whole: the rules it decides by."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.values import Value


class ShopSettings(Value):
    """Rules that bind a merchant's promises; they live in the journal because decisions depend on them.

    Times are in seconds. `request_ttl_s` is how long a payment request and its stock hold live,
    `grace_s` how much longer the order waits for a payment already on its way,
    `rate_age_max_s` how old an exchange rate may be before quoting stops (PAY-07).
    """

    request_ttl_s: int = Field(default=900, ge=60)
    grace_s: int = Field(default=60, ge=0)
    rate_age_max_s: int = Field(default=900, ge=1)
    parked_ttl_s: int = Field(default=172_800, ge=1)
    complete_on_delivery: bool = False


class OpenShop(Value):
    """Open a shop, or change its rules."""

    type: Literal["OpenShop"] = "OpenShop"
    settings: ShopSettings = ShopSettings()


class ShopOpened(Value):
    """A shop was opened or its rules changed. Later decisions use them; nothing else follows."""

    type: Literal["ShopOpened"] = "ShopOpened"
    settings: ShopSettings
