"""Writes docs/limits.md from the table of limits and the shop's settings, so that the two cannot disagree.

`python -m tools.make_limits_doc` writes the file; a test renders it and compares.
"""

from __future__ import annotations

from pathlib import Path

from schemas.limits import LIMITS, Limit
from schemas.shops import ShopSettings

TARGET = Path(__file__).parent.parent / "docs" / "limits.md"

SETTINGS: dict[str, str] = {
    "request_ttl_s": "Seconds that a payment request and its stock hold live.",
    "grace_s": "Seconds more that the order waits for a payment on its way.",
    "rate_age_max_s": "Seconds that an exchange rate may be old.",
    "rate_wait_s": "Seconds that an order waits for an exchange rate before it is turned down.",
    "parked_ttl_s": "Seconds that a message waits for its order.",
    "complete_on_delivery": "Whether a delivered parcel completes its order.",
    "low_stock": "The merchant hears of a listing once this many or fewer are left.",
    "hide_sold_out": "Whether a listing is hidden while there is none of it.",
    "buyer_open_orders_max": "A buyer's orders that are open at once.",
    "buyer_unpaid_orders_per_hour_max": "A buyer's unpaid orders in an hour of the clock.",
    "buyer_messages_per_hour_max": "A buyer's messages in an hour of the clock that changed or claimed something.",
    "buyer_stock_percent_max": "Per cent of a listing's stock that one buyer's unpaid orders may hold.",
    "buyer_stock_units_min": "Units that they may hold whatever the share.",
    "order_sats_max": "Sats that one order may cost.",
    "open_invoices_max": "Orders of the shop that wait for payment at once.",
    "human_companion": "Whether buyers read each new state as a plain message too, for clients that show no others.",
    "dialects_off": "Dialects (comma-separated: `k14`, `k15`) whose order messages are taken as a person's words.",
    "inbox_messages_per_hour_max": "Messages of people in an hour of the clock that name no order of theirs.",
    "denied": "Public keys (hex, comma-separated) whose orders are declined, whose reviews do not count, "
    "and who are not heard.",
    "taxes": "Taxes by place and kind of goods, in JSON: `name`, `percent`, `is_included`, `countries`, `regions`, "
    "`format`, `on_shipping`. The first that fits counts.",
    "coupons": "Coupons, in JSON: `code`, `percent` or `sum`, `goods_min`, `expires_at`.",
    "order_min": "What the goods of an order come to at least, like `20 EUR`.",
    "free_shipping_from": "What goods come to that are sent for nothing, like `50 EUR`.",
    "extra_cost": "How often a listing's extra cost of shipping counts: `per_unit`, `per_line` or `max_once`.",
    "default_weight_g": "Grams that a physical listing weighs if it does not say.",
    "default_sides_cm": "Its size if it does not say, like `20x10x5` in centimetres.",
    "handling_h": "Hours from the confirmation until a parcel leaves.",
    "invite_review": "Whether the message that an order is complete asks for a review.",
    "is_paused": "Whether new orders are turned down for the time being: `ncc merchant pause` and `resume`.",
    "pause_text": "What their buyers are told; without it a sentence of ours.",
    "contact_required": "Whether an order needs an e-mail address or a phone number: `never` or `always`.",
    "ask_again_s": "Seconds more that an order and its stock hold live once its payment request is dead, so that "
    "the buyer may send the order again and get a new one.",
    "short_accepted_sats": "Sats that may be missing of a price that then counts as paid.",
    "late_accepted_percent": "Money that comes for an order which expired brings it back by itself, where its goods "
    "are still there and today they cost at most so many percent more; empty: you decide (`ncc order reinstate`).",
    "rest_wait_s": "An order that is paid in part waits for the rest at least so many seconds from its first part on.",
    "final_wait_s": "An order whose payment was seen and is not final yet, as on the chain, waits for it at least so "
    "many seconds from then on; its stock is held as long.",
    "wallet_wait_s": "An order whose wallet does not answer near its end waits so many seconds more at most, until a "
    "look-up is answered; its stock is held as long. 0: it ends at its deadline all the same.",
    "language": "What buyers are told things in where their order names no language: `en`, `de` or `es`.",
    "texts": "Texts of the shop's own in that language, in JSON by the [phrases](phrases.md) they stand for.",
    "nip15": "Whether stalls' orders and plain messages of kind 4 are read and answered: `off` or `on`.",
    "lightning_address": "A lightning address that is served here for the shop, `name@host`; empty is none.",
    "card_goods_wait": "Whether texts and links that were bought by card wait for `ncc order release`.",
}
"""What each of a shop's settings is for."""

_INTRODUCTION = """\
# Limits

This page is written by `python -m tools.make_limits_doc` from `schemas/limits.py` and `schemas/shops.py`.
Change those, not this page.

A code in backquotes is what stands in quarantine or in the buyer's answer.
What was set aside, `ncc quarantine replay` reads again.

## A shop's settings

`ncc merchant show SHOP` says how they stand, `ncc merchant set SHOP NAME=VALUE` changes them from the next order on.

| setting | default | meaning |
|---|---|---|
"""
_TABLE = """

## What is taken from strangers

| what | least | most | refused as | source |
|---|---|---|---|---|
"""
_REASONS = """

## Why these figures

"""


def render() -> str:
    """The whole page."""
    defaults = ShopSettings().model_dump()
    settings = "\n".join(f"| `{name}` | {_shown(defaults[name])} | {text} |" for name, text in SETTINGS.items())
    reasons = "\n".join(f"- {row.what}: {row.why}" for row in LIMITS if row.why)
    return _INTRODUCTION + settings + _TABLE + "\n".join(map(_row, LIMITS)) + _REASONS + reasons + "\n"


def _row(row: Limit) -> str:
    refused = f"`{row.refused}`" if "_" in row.refused and " " not in row.refused else row.refused
    return f"| {row.what} | {row.least or ''} | {row.most:,} {row.unit} | {refused} | {row.source} |"


def _shown(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case str():
            return f"`{value}`"
        case int():
            return f"{value:,}"
        case _:
            return "none"


def main() -> None:
    """Write the page."""
    TARGET.write_text(render())
    print(f"limits  {TARGET.name} has {len(LIMITS)} limits and {len(SETTINGS)} settings")


if __name__ == "__main__":
    main()
