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
    CollectionRecorded,
    DeletionNoted,
    ListingRecorded,
    ListingRevised,
    RecordCollection,
    RecordDeletion,
    RecordListing,
    RecordShippingOption,
    ReviseListing,
    ShippingOptionRecorded,
    Withdrawn,
)
from schemas.codec import encode
from schemas.freezes import FreezeMerchant, MerchantFrozen, MerchantThawed, ThawMerchant
from schemas.goods import GoodsSet, MarkReady, PickupReady, SetGoods
from schemas.hearing import HearMessage
from schemas.holds import HoldOrder, OrderHeld, OrderReleased, OrderRenewed, ReleaseOrder, ReplyWithheld
from schemas.inbox import (
    AnswerMessage,
    AnswerPromised,
    AnswerRefused,
    DeleteMessages,
    MessageDeleted,
    MessageReceived,
    ReceiveMessage,
)
from schemas.messages import Command, CommandBody, Event, JournalRecord
from schemas.orders import (
    CancellationRequested,
    Finding,
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
    ReachDeadline,
    ShippingMoved,
    ShippingStatus,
)
from schemas.parking import CommandParked, ParkedReleased, ReleaseParked
from schemas.past import AnswerPast, PastOrder, PastOrderRecorded, RecordPast
from schemas.payments import PaymentImplied
from schemas.preferences import PaymentFlow
from schemas.refunds import RecordRefund, RefundRecorded
from schemas.replies import PaymentOption, PaymentRequestReply, ReplyPromised
from schemas.reviews import (
    JudgeReviews,
    Level,
    Rating,
    RatingsChanged,
    RecordReview,
    ReviewInvited,
    ReviewJudged,
    ReviewReceived,
    ReviewRecorded,
    ReviewWithdrawn,
    Standing,
)
from schemas.shops import OpenShop, ShopOpened
from schemas.stock import (
    SetStock,
    StockCommitted,
    StockHeld,
    StockMastered,
    StockRanLow,
    StockReleased,
    StockSet,
)
from schemas.values import Actor, Origin, Refusal, Waiting
from tools import example_publishing
from tools.example_others import OTHERS
from tools.example_payments import PAYMENT_COMMANDS, PAYMENT_EVENTS
from tools.example_payouts import BY_LINK_COMMANDS, BY_LINK_EVENTS, PAYOUT_COMMANDS, PAYOUT_EVENTS
from tools.example_values import (
    AT_MS,
    AT_S,
    BUYER,
    CANCEL,
    COLLECTION,
    COUNT_REFUSED,
    EVENT,
    FOUND,
    GOODS,
    HELD,
    INTENT,
    LISTING,
    MERCHANT,
    OPTION,
    ORDER,
    PLACED,
    POST,
    QUOTE,
    REFUND,
    REVIEW,
    RUMOR,
    SETTINGS,
    SHIP,
    UNSAID,
    VASE,
    WORDS,
)

FOLDER = Path(__file__).parent.parent / "schemas" / "examples"

COMMANDS: tuple[CommandBody, ...] = (
    OpenShop(settings=SETTINGS),
    RecordListing(listing=LISTING),
    RecordShippingOption(option=OPTION),
    RecordCollection(collection=COLLECTION),
    RecordDeletion(author=MERCHANT, created_at=AT_S, event_ids=(EVENT,), coordinates=(VASE,)),
    ReviseListing(coordinate=VASE),
    *example_publishing.COMMANDS,
    PlaceOrder.model_validate(PLACED),
    CANCEL,
    MoveShipping.model_validate({**SHIP, "actor": Actor.MERCHANT, "eta": AT_S + 86_400, "announce": False}),
    ReachDeadline(order=ORDER, deadline_ms=AT_MS + 960_000),
    HoldOrder(order=ORDER, cause="operator 1"),
    ReleaseOrder(order=ORDER, cause="operator 2"),
    SetGoods(coordinate=VASE, sealed=GOODS, cause="operator 3"),
    MarkReady(order=ORDER, cause="operator 4"),
    RecordRefund.model_validate(REFUND),
    ReleaseParked(order=ORDER),
    RecordPast(order=ORDER, said=PlaceOrder.model_validate(PLACED), said_at=AT_S - 86_400, is_recent=True),
    AnswerPast(order=ORDER),
    HearMessage(
        dialect="k14",
        said=PlaceOrder.model_validate({**PLACED, "dialect": "k14"}),
        words=ReceiveMessage(buyer=BUYER, author=Actor.BUYER, rumor_id=RUMOR, said_s=AT_S, text=WORDS),
    ),
    *PAYMENT_COMMANDS,
    *PAYOUT_COMMANDS,
    RecordReview(review=REVIEW),
    JudgeReviews(),
    ReceiveMessage(
        buyer=BUYER,
        author=Actor.BUYER,
        rumor_id=RUMOR,
        said_s=AT_S,
        text=WORDS,
        order_refs=(ORDER.ref,),
        answers="f2" * 32,
    ),
    AnswerMessage(buyer=BUYER, name="c5" * 16, text=WORDS, order_id=ORDER.order_id, answers=RUMOR),
    DeleteMessages(buyer=BUYER, actor=Actor.BUYER, rumor_ids=(RUMOR,)),
    FreezeMerchant(code="I2", reason=FOUND, cause="I2 at 3:431"),
    ThawMerchant(reason="stock counted by hand", cause="operator 1"),
    SetStock(coordinate=VASE, on_hand=5, source="erp", version=17, cause="operator 1"),
)
EVENTS: tuple[Event, ...] = (
    ShopOpened(settings=SETTINGS),
    ListingRecorded(listing=LISTING),
    ListingRevised(listing=LISTING),
    ShippingOptionRecorded(option=OPTION),
    CollectionRecorded(collection=COLLECTION),
    Withdrawn(coordinate=VASE, deleted_at=AT_S, event_id=EVENT),
    DeletionNoted(event_ids=(EVENT,)),
    *example_publishing.EVENTS,
    StockSet(coordinate=VASE, on_hand=5, cause=EVENT),
    StockHeld(order=ORDER, lines=HELD),
    StockReleased(order=ORDER, lines=HELD),
    StockCommitted(order=ORDER, lines=HELD),
    StockMastered(coordinate=VASE, source="erp", version=17),
    COUNT_REFUSED,
    StockRanLow(coordinate=VASE, left=0),
    OrderPlaced.model_validate({**PLACED, "revision": 1, "flow": PaymentFlow.SERVICE}),
    OrderQuoted(order=ORDER, quote=QUOTE, deadline_ms=AT_MS + 960_000),
    OrderWaiting(order=ORDER, reason=Waiting.RATE, detail="USD", deadline_ms=AT_MS + 30_000),
    OrderRejected(
        order=ORDER,
        findings=(Finding(refusal=Refusal.WEIGHT_OVER_MAX, subject="Post: Vase", lines=(VASE,), option=POST),),
    ),
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
    GoodsSet(coordinate=VASE, sealed=GOODS, cause="operator 3"),
    PickupReady(order=ORDER, cause="operator 4"),
    RefundRecorded.model_validate(REFUND),
    PaymentImplied(order=ORDER, amount_msat=30_570_000, cause=RUMOR),
    OrderHeld(order=ORDER, cause="operator 1"),
    OrderReleased(order=ORDER, cause="operator 2", deadline_ms=AT_MS + 960_000),
    OrderRenewed(order=ORDER, revision=2),
    ReplyWithheld(order=ORDER, reply=UNSAID),
    CommandParked(order=ORDER, command=CANCEL, deadline_ms=AT_MS + 172_800_000),
    ParkedReleased(order=ORDER),
    PastOrderRecorded(
        past=PastOrder(
            order=ORDER,
            dialect="gamma",
            lines=(OrderLine(coordinate=VASE, quantity=1),),
            country="DE",
            said_at=AT_S - 30 * 86_400,
            rumor_id=RUMOR,
            status=OrderStatus.COMPLETED,
            shipping=ShippingStatus.DELIVERED,
            is_reported=True,
        )
    ),
    *PAYMENT_EVENTS,
    *PAYOUT_EVENTS,
    ReviewRecorded(review=REVIEW, score=REVIEW.score, strict_score=REVIEW.strict_score),
    ReviewWithdrawn(author=BUYER, product=VASE, deleted_at=AT_S),
    ReviewJudged(author=BUYER, product=VASE, standing=Standing.COUNTS, is_verified=True),
    RatingsChanged(
        ratings=(
            Rating(level=Level.PRODUCT, target=VASE, reviews=1, verified=1, total=REVIEW.score, stars=(0, 0, 0, 0, 1)),
            Rating(
                level=Level.MERCHANT,
                target=MERCHANT,
                category="quality",
                reviews=2,
                verified=1,
                total=Decimal("1.3"),
                stars=(0, 0, 1, 1, 0),
            ),
        )
    ),
    ReviewReceived(author=BUYER, product=VASE, score=REVIEW.score, is_verified=True),
    ReviewInvited(order=ORDER),
    MessageReceived(
        buyer=BUYER,
        author=Actor.BUYER,
        rumor_id=RUMOR,
        said_s=AT_S,
        text=WORDS,
        order=ORDER,
        answers="f2" * 32,
    ),
    MessageDeleted(buyer=BUYER, actor=Actor.BUYER, rumor_id=RUMOR, order=ORDER),
    AnswerPromised(buyer=BUYER, name="c5" * 16, at_s=AT_S, text=WORDS, order=ORDER, answers=RUMOR),
    AnswerRefused(buyer=BUYER, name="c5" * 16, reason="unknown_order", detail="this buyer has no such order"),
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


def examples() -> Iterator[tuple[Path, BaseModel]]:
    """Every contract's file under the folder, and a value of it in the envelope it travels in."""
    commands = [*((body, "") for body in COMMANDS), *((body, ".by_link") for body in BY_LINK_COMMANDS)]
    for body, kind in commands:
        command = Command(id="c0" * 16, merchant=MERCHANT, at_ms=AT_MS, origin=Origin.RELAY, source=EVENT, body=body)
        yield Path("commands", f"{body.type}{kind}.json"), command
    events = [*((event, "") for event in EVENTS), *((event, ".by_link") for event in BY_LINK_EVENTS)]
    for event, kind in events:
        record = JournalRecord(seq=7, covers=41, merchant=MERCHANT, at_ms=AT_MS, cause=EVENT, events=(event,))
        yield Path("events", f"{event.type}{kind}.json"), record
    for other in (*OTHERS, example_publishing.ROW):
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
