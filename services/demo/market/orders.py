"""The orders of the market story as data: who asks for what, and which answer they are to get."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, NamedTuple

from schemas.values import Refusal, Waiting
from services.demo.market.shop import POTSDAM

ADDRESSES: Final = {
    "DE": "Jane Doe\n1 Example Street\n10115 Berlin\nGermany",
    "US": "Jane Doe\n1 Example Street\nMiami, FL 33101\nUnited States",
    "FR": "Jane Doe\n1 rue de l'Exemple\n75001 Paris\nFrance",
}
"""Country → what a buyer types."""


class Buyer(StrEnum):
    """Those who order: one who buys, one who asks for what cannot be, one declined, one with too many orders."""

    ADA = "Ada"
    BEN = "Ben"
    DORA = "Dora"
    OTTO = "Otto"


class Answer(StrEnum):
    """What a buyer is told: what to pay, what is missing, or why not."""

    ASKED = "asked to pay"
    WAITS = "waits"
    DECLINED = "declined"


class Wish(NamedTuple):
    """One order. `items` are (product, quantity) by their names in the shop, `@name` in a stranger's.

    `sats` is what the buyer is to be asked for, `code` the reason why not. `rules` are changed before it is sent;
    the name of a buyer in them stands for their key.
    """

    name: str
    asks: str
    buyer: Buyer
    items: tuple[tuple[str, int], ...]
    answer: Answer
    shipping: str | None = None
    country: str | None = None
    geohash: str | None = None
    sats: int | None = None
    code: Refusal | Waiting | None = None
    rules: dict[str, Any] | None = None


def _asked(name: str, asks: str, sats: int, *items: tuple[str, int], **more: Any) -> Wish:
    return Wish(name, asks, more.pop("buyer", Buyer.ADA), items, Answer.ASKED, sats=sats, **more)


def _waits(name: str, asks: str, code: Waiting, *items: tuple[str, int], **more: Any) -> Wish:
    return Wish(name, asks, Buyer.BEN, items, Answer.WAITS, code=code, **more)


def _declined(name: str, asks: str, code: Refusal, *items: tuple[str, int], **more: Any) -> Wish:
    return Wish(name, asks, more.pop("buyer", Buyer.BEN), items, Answer.DECLINED, code=code, **more)


R, W = Refusal, Waiting
WISHES: Final[tuple[Wish, ...]] = (
    _declined("no rate", "a voucher in pounds, for which no rate is known", R.UNPRICEABLE, ("voucher", 1)),
    _asked("by weight", "2 mugs by post to Germany", 30_580, ("mug", 2), shipping="post", country="DE"),
    _asked("variation", "2 red shirts by post to the USA", 45_800, ("shirt-red", 2), shipping="post", country="US"),
    _asked("digital", "2 e-books; nothing to send, no address", 9_000, ("book", 2)),
    _asked("pick-up", "a mug, fetched at the workshop", 10_990, ("mug", 1), shipping="pickup"),
    _asked("by distance", "a mug by courier to Potsdam", 16_836, ("mug", 1), shipping="courier", country="DE",
           geohash=POTSDAM),
    _asked("collection", "a vase, sent as its collection offers", 56_000, ("vase", 1), shipping="careful",
           country="US"),
    _asked("subscription", "coffee every month; the first month is billed", 19_000, ("coffee", 1), country="DE"),
    _asked("pre-order", "3 lamps, of which 1 is there", 254_000, ("lamp", 3), country="DE"),
    _waits("no address", "a mug by post, to nobody says where", W.ADDRESS, ("mug", 1), shipping="post"),
    _waits("no choice", "a mug to Germany, by whatever there is", W.SHIPPING_CHOICE, ("mug", 1), country="DE"),
    _waits("no place", "a mug by courier, from nobody says where", W.PRICING, ("mug", 1), shipping="courier",
           country="DE"),
    _declined("stranger's", "a mug of another shop", R.WRONG_MERCHANT, ("@mug", 1)),
    _declined("unknown", "a unicorn", R.UNKNOWN_ITEM, ("unicorn", 1)),
    _declined("hidden", "a blue shirt, which is hidden", R.NOT_FOR_SALE, ("shirt-blue", 1), country="DE"),
    _declined("which one", "a shirt of no colour", R.CHOOSE_VARIATION, ("shirt", 1), country="DE"),
    _declined("orphan", "a green cap, whose main listing is missing", R.ORPHAN_VARIATION, ("cap-green", 1),
              country="DE"),
    _declined("none of it", "no e-books", R.BAD_QUANTITY, ("book", 0)),
    _declined("out of stock", "51 of 50 mugs", R.INSUFFICIENT_STOCK, ("mug", 51), shipping="pickup"),
    _declined("hoarding", "more than half of the mugs", R.STOCK_SHARE, ("mug", 26), shipping="pickup"),
    _declined("no such way", "a mug by balloon", R.UNKNOWN_SHIPPING, ("mug", 1), shipping="balloon", country="DE"),
    _declined("not for all", "a mug and a vase by post", R.OPTION_NOT_FOR_ALL, ("mug", 1), ("vase", 1),
              shipping="post", country="DE"),
    _declined("not there", "a mug by post to France", R.COUNTRY_NOT_SERVED, ("mug", 1), shipping="post",
              country="FR"),
    _declined("too heavy", "an anvil by post", R.WEIGHT_OVER_MAX, ("anvil", 1), shipping="post", country="DE"),
    _declined("too light", "a mug by freight", R.WEIGHT_UNDER_MIN, ("mug", 1), shipping="freight", country="DE"),
    _declined("too large", "a poster in its tube by post", R.SIZE_OVER_MAX, ("poster", 1), shipping="post",
              country="DE"),
    _declined("too small", "13 mugs by freight", R.SIZE_UNDER_MIN, ("mug", 13), shipping="freight", country="DE"),
    _declined("too little", "an e-book for less than the shop takes", R.BELOW_MINIMUM, ("book", 1)),
    _declined("too much", "2 anvils for more than the shop takes", R.TOO_EXPENSIVE, ("anvil", 2), shipping="freight",
              country="DE"),
    _declined("declined", "2 e-books, by a buyer the shop declines", R.DECLINED, ("book", 2), buyer=Buyer.DORA,
              rules={"denied": [Buyer.DORA]}),
    _declined("busy", "2 e-books, while enough others have yet to pay", R.SHOP_BUSY, ("book", 2),
              rules={"denied": [], "open_invoices_max": 1}),
    _declined("closed", "2 e-books, while the shop is on vacation", R.SHOP_CLOSED, ("book", 2),
              rules={"open_invoices_max": 1_000, "is_paused": True}),
    _waits("no contact", "2 e-books, from nobody says who", W.CONTACT, ("book", 2),
           rules={"is_paused": False, "contact_required": "always"}),
    _asked("first", "2 e-books, with one open order allowed", 9_000, ("book", 2), buyer=Buyer.OTTO,
           rules={"contact_required": "never", "buyer_open_orders_max": 1, "buyer_unpaid_orders_per_hour_max": 2}),
    _declined("second", "2 more, before the first are paid", R.TOO_MANY_OPEN, ("book", 2), buyer=Buyer.OTTO),
    _declined("third", "2 more within the same hour", R.TOO_MANY_ORDERS, ("book", 2), buyer=Buyer.OTTO),
)  # fmt: skip
"""In the order they are sent; those about the shop's figures come last, since their rules hold for all."""
