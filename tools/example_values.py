"""The values that the examples are made of: one merchant, one vase, one order."""

from __future__ import annotations

from decimal import Decimal

from schemas.catalogue import (
    Collection,
    DistancePrice,
    Format,
    Listing,
    ShippingOption,
    ShippingReference,
    Template,
    UnitPrice,
    VolumePrice,
)
from schemas.orders import (
    Charge,
    MoveOrder,
    OrderLine,
    OrderStatus,
    Quote,
    QuotedLine,
    Rate,
    ShippingStatus,
    Tax,
)
from schemas.preferences import Mint, MintList, PaymentPreference, Profile
from schemas.price_rules import Coupon, ExtraCost, TaxRule
from schemas.replies import StatusReply, WireStatus
from schemas.reviews import CategoryScore, Review
from schemas.shops import ShopSettings
from schemas.stock import StockLine, StockRefused
from schemas.values import Actor, Destination, OrderKey, Price, SealedDetails

MERCHANT, BUYER = "a1" * 32, "b1" * 32
EVENT, RUMOR, INTENT = "e1" * 32, "f1" * 32, "d1" * 32
AT_S, AT_MS = 1_767_225_600, 1_767_225_600_000
VASE, POST = f"30402:{MERCHANT}:vase", f"30406:{MERCHANT}:standard-regional"
POTTERY = f"30405:{MERCHANT}:pottery"
ORDER = OrderKey(merchant=MERCHANT, buyer=BUYER, order_id="order-1")

LISTING = Listing(
    coordinate=VASE,
    event_id=EVENT,
    title="Vase",
    price=Price(amount=Decimal("10.99"), currency="USD"),
    format=Format.PHYSICAL,
    stock=5,
    weight_g=Decimal("400"),
    sides_cm=(Decimal(5), Decimal(10), Decimal(20)),
    volume_cm3=Decimal(900),
    collections=(POTTERY,),
    location="Miami, FL",
    geohash_of=POTTERY,
    shipping=(
        ShippingReference(coordinate=POST, extra=Decimal("1.00")),
        ShippingReference(coordinate=POTTERY, extra=Decimal(3)),
    ),
    warnings=("format_assumed_physical",),
    template=Template(
        kind=30402,
        created_at=AT_S,
        tags=(("d", "vase"), ("title", "Vase"), ("price", "10.99", "USD"), ("stock", "5")),
        content="A vase.",
    ),
    reader=2,
)
OPTION = ShippingOption(
    coordinate=POST,
    event_id="e2" * 32,
    created_at=AT_S,
    title="Standard Shipping",
    base=Price(amount=Decimal("5.99"), currency="USD"),
    countries=("US",),
    regions=("US-FL",),
    carrier="Post",
    duration_min_h=24,
    duration_max_h=72,
    weight_max_g=Decimal("30000"),
    sides_max_cm=(Decimal(60), Decimal(60), Decimal(120)),
    per_weight=UnitPrice(amount=Decimal("0.75"), currency="USD", unit_g=Decimal("1000")),
    per_volume=VolumePrice(amount=Decimal("0.10"), currency="USD", unit_cm3=Decimal(1000)),
    per_distance=DistancePrice(amount=Decimal("0.01"), currency="EUR", unit_m=Decimal(1000)),
    geohash="dhwm9",
    reader=2,
)
COLLECTION = Collection(
    coordinate=POTTERY,
    event_id="e4" * 32,
    created_at=AT_S,
    title="Pottery",
    members=(VASE,),
    shipping=(POST,),
    location="Miami, FL",
    geohash="dhwm9c4ws",
    template=Template(
        kind=30405,
        created_at=AT_S,
        tags=(("d", "pottery"), ("title", "Pottery"), ("a", VASE), ("shipping_option", POST), ("g", "dhwm9c4ws")),
        content="All that is thrown.",
    ),
    reader=2,
)
QUOTE = Quote(
    lines=(
        QuotedLine(
            coordinate=VASE,
            listing_event_id=EVENT,
            title="Vase",
            quantity=2,
            unit_price=LISTING.price,
            physical=True,
            tracked=True,
        ),
    ),
    shipping=POST,
    shipping_event_id="e2" * 32,
    shipping_title="Standard Shipping",
    charges=(
        Charge(label="2 × Vase", amount=Decimal("21.98"), currency="USD"),
        Charge(label="Coupon SPRING, 10 %", amount=Decimal("-2.198"), currency="USD"),
        Charge(
            label="Standard Shipping, by weight",
            amount=Decimal("0.0066138679"),
            currency="USD",
            ratio=(Decimal(3), Decimal("453.59237")),
        ),
        Charge(label="Standard Shipping", amount=Decimal("8.59"), currency="USD"),
    ),
    rates=(Rate(currency="USD", msat_per_unit=Decimal("1000000"), source="median of 3", as_of_ms=AT_MS),),
    total_msat=30_570_000,
    valid_until=AT_S + 900,
    taxes=(
        Tax(
            name="VAT",
            percent=Decimal(7),
            net=Decimal("18.49"),
            tax=Decimal("1.29"),
            currency="USD",
            is_included=True,
        ),
    ),
    coupon="spring",
    coupon_counts=True,
    delivery_min_h=48,
    delivery_max_h=96,
)
PREFERENCES = (
    Profile(
        coordinate=f"0:{MERCHANT}:",
        event_id=EVENT,
        created_at=AT_S,
        preference=PaymentPreference.LUD16,
        lud16="vases@example.com",
        name="Vases",
        nip05="vases@example.com",
        warnings=("alias_payment-preference",),
        template=Template(
            kind=0, created_at=AT_S, tags=(("payment-preference", "lud16"),), content='{"lud16":"vases@example.com"}'
        ),
    ),
    MintList(
        coordinate=f"10019:{MERCHANT}:",
        event_id=EVENT,
        created_at=AT_S,
        mints=(Mint(url="https://mint.example", units=("sat",)),),
        relays=("wss://relay.example",),
        key=MERCHANT,
    ),
)
REVIEW = Review(
    author=BUYER,
    product=VASE,
    event_id="e3" * 32,
    created_at=AT_S,
    thumb=Decimal(1),
    categories=(CategoryScore(category="quality", score=Decimal("0.8")),),
)
PLACED = {
    "order": ORDER,
    "dialect": "gamma",
    "rumor_id": RUMOR,
    "lines": (OrderLine(coordinate=VASE, quantity=2),),
    "shipping": POST,
    "destination": Destination(country="US", region="US-FL", geohash="dhwm9"),
    "details": SealedDetails(key_id="c1" * 8, box="c2VhbGVk"),
    "claimed_sats": 30_000,
    "coupon": "spring",
    "warnings": ("alias_shipping_option",),
}
REQUESTED = {
    "order": ORDER,
    "intent_id": INTENT,
    "medium": "lightning",
    "text": "lnbc305700n1",
    "payment_hash": "d2" * 32,
    "amount_msat": 30_570_000,
    "expires_at": AT_S + 900,
}
HELD = (StockLine(coordinate=VASE, quantity=2),)
CANCEL = MoveOrder(order=ORDER, actor=Actor.BUYER, to=OrderStatus.CANCELLED, cause=RUMOR)
FOUND = f"order {ORDER.ref[:10]} holds 2 of vase, of which 1 was available"
SHIP = {"order": ORDER, "to": ShippingStatus.SHIPPED, "cause": RUMOR, "tracking": "T-1", "carrier": "Post"}
GOODS = SealedDetails(key_id="goods-1:2", box="c2VhbGVk")
REFUND = {
    "order": ORDER,
    "amount_msat": 10_000_000,
    "rail": "lightning",
    "reference": "d3" * 32,
    "reason": "one came broken",
    "cause": "operator 5",
}
COUNT_REFUSED = StockRefused(
    coordinate=VASE,
    source="erp",
    version=16,
    reason="stale_version",
    detail="version 17 was there before",
    cause="operator 1",
)
UNSAID = StatusReply(status=WireStatus.PROCESSING, text="Your order is being prepared.")

WORDS = SealedDetails(key_id=f"{'c6' * 16}:{'f1' * 8}", box="c2VhbGVk")
"""The text of a message."""

SETTINGS = ShopSettings(
    complete_on_delivery=True,
    taxes=(TaxRule(percent=Decimal(7), countries=("US",), regions=("US-FL",)),),
    coupons=(Coupon(code="SPRING", percent=Decimal(10), goods_min=Price(amount=Decimal(20), currency="USD")),),
    order_min=Price(amount=Decimal(5), currency="USD"),
    free_shipping_from=Price(amount=Decimal(200), currency="USD"),
    extra_cost=ExtraCost.MAX_ONCE,
    default_weight_g=Decimal(500),
    default_sides_cm=(Decimal(5), Decimal(10), Decimal(20)),
    handling_h=24,
)
