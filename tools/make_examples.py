"""Writes one JSON example of every contract to schemas/examples, and never touches one that is there.

What was published once must decode for ever: a contract that changed keeps its old example
(and gets an upcaster), and a new contract gets a new file. Run it as `python -m tools.make_examples`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import orjson
from pydantic import BaseModel

from schemas.catalogue import (
    DeletionNoted,
    Format,
    Listing,
    ListingRecorded,
    ListingRevised,
    RecordDeletion,
    RecordListing,
    RecordShippingOption,
    ReviseListing,
    ShippingOption,
    ShippingOptionRecorded,
    ShippingReference,
    Template,
    UnitPrice,
    Withdrawn,
)
from schemas.codec import encode
from schemas.deliveries import Delivery, DeliveryState, RelayOutcome
from schemas.freezes import FreezeMerchant, MerchantFrozen, MerchantThawed, ThawMerchant
from schemas.merchants import Merchant, RelayCursor
from schemas.messages import Command, CommandBody, Event, JournalRecord
from schemas.orders import (
    CancellationRequested,
    Charge,
    Finding,
    MoveOrder,
    MoveRefused,
    MoveShipping,
    OrderLine,
    OrderMoved,
    OrderPlaced,
    OrderQuoted,
    OrderRejected,
    OrderStatus,
    OrderWaiting,
    PlaceOrder,
    Quote,
    QuotedLine,
    Rate,
    ReachDeadline,
    ShippingMoved,
    ShippingStatus,
)
from schemas.parking import CommandParked, ParkedReleased, ReleaseParked
from schemas.payments import (
    BackendState,
    ObservePayment,
    PaymentAxis,
    PaymentDropped,
    PaymentReported,
    PaymentRequested,
    PaymentSettled,
    PaymentWanted,
    RecordPaymentFailure,
    RecordPaymentRequest,
    ReportPayment,
)
from schemas.quarantine import Quarantined
from schemas.replies import PaymentOption, PaymentRequestReply, ReplyPromised
from schemas.reviews import CategoryScore, RecordReview, Review, ReviewRecorded, ReviewWithdrawn
from schemas.rows import InventoryRow, OrderRow, ReviewRow
from schemas.shops import OpenShop, ShopOpened, ShopSettings
from schemas.stock import StockCommitted, StockHeld, StockLine, StockReleased, StockSet
from schemas.values import Actor, Destination, OrderKey, Origin, Price, Refusal, SealedDetails, Waiting

FOLDER = Path(__file__).parent.parent / "schemas" / "examples"

MERCHANT, BUYER = "a1" * 32, "b1" * 32
EVENT, RUMOR, INTENT = "e1" * 32, "f1" * 32, "d1" * 32
AT_S, AT_MS = 1_767_225_600, 1_767_225_600_000
VASE, POST = f"30402:{MERCHANT}:vase", f"30406:{MERCHANT}:standard-regional"
ORDER = OrderKey(merchant=MERCHANT, buyer=BUYER, order_id="order-1")

LISTING = Listing(
    coordinate=VASE,
    event_id=EVENT,
    title="Vase",
    price=Price(amount=Decimal("10.99"), currency="USD"),
    format=Format.PHYSICAL,
    stock=5,
    weight_g=Decimal("400"),
    shipping=(ShippingReference(coordinate=POST, extra=Decimal("1.00")),),
    warnings=("format_assumed_physical",),
    template=Template(
        kind=30402,
        created_at=AT_S,
        tags=(("d", "vase"), ("title", "Vase"), ("price", "10.99", "USD"), ("stock", "5")),
        content="A vase.",
    ),
)
OPTION = ShippingOption(
    coordinate=POST,
    event_id="e2" * 32,
    created_at=AT_S,
    title="Standard Shipping",
    base=Price(amount=Decimal("5.99"), currency="USD"),
    countries=("US",),
    regions=("US-FL",),
    weight_max_g=Decimal("30000"),
    per_weight=UnitPrice(amount=Decimal("0.75"), currency="USD", unit_g=Decimal("1000")),
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
        Charge(label="Standard Shipping", amount=Decimal("8.59"), currency="USD"),
    ),
    rates=(Rate(currency="USD", msat_per_unit=Decimal("1000000"), source="median of 3", as_of_ms=AT_MS),),
    total_msat=30_570_000,
    valid_until=AT_S + 900,
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
    "destination": Destination(country="US", region="US-FL"),
    "details": SealedDetails(key_id="c1" * 8, box="c2VhbGVk"),
    "claimed_sats": 30_000,
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

COMMANDS: tuple[CommandBody, ...] = (
    OpenShop(settings=ShopSettings(complete_on_delivery=True)),
    RecordListing(listing=LISTING),
    RecordShippingOption(option=OPTION),
    RecordDeletion(author=MERCHANT, created_at=AT_S, event_ids=(EVENT,), coordinates=(VASE,)),
    ReviseListing(coordinate=VASE),
    PlaceOrder.model_validate(PLACED),
    CANCEL,
    MoveShipping.model_validate({**SHIP, "actor": Actor.MERCHANT, "eta": AT_S + 86_400, "announce": False}),
    ReachDeadline(order=ORDER, deadline_ms=AT_MS + 960_000),
    ReleaseParked(order=ORDER),
    RecordPaymentRequest.model_validate(REQUESTED),
    RecordPaymentFailure(order=ORDER, intent_id=INTENT, reason="the wallet refuses the amount"),
    ObservePayment(
        order=ORDER, intent_id=INTENT, state=BackendState.SETTLED, gross_msat=30_570_000, settled_at=AT_S + 60
    ),
    ReportPayment(order=ORDER, rumor_id=RUMOR, medium="lightning"),
    RecordReview(review=REVIEW),
    FreezeMerchant(code="I2", reason=FOUND, cause="I2 at 3:431"),
    ThawMerchant(reason="stock counted by hand", cause="operator 1"),
)
EVENTS: tuple[Event, ...] = (
    ShopOpened(settings=ShopSettings(complete_on_delivery=True)),
    ListingRecorded(listing=LISTING),
    ListingRevised(listing=LISTING),
    ShippingOptionRecorded(option=OPTION),
    Withdrawn(coordinate=VASE, deleted_at=AT_S),
    DeletionNoted(event_ids=(EVENT,)),
    StockSet(coordinate=VASE, on_hand=5, cause=EVENT),
    StockHeld(order=ORDER, lines=HELD),
    StockReleased(order=ORDER, lines=HELD),
    StockCommitted(order=ORDER, lines=HELD),
    OrderPlaced.model_validate({**PLACED, "revision": 1}),
    OrderQuoted(order=ORDER, quote=QUOTE, deadline_ms=AT_MS + 960_000),
    OrderWaiting(order=ORDER, reason=Waiting.RATE, detail="USD", deadline_ms=AT_MS + 30_000),
    OrderRejected(order=ORDER, findings=(Finding(refusal=Refusal.UNKNOWN_ITEM, subject=VASE),)),
    OrderMoved(order=ORDER, actor=Actor.COORDINATOR, to=OrderStatus.CONFIRMED, cause=f"payment {INTENT}"),
    CancellationRequested(order=ORDER, cause=RUMOR),
    ShippingMoved.model_validate({**SHIP, "eta": AT_S + 86_400}),
    MoveRefused(
        order=ORDER,
        actor=Actor.BUYER,
        reason="illegal_transition",
        detail="pending→confirmed",
        cause=RUMOR,
    ),
    CommandParked(order=ORDER, command=CANCEL, deadline_ms=AT_MS + 172_800_000),
    ParkedReleased(order=ORDER),
    PaymentWanted(
        order=ORDER,
        intent_id=INTENT,
        revision=1,
        amount_msat=30_570_000,
        expires_at=AT_S + 900,
        memo=f"Order {ORDER.ref}",
    ),
    PaymentRequested.model_validate(REQUESTED),
    PaymentReported(order=ORDER, rumor_id=RUMOR, medium="lightning"),
    PaymentSettled(order=ORDER, intent_id=INTENT, gross_msat=30_570_000, due_msat=30_570_000, settled_at=AT_S + 60),
    PaymentDropped(order=ORDER, intent_id=INTENT),
    ReviewRecorded(review=REVIEW, score=REVIEW.score, strict_score=REVIEW.strict_score),
    ReviewWithdrawn(author=BUYER, product=VASE, deleted_at=AT_S),
    MerchantFrozen(code="I2", reason=FOUND, cause="I2 at 3:431"),
    MerchantThawed(reason="stock counted by hand", cause="operator 1", deadline_ms=AT_MS + 60_000),
    ReplyPromised(
        order=ORDER,
        number=1,
        dialect="gamma",
        answers=RUMOR,
        at_s=AT_S,
        reply=PaymentRequestReply(
            amount_sats=30_570,
            options=(PaymentOption(medium="lightning", text="lnbc305700n1"),),
            expires_at=AT_S + 900,
            text="Please pay 30570 sats.",
        ),
    ),
)
OTHERS: tuple[BaseModel, ...] = (
    Merchant(public_key=MERCHANT, name="Vases", relays=("wss://relay.example",), added_ms=AT_MS),
    RelayCursor(relay="wss://relay.example", cursor_key="inbox 3", complete_s=AT_S),
    Quarantined(
        id="c3" * 16,
        reason="bad_sig",
        detail="the signature is not the author's",
        stage="intake",
        merchant=None,
        relay="wss://relay.example",
        at_ms=AT_MS,
        original='{"id":"…"}',
        topic="ncc.raw",
        partition=3,
        offset=1207,
    ),
    Delivery(
        effect_id=f"reply:{ORDER.ref}:1",
        merchant=MERCHANT,
        order_ref=ORDER.ref,
        what="payment_request",
        event_id=EVENT,
        sequence=7,
        state=DeliveryState.DELIVERED,
        compat_route=True,
        outcomes=(RelayOutcome(relay="wss://relay.example", outcome="accepted"),),
        at_ms=AT_MS,
    ),
    OrderRow(
        key=ORDER,
        ref=ORDER.ref,
        dialect="gamma",
        revision=1,
        status=OrderStatus.CONFIRMED,
        payment=PaymentAxis.PAID,
        shipping=ShippingStatus.SHIPPED,
        lines=(OrderLine(coordinate=VASE, quantity=2),),
        country="US",
        total_msat=30_570_000,
        paid_msat=30_570_000,
        tracking="T-1",
        placed_ms=AT_MS,
        requested_ms=AT_MS + 20,
        confirmed_ms=AT_MS + 60_000,
        updated_ms=AT_MS + 60_000,
        partition=3,
        sequence=9,
    ),
    InventoryRow(
        merchant=MERCHANT,
        coordinate=VASE,
        title="Vase",
        price="10.99 USD",
        on_hand=3,
        held=1,
        sold=2,
        updated_ms=AT_MS,
        partition=3,
        sequence=9,
    ),
    ReviewRow(
        merchant=MERCHANT,
        product=VASE,
        author=BUYER,
        event_id="e3" * 32,
        thumb=Decimal(1),
        score=REVIEW.score,
        strict_score=REVIEW.strict_score,
        categories=(("quality", Decimal("0.8")),),
        reviewed_at=AT_S,
        updated_ms=AT_MS,
        partition=3,
        sequence=10,
    ),
)


def examples() -> Iterator[tuple[Path, BaseModel]]:
    """Every contract's file under the folder, and a value of it in the envelope it travels in."""
    for body in COMMANDS:
        command = Command(id="c0" * 16, merchant=MERCHANT, at_ms=AT_MS, origin=Origin.RELAY, source=EVENT, body=body)
        yield Path("commands", f"{body.type}.json"), command
    for event in EVENTS:
        record = JournalRecord(seq=7, covers=41, merchant=MERCHANT, at_ms=AT_MS, cause=EVENT, events=(event,))
        yield Path("events", f"{event.type}.json"), record
    for other in OTHERS:
        yield Path("others", f"{type(other).__name__}.json"), other


def write_missing(folder: Path, wanted: Iterable[tuple[Path, BaseModel]]) -> list[Path]:
    """Write what is not there yet, and return it; a file that exists is never opened."""
    written: list[Path] = []
    for name, value in wanted:
        path = folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(orjson.dumps(orjson.loads(encode(value)), option=orjson.OPT_INDENT_2) + b"\n")
            written.append(name)
    return written


if __name__ == "__main__":
    new = write_missing(FOLDER, examples())
    sys.stdout.write("".join(f"wrote {name}\n" for name in new) or "nothing is missing\n")
