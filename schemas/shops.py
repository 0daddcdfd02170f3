"""A merchant's shop as a whole: the rules it decides by."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas import limits
from schemas.lnurl_served import ServedAddress
from schemas.price_rules import Coupons, DefaultSides, ExtraCost, Measure, Percent, Sum, Taxes
from schemas.texts import Texts
from schemas.texts.phrases import Language
from schemas.values import PublicKey, Value


class ContactRule(StrEnum):
    """When an order has to say how its buyer is reached outside of Nostr (C-37)."""

    NEVER = "never"
    ALWAYS = "always"


class Switchable(StrEnum):
    """Dialects that a shop may switch off; every one is on unless it does (MSG-06)."""

    K14 = "k14"
    K15 = "k15"


class StallMessages(StrEnum):
    """Whether a shop reads kind 4: stalls' orders and buyers' plain messages (NIP-15, NIP-04)."""

    OFF = "off"
    ON = "on"


class ShopSettings(Value):
    """Rules that bind a merchant's promises; they live in the journal because decisions depend on them.

    Times are in seconds. `request_ttl_s` is how long a payment request and its stock hold live,
    `grace_s` how much longer the order waits for a payment already on its way,
    `rate_age_max_s` how old an exchange rate may be before quoting stops (PAY-07),
    `rate_wait_s` how long an order waits for one before it is turned down.
    What one buyer may do, and what the shop takes at all, is explained in `schemas.limits` (C-12, C-13);
    an hour is one of the clock. The merchant hears of a listing once `low_stock` or fewer are left, and with
    `hide_sold_out` it is hidden while there is none (INV-09). `denied` are buyers whose orders are declined
    and whose reviews do not count (REV-07), and who are not heard;
    with `invite_review` a buyer is asked for one at the end (REV-09).
    What is added to the market spec's prices is explained in `schemas.price_rules` (C-09, C-10): `order_min` and
    `free_shipping_from` are held against the goods at their listed prices, before coupon and tax.
    The default weight and sides stand in for what a physical listing does not say (SHP-06).
    New order messages of `dialects_off` are taken as a person's words (MSG-06).
    With `human_companion` a buyer reads each new state as a plain message too (MSG-11).
    `handling_h` is added to a shipping option's own duration (SHP-16).
    While `is_paused` no new order is taken, and `pause_text` is what a buyer is told instead of a sentence of ours
    (C-35). `ask_again_s` is how much longer than its request an order lives, so that its buyer may ask for another
    one; its stock stays held that long (PAY-18).
    An order counts as paid with up to `short_accepted_sats` missing; one that was paid in part waits for the rest
    at least `rest_wait_s` from its first part on (PAY-19), and one whose money was seen on its way for it to be final
    at least `final_wait_s` from then on (PAY-10). Money that covers an order which expired reinstates it where its
    price of today is at most `late_accepted_percent` above the promised one; None: the merchant decides (TR-15).
    One whose wallet does not answer near its end waits for it
    `wallet_wait_s` more at most.
    Buyers are told things in their own `language` where an order names one, else in the shop's; `texts` are the
    shop's own in place of the built-in ones (C-36).
    With `nip15` stalls' orders and plain messages of kind 4 are read, and answered the same way (STL-07).
    `lightning_address` is one that this deployment serves for the shop, and leads to its own wallet.
    With `card_goods_wait` an order that was asked for by card and has texts or links to hand over is on hold once it
    is paid: no parcel carries them, so a bank that takes the money back finds them gone.
    """

    request_ttl_s: int = Field(default=900, ge=60)
    grace_s: int = Field(default=60, ge=0)
    rate_age_max_s: int = Field(default=900, ge=1)
    rate_wait_s: int = Field(default=3_600, ge=0)
    parked_ttl_s: int = Field(default=limits.PARKED_TTL.most, ge=1)
    complete_on_delivery: bool = False
    low_stock: int = Field(default=0, ge=0)
    hide_sold_out: bool = False
    buyer_open_orders_max: int = Field(default=limits.BUYER_OPEN_ORDERS.most, ge=1)
    buyer_unpaid_orders_per_hour_max: int = Field(default=limits.BUYER_UNPAID_ORDERS.most, ge=1)
    buyer_messages_per_hour_max: int = Field(default=limits.BUYER_MESSAGES.most, ge=1)
    buyer_stock_percent_max: int = Field(default=limits.BUYER_STOCK_SHARE.most, ge=0, le=100)
    buyer_stock_units_min: int = Field(default=limits.BUYER_STOCK_UNITS.most, ge=1)
    order_sats_max: int = Field(default=limits.ORDER_SATS.most, ge=1)
    open_invoices_max: int = Field(default=limits.OPEN_INVOICES.most, ge=1)
    human_companion: bool = False
    dialects_off: tuple[Switchable, ...] = Field(default=(), max_length=len(Switchable))
    inbox_messages_per_hour_max: int = Field(default=limits.INBOX_MESSAGES.most, ge=0)
    denied: tuple[PublicKey, ...] = Field(default=(), max_length=limits.DENIED.most)
    taxes: Taxes = ()
    coupons: Coupons = ()
    order_min: Sum = None
    free_shipping_from: Sum = None
    extra_cost: ExtraCost = ExtraCost.PER_UNIT
    default_weight_g: Measure | None = None
    default_sides_cm: DefaultSides = None
    handling_h: int = Field(default=0, ge=0, le=100_000)
    invite_review: bool = False
    is_paused: bool = False
    pause_text: str = Field(default="", max_length=limits.SHOP_TEXT.most)
    contact_required: ContactRule = ContactRule.NEVER
    ask_again_s: int = Field(default=0, ge=0)
    short_accepted_sats: int = Field(default=0, ge=0)
    late_accepted_percent: Percent = None
    rest_wait_s: int = Field(default=900, ge=0)
    final_wait_s: int = Field(default=86_400, ge=0)
    wallet_wait_s: int = Field(default=3_600, ge=0)
    language: Language = Language.ENGLISH
    texts: Texts = ()
    nip15: StallMessages = StallMessages.OFF
    lightning_address: ServedAddress = ""
    card_goods_wait: bool = False

    def without_limits(self) -> ShopSettings:
        """The same rules for a crowd that is trusted: whoever measures, or sells to machines of the own house."""
        endless = 1_000_000_000
        return self.model_copy(
            update={
                "buyer_open_orders_max": endless,
                "buyer_unpaid_orders_per_hour_max": endless,
                "buyer_messages_per_hour_max": endless,
                "inbox_messages_per_hour_max": endless,
                "buyer_stock_percent_max": 100,
                "open_invoices_max": endless,
            }
        )


class OpenShop(Value):
    """Open a shop, or change its rules."""

    type: Literal["OpenShop"] = "OpenShop"
    settings: ShopSettings = ShopSettings()


class ShopOpened(Value):
    """A shop was opened or its rules changed. Later decisions use them; nothing else follows."""

    type: Literal["ShopOpened"] = "ShopOpened"
    settings: ShopSettings
