"""Values for tests, valid by default: a test names only what it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal

from schemas.catalogue import (
    Collection,
    Format,
    Listing,
    ShippingOption,
    ShippingReference,
    Structure,
    Template,
    UnitPrice,
    Visibility,
)
from schemas.dialects.contract import Said
from schemas.messages import Command, CommandBody
from schemas.nostr.nip01 import Event, event_id
from schemas.orders import OrderLine, PlaceOrder, Rate
from schemas.reviews import CategoryScore, Review
from schemas.values import Destination, OrderKey, Origin, Price

MERCHANT = "a1" * 32
OTHER_MERCHANT = "a2" * 32
BUYER = "b1" * 32
OTHER_BUYER = "b2" * 32
STRANGER = "c1" * 32
CARRIER = "d1" * 32

NOW_S = 1_700_000_000
NOW_MS = NOW_S * 1_000

Tag = tuple[str, ...]


def an_id(name: str) -> str:
    """An event id that follows from a name."""
    return hashlib.sha256(name.encode()).hexdigest()


def product(d: str = "tea", merchant: str = MERCHANT) -> str:
    """A listing's address."""
    return f"30402:{merchant}:{d}"


def post(d: str = "post", author: str = MERCHANT) -> str:
    """A shipping option's address."""
    return f"30406:{author}:{d}"


def a_key(order_id: str = "order-1", buyer: str = BUYER, merchant: str = MERCHANT) -> OrderKey:
    """An order's identity."""
    return OrderKey(merchant=merchant, buyer=buyer, order_id=order_id)


def a_listing(
    d: str = "tea",
    price: str = "10",
    currency: str = "SATS",
    stock: int | None = None,
    weight_g: str | None = None,
    shipping: tuple[tuple[str, str], ...] = (),
    format_: Format | None = None,
    structure: Structure = Structure.SIMPLE,
    visibility: Visibility = Visibility.ON_SALE,
    sold: bool = False,
    expires_at: int | None = None,
    created_at: int = NOW_S - 1_000,
    event: str | None = None,
    tags: tuple[Tag, ...] = (),
) -> Listing:
    """A digital thing for 10 sats without stock tracking; `shipping` makes it physical."""
    template_tags: tuple[Tag, ...] = (("d", d), ("title", d.title()), ("price", price, currency))
    if stock is not None:
        template_tags += (("stock", str(stock)),)
    return Listing(
        coordinate=product(d),
        event_id=an_id(event or f"{d}@{created_at}"),
        title=d.title(),
        price=Price(amount=Decimal(price), currency=currency),
        structure=structure,
        format=format_ or (Format.PHYSICAL if shipping else Format.DIGITAL),
        visibility=visibility,
        sold=sold,
        stock=stock,
        weight_g=None if weight_g is None else Decimal(weight_g),
        expires_at=expires_at,
        shipping=tuple(ShippingReference(coordinate=c, extra=Decimal(extra)) for c, extra in shipping),
        template=Template(kind=30402, created_at=created_at, tags=template_tags + tags, content="good"),
    )


def an_option(
    d: str = "post",
    price: str = "5",
    currency: str = "SATS",
    countries: tuple[str, ...] = (),
    regions: tuple[str, ...] = (),
    service: str = "standard",
    location: str | None = None,
    weight_min_g: str | None = None,
    weight_max_g: str | None = None,
    per_kg: str | None = None,
    unsupported: tuple[str, ...] = (),
    author: str = MERCHANT,
    created_at: int = NOW_S - 1_000,
) -> ShippingOption:
    """World-wide post for 5 sats."""
    weight = None
    if per_kg is not None:
        weight = UnitPrice(amount=Decimal(per_kg), currency=currency, unit_g=Decimal(1000))
    return ShippingOption(
        coordinate=post(d, author),
        event_id=an_id(f"{author}/{d}@{created_at}"),
        created_at=created_at,
        title=d.title(),
        base=Price(amount=Decimal(price), currency=currency),
        countries=countries,
        regions=regions,
        service=service,
        location=location,
        weight_min_g=None if weight_min_g is None else Decimal(weight_min_g),
        weight_max_g=None if weight_max_g is None else Decimal(weight_max_g),
        per_weight=weight,
        unsupported=unsupported,
    )


def collection(d: str = "pottery", author: str = MERCHANT) -> str:
    """A collection's address."""
    return f"30405:{author}:{d}"


def a_collection(
    d: str = "pottery",
    members: tuple[str, ...] = (),
    shipping: tuple[str, ...] = (),
    author: str = MERCHANT,
    created_at: int = NOW_S - 1_000,
    **more: str | int | None,
) -> Collection:
    """A collection without a place; `more` are further fields."""
    made = Collection(
        coordinate=collection(d, author),
        event_id=an_id(f"{author}/{d}@{created_at}"),
        created_at=created_at,
        title=d.title(),
        members=members,
        shipping=shipping,
    )
    return made.model_copy(update=more)


def an_order(
    *lines: tuple[str, int],
    key: OrderKey | None = None,
    rumor: str = "rumor-1",
    shipping: str | None = None,
    country: str | None = None,
    region: str | None = None,
    claimed_sats: int | None = None,
    geohash: str | None = None,
    coupon: str | None = None,
    has_contact: bool = False,
) -> PlaceOrder:
    """An order for one tea; `lines` name listings by their `d` and a quantity."""
    return PlaceOrder(
        order=key or a_key(),
        dialect="gamma",
        rumor_id=an_id(rumor),
        lines=tuple(OrderLine(coordinate=product(d), quantity=q) for d, q in lines or (("tea", 1),)),
        shipping=shipping,
        destination=Destination(country=country, region=region, geohash=geohash),
        claimed_sats=claimed_sats,
        coupon=coupon,
        has_contact=has_contact,
    )


def a_rate(currency: str = "USD", sats_per_unit: str = "1000", as_of_ms: int = NOW_MS) -> dict[str, Rate]:
    """What the rate feed says: 1,000 sats for a dollar, just now."""
    msat = Decimal(sats_per_unit) * 1_000
    return {currency: Rate(currency=currency, msat_per_unit=msat, source="test feed", as_of_ms=as_of_ms)}


def a_review(
    thumb: str = "1",
    *scores: tuple[str, str],
    author: str = BUYER,
    d: str = "tea",
    created_at: int = NOW_S,
    event: str | None = None,
) -> Review:
    """A thumb up for the tea; `scores` are (category, score)."""
    return Review(
        author=author,
        product=product(d),
        event_id=an_id(event or f"review {author} {d} {created_at} {thumb}"),
        created_at=created_at,
        thumb=Decimal(thumb),
        categories=tuple(CategoryScore(category=label, score=Decimal(score)) for label, score in scores),
    )


def a_command(
    body: CommandBody, at_ms: int = NOW_MS, origin: Origin = Origin.RELAY, merchant: str = MERCHANT
) -> Command:
    """A body addressed to the merchant, now, from a relay; its id follows from what it says."""
    name = an_id(f"{body.model_dump_json()} {at_ms}")
    return Command(
        id=name[:32],
        merchant=merchant,
        at_ms=at_ms,
        origin=origin,
        source=an_id(f"source of {name}"),
        body=body,
    )


def an_event(kind: int, *tags: Tag, author: str = MERCHANT, at: int = NOW_S, content: str = "") -> Event:
    """A public event with its true id; nobody checks signatures after the gate, so it has none to speak of."""
    return Event(
        pubkey=author,
        created_at=at,
        kind=kind,
        tags=tags,
        content=content,
        id=event_id(author, at, kind, tags, content),
        sig="00" * 64,
    )


def a_rumor(
    kind: int,
    *tags: Tag,
    author: str = BUYER,
    merchant: str = MERCHANT,
    content: str = "",
    name: str = "rumor",
) -> Said:
    """A private message as it comes out of its wrap: author proven, nothing else."""
    return Said(an_id(name), author, merchant, kind, tags, content)


def no_rates(_now_ms: int) -> Mapping[str, Rate]:
    """No exchange rate is known: for shops that ask for sats."""
    return {}
