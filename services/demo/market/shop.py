"""The shop of the market story as data: twelve products, five ways to send them, one collection, and its rules."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from schemas.nostr.kinds import Kind

BERLIN: Final = "u33dc"
POTSDAM: Final = "u3372"


class Offer(NamedTuple):
    """One event of the merchant's: its kind, its tags, and what stands in it."""

    kind: Kind
    tags: tuple[tuple[str, ...], ...]
    content: str = ""


RULES: Final[dict[str, Any]] = {
    "order_min": "5 USD",
    "order_sats_max": 1_000_000,
    "rate_wait_s": 0,
    "buyer_open_orders_max": 30,
    "buyer_unpaid_orders_per_hour_max": 60,
    "buyer_stock_percent_max": 50,
    "open_invoices_max": 1_000,
}
"""Figures small enough that an order can meet them; orders for what has no exchange rate do not wait for one long."""


def address(merchant: str, kind: Kind, d: str) -> str:
    """Where something of this shop is found."""
    return f"{int(kind)}:{merchant}:{d}"


def offers(merchant: str) -> tuple[Offer, ...]:
    """Everything the merchant publishes, what is pointed at first."""

    def option(d: str, extra: str | None = None) -> tuple[str, ...]:
        return ("shipping_option", address(merchant, Kind.SHIPPING_OPTION, d), *([] if extra is None else [extra]))

    ceramics = address(merchant, Kind.COLLECTION, "ceramics")
    shirt = ("a", address(merchant, Kind.PRODUCT, "shirt"))
    return (
        _shipping("post", "Post", "5.00", ("country", "DE", "US"), ("price-weight", "2.00", "kg"),
                  ("weight-max", "10", "kg"), ("dim-max", "60x40x40", "cm"), ("duration", "2", "4", "D")),
        _shipping("freight", "Freight", "20.00", ("country", "DE"), ("weight-min", "5", "kg"),
                  ("dim-min", "40x30x20", "cm")),
        _shipping("courier", "Bicycle courier", "3.00", ("country", "DE"), ("price-distance", "0.10", "km"),
                  ("g", BERLIN)),
        _shipping("pickup", "Pick-up", "0", ("location", "The workshop, 10115 Berlin"), ("g", BERLIN),
                  service="pickup"),
        _shipping("careful", "Careful parcel", "9.00", ("country", "DE", "US", "FR")),
        Offer(
            Kind.COLLECTION,
            (("d", "ceramics"), ("title", "Ceramics"), ("a", address(merchant, Kind.PRODUCT, "vase")),
             option("pickup"), option("careful"), ("location", "Berlin"), ("g", BERLIN)),
        ),
        _thing("mug", "Enamel mug", "10.99", ("stock", "50"), ("weight", "400", "g"), ("dim", "10x10x12", "cm"),
               option("post", "1.00"), option("pickup"), option("courier"), option("freight")),
        _thing("shirt", "Shirt", "20.00", option("post"), structure="variable"),
        _thing("shirt-red", "Shirt, red", "20.00", shirt, ("stock", "20"), ("weight", "200", "g"),
               ("dim", "30x25x2", "cm"), option("post"), structure="variation"),
        _thing("shirt-blue", "Shirt, blue", "22.00", shirt, ("visibility", "hidden"), option("post"),
               structure="variation"),
        _thing("cap-green", "Cap, green", "9.00", ("a", address(merchant, Kind.PRODUCT, "cap")), option("post"),
               structure="variation"),
        _listing("book", "How to glaze (e-book)", ("4.50", "USD"), "simple", "digital"),
        _listing("coffee", "Coffee, a bag a month", ("12.00", "USD", "M"), "simple", "physical",
                 ("weight", "1", "kg"), ("dim", "20x10x8", "cm"), option("post")),
        _thing("anvil", "Anvil", "600.00", ("weight", "30", "kg"), ("dim", "50x30x30", "cm"), option("post"),
               option("freight")),
        _thing("poster", "Poster, in a tube", "15.00", ("weight", "300", "g"), ("dim", "100x8x8", "cm"),
               option("post")),
        _thing("vase", "Vase", "45.00", ("weight", "900", "g"), ("shipping_option", ceramics, "2.00"),
               ("location", ceramics), ("g", ceramics)),
        _thing("lamp", "Lamp", "80.00", ("stock", "1"), ("visibility", "pre-order"), ("weight", "1.5", "kg"),
               ("dim", "40x30x30", "cm"), option("post")),
        _listing("voucher", "Voucher", ("10.00", "GBP"), "simple", "digital"),
    )  # fmt: skip


def _shipping(d: str, title: str, price: str, *more: tuple[str, ...], service: str = "standard") -> Offer:
    tags = (("d", d), ("title", title), ("price", price, "USD"), ("service", service), *more)
    return Offer(Kind.SHIPPING_OPTION, tags)


def _thing(d: str, title: str, price: str, *more: tuple[str, ...], structure: str = "simple") -> Offer:
    return _listing(d, title, (price, "USD"), structure, "physical", *more)


def _listing(d: str, title: str, price: tuple[str, ...], structure: str, format_: str, *more: tuple[str, ...]) -> Offer:
    tags = (("d", d), ("title", title), ("price", *price), ("type", structure, format_), *more)
    return Offer(Kind.PRODUCT, tags, f"{title}, from the workshop.")
