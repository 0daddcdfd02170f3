"""Merchants as configuration without secrets, and how far each relay has been read."""

from __future__ import annotations

from pydantic import Field

from schemas.shops import ShopSettings
from schemas.values import PublicKey, Value


class Merchant(Value):
    """One shop this deployment runs (`ncc.merchants`).

    `relays` are the operator's own for this merchant; those the merchant publishes (10002, 10050) come on top.
    `wallet` names a payment back-end. `settings` are the shop's rules as the operator last said them;
    the journal has those that decisions were made by.
    """

    public_key: PublicKey
    name: str = Field(min_length=1, max_length=64)
    relays: tuple[str, ...] = ()
    wallet: str = "simulated"
    spare_wallet: str | None = None
    settings: ShopSettings = ShopSettings()
    added_ms: int


class RelayCursor(Value):
    """Everything a relay held for one subscription up to `complete_s` (unix seconds) is in `ncc.raw`.

    `cursor_key` names the subscription with its filters.
    """

    relay: str
    cursor_key: str
    complete_s: int
