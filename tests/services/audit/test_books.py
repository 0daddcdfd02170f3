"""The books: quiet over every valid history, and each invariant named when one record of such a history is changed."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from schemas.catalogue import RecordListing
from schemas.freezes import FreezeMerchant, ThawMerchant
from schemas.inbox import AnswerMessage, ReceiveMessage
from schemas.orders import OrderStatus, ReachDeadline, ShippingStatus
from schemas.payments import RecordPaymentFailure, intent_id
from schemas.reviews import JudgeReviews, RecordReview
from schemas.values import Actor, Origin, SealedDetails
from services import audit as audit_package
from services.audit.books import Books
from services.audit.invariants import INVARIANTS, Breach, Place
from tests.services.metrics.scenes import a_long_history, ten_orders
from tests.support.books import as_json, audited
from tests.support.builders import (
    BUYER,
    MERCHANT,
    NOW_MS,
    NOW_S,
    OTHER_MERCHANT,
    a_command,
    a_key,
    a_listing,
    a_review,
    an_id,
    an_order,
    product,
)
from tests.support.steps import cancelled, held, moved, paid, parcel, receipt, refunded, released, requested
from tests.support.story import Story, given

Journal = list[dict[str, Any]]
Fact = dict[str, Any]


def a_sale() -> Story:
    """Ten teas: two are sold and shipped; others end in every other way; one is taken unpaid, and one is open."""
    story = given(RecordListing(listing=a_listing("tea", "10", stock=10)))
    story.when(receipt(rumor="early"), an_order(("tea", 2)), requested(20), receipt(), paid(20))
    story.when(parcel(ShippingStatus.SHIPPED), moved(OrderStatus.COMPLETED))
    for number, last in (("2", cancelled(key=a_key("2"))), ("3", failure("3")), ("4", None), ("5", None)):
        story.when(an_order(("tea", 1), key=a_key(number), rumor=number))
        if last is not None:
            story.when(last)
    deadline_ms = story.order(a_key("4")).deadline_ms or 0
    story.when(ReachDeadline(order=a_key("4"), deadline_ms=deadline_ms), at_ms=deadline_ms)
    story.when(an_order(("unicorn", 1), key=a_key("6"), rumor="6"), requested(10, a_key("5")))
    story.when(RecordReview(review=a_review("1", ("quality", "0.5"))), JudgeReviews())
    story.when(RecordReview(review=a_review("0.5", author=MERCHANT)), JudgeReviews())
    story.when(held(a_key("5")), moved(OrderStatus.PROCESSING, key=a_key("5")), released(a_key("5")))
    story.when(refunded(4, "operator 3", a_key("5")), refunded(6, "operator 4", a_key("5")))
    story.when(an_order(("tea", 1), key=a_key("7"), rumor="7"))
    answer = AnswerMessage(buyer=BUYER, name="c5" * 16, text=SealedDetails(key_id="k", box="b"), order_id="order-1")
    return story.when(a_letter(), a_command(answer, origin=Origin.OPERATOR))


def a_letter() -> ReceiveMessage:
    """A person's message about the sale."""
    sealed = SealedDetails(key_id="k", box="b")
    return ReceiveMessage(
        buyer=BUYER, author=Actor.BUYER, rumor_id=an_id("letter"), said_s=NOW_S, text=sealed, order_refs=(a_key().ref,)
    )


def failure(number: str) -> RecordPaymentFailure:
    """The wallet will not make this order's request."""
    return RecordPaymentFailure(order=a_key(number), intent_id=intent_id(a_key(number), 1), reason="no")


def journal() -> Journal:
    """The sale as the journal has it."""
    return [as_json(record) for record in a_sale().journal]


def fact(journal: Journal, kind: str, nth: int = 0) -> Fact:
    """The nth event of a kind."""
    found: list[Fact] = [event for record in journal for event in record["events"] if event["type"] == kind]
    return found[nth]


def breaches(journal: Journal) -> list[Breach]:
    """Everything the books complain of."""
    books = Books()
    return [breach for record in journal for breach in books.enter(record)]


def without(kind: str, nth: int = 0) -> Callable[[Journal], None]:
    """A change that takes one event away."""

    def change(journal: Journal) -> None:
        gone = fact(journal, kind, nth)
        for record in journal:
            record["events"] = [event for event in record["events"] if event is not gone]

    return change


def with_(kind: str, nth: int = 0, **fields: object) -> Callable[[Journal], None]:
    """A change that makes one event say something else."""
    return lambda journal: fact(journal, kind, nth).update(fields)


def twice(kind: str, nth: int = 0) -> Callable[[Journal], None]:
    """A change that makes one event happen a second time in its record."""

    def change(journal: Journal) -> None:
        again = fact(journal, kind, nth)
        for record in journal:
            if any(event is again for event in record["events"]):
                record["events"].append(deepcopy(again))
                return

    return change


def record(nth: int, **fields: object) -> Callable[[Journal], None]:
    """A change of one record's own fields."""
    return lambda journal: journal[nth].update(fields)


def parked_often(journal: Journal) -> None:
    """Forty messages wait for one order."""
    early = fact(journal, "CommandParked")
    journal[1]["events"] = [deepcopy(early) for _ in range(40)]


def many_lines(journal: Journal) -> None:
    """An order with more lines than an order may have."""
    quote = fact(journal, "OrderQuoted")["quote"]
    quote["lines"] = quote["lines"] * 101


def rated_too_well(journal: Journal) -> None:
    """A whole point more than the review gave."""
    fact(journal, "RatingsChanged")["ratings"][0]["total"] = "1.875"


OTHERS_TEA = product("tea", OTHER_MERCHANT)
TEA = product("tea")
OTHERS_ORDER = {"merchant": OTHER_MERCHANT, "buyer": BUYER, "order_id": "x"}

DOCTORED: list[tuple[str, str, Callable[[Journal], None]]] = [
    ("I1", "a record is missing", lambda journal: journal.remove(journal[3])),
    ("I1", "a record stands twice", lambda journal: journal.insert(3, deepcopy(journal[2]))),
    ("I1", "a command is decided twice", record(3, covers=1)),
    ("I2", "more is held than there is", with_("StockHeld", lines=[{"coordinate": TEA, "quantity": 11}])),
    ("I2", "what is not counted is held", with_("StockSet", on_hand=None)),
    ("I2", "a negative base", with_("StockSet", on_hand=-1)),
    ("I2", "nothing is held", with_("StockHeld", lines=[{"coordinate": TEA, "quantity": 0}])),
    ("I2", "less is sold than was held", with_("StockCommitted", lines=[{"coordinate": TEA, "quantity": 1}])),
    ("I2", "more is given back than was held", with_("StockReleased", lines=[{"coordinate": TEA, "quantity": 2}])),
    ("I2", "a hold outlives its order", without("StockReleased")),
    ("I2", "units are sold twice", twice("StockCommitted")),
    ("I3", "two intents live", twice("PaymentWanted")),
    ("I3", "a pending order wants no money", without("PaymentWanted")),
    ("I3", "a request comes twice", twice("PaymentRequested")),
    ("I3", "a request that nobody wanted", with_("PaymentRequested", intent_id="ee" * 32)),
    ("I3", "an intent outlives its order", without("PaymentDropped")),
    ("I3", "another intent is dropped", with_("PaymentDropped", intent_id="ee" * 32)),
    ("I3", "the buyer is asked twice", twice("ReplyPromised")),
    ("I4", "confirmed without money", without("PaymentSettled")),
    ("I4", "money without an outcome", without("OrderMoved")),
    ("I4", "a confirmation nobody is told", without("ReplyPromised", 1)),
    ("I4", "two confirmations", twice("ReplyPromised", 1)),
    ("I4", "a failure without a word", without("ReplyPromised", 5)),
    ("I5", "less is paid than is due", with_("PaymentSettled", gross_msat=19_000)),
    ("I5", "another sum is due than was quoted", with_("PaymentSettled", due_msat=1)),
    ("I5", "another sum is wanted", with_("PaymentWanted", amount_msat=1)),
    ("I5", "another sum is requested", with_("PaymentRequested", amount_msat=1)),
    ("I5", "a payment is entered twice", twice("PaymentSettled")),
    ("I5", "a payment for another intent", with_("PaymentSettled", intent_id="ee" * 32)),
    (
        "I8",
        "another merchant's order",
        with_("CommandParked", order=OTHERS_ORDER),
    ),
    ("I8", "another merchant's goods", with_("StockSet", coordinate=OTHERS_TEA)),
    ("I9", "an intent under another name", with_("PaymentWanted", intent_id="ee" * 32)),
    ("I9", "an intent of another revision", with_("PaymentWanted", revision=2)),
    ("I9", "a reply is missing", with_("ReplyPromised", 1, number=3)),
    ("I9", "a reply's name is used twice", with_("ReplyPromised", 1, number=1)),
    ("I9", "no journal record at all", record(3, events="none")),
    ("I9", "an event without its fields", with_("OrderQuoted", quote={})),
    ("I11", "an order nobody placed", without("OrderPlaced")),
    ("I11", "a revision is skipped", with_("OrderPlaced", revision=2)),
    ("I11", "a buyer confirms", with_("OrderMoved", actor="buyer")),
    ("I11", "an end that is none", with_("OrderMoved", 1, to="waiting")),
    ("I11", "a parcel goes nowhere", with_("ShippingMoved", to="lost")),
    ("I11", "a second quote", twice("OrderQuoted", 0)),
    ("I4", "an order goes on without its money", without("PaymentImplied")),
    ("I5", "another sum is implied", with_("PaymentImplied", amount_msat=1)),
    ("I5", "more is given back than came in", with_("RefundRecorded", amount_msat=5_000)),
    ("I5", "an order is over, and some of its money is kept", with_("RefundRecorded", 1, amount_msat=5_000)),
    ("I11", "an order on hold is told something", without("OrderReleased")),
    ("I11", "something is left unsaid about an order that is not on hold", without("OrderHeld")),
    ("I12", "an address in plain text", with_("OrderPlaced", details={"address": "a street"})),
    ("I12", "a phone beside the order", with_("OrderPlaced", phone="1")),
    ("I12", "a name in the destination", with_("OrderPlaced", destination={"country": "DE", "name": "x"})),
    ("I12", "a message in plain text", with_("MessageReceived", text="where is it?")),
    ("I12", "an answer in plain text", with_("AnswerPromised", text={"note": "soon"})),
    ("I12", "a subject beside a message", with_("MessageReceived", subject="my parcel")),
    ("I13", "forty parked messages", parked_often),
    ("I13", "a hundred and one lines", many_lines),
    ("I15", "a review counts that was never written", without("ReviewRecorded")),
    ("I15", "the merchant's own review counts", with_("ReviewJudged", 1, standing="counts")),
    ("I15", "a purchase is denied", with_("ReviewJudged", is_verified=False)),
    ("I15", "a purchase is invented", with_("ReviewJudged", 1, is_verified=True)),
    ("I15", "a rating nobody is told of", without("RatingsChanged")),
    ("I15", "a rating that is too good", rated_too_well),
]


@pytest.mark.parametrize(
    ("code", "change"), [(code, change) for code, _, change in DOCTORED], ids=[f"{c} {w}" for c, w, _ in DOCTORED]
)
def test_a_doctored_journal_breaks_the_invariant_it_should(code: str, change: Callable[[Journal], None]) -> None:
    """Each complaint names the merchant and a record and is one sentence; the code is among them."""
    doctored = journal()
    assert breaches(doctored) == []
    change(doctored)

    found = breaches(doctored)

    assert code in {breach.code for breach in found}
    assert {breach.merchant for breach in found} == {MERCHANT}
    assert all(breach.sequence > 0 and breach.sentence and "\n" not in breach.sentence for breach in found)


def test_every_invariant_of_the_journal_is_broken_by_one_of_these() -> None:
    """But for lateness, which needs a clock."""
    seen = {code for code, one in INVARIANTS.items() if one.place is Place.JOURNAL}

    assert {code for code, _, _ in DOCTORED} == seen - {"I14"}


@pytest.mark.parametrize("story", [a_sale, ten_orders, *(lambda seed=seed: a_long_history(seed) for seed in range(4))])
def test_valid_histories_break_nothing(story: Callable[[], Story]) -> None:
    """And the books come to the same goods and orders as the shop itself."""
    past = story()
    books = audited(past.journal)

    for coordinate, stock in past.shop.stock.items():
        goods = books.goods[coordinate]
        assert (goods.on_hand, goods.held) == (stock.on_hand, stock.held)
    for ref, order in past.shop.orders.items():
        assert books.order(ref) == (order.status.value, order.revision, order.replies)
    assert sum(books.statuses[MERCHANT].values()) == len(past.shop.orders)


def test_a_fault_is_named_once() -> None:
    """The books take the journal's word, so what follows on a fault is not a fault again."""
    doctored = journal()
    fact(doctored, "StockSet")["on_hand"] = 1

    found = breaches(doctored)

    assert [breach.sentence for breach in found if breach.code != "I2"] == []
    assert found[0].sequence == next(r["seq"] for r in doctored if any(e["type"] == "StockHeld" for e in r["events"]))


def test_a_sale_beyond_the_base_has_to_be_made_good() -> None:
    """The merchant lowered the base below what was promised; sold all the same, nothing is on hand, never less."""
    story = given(RecordListing(listing=a_listing("tea", "10", stock=2))).when(an_order(("tea", 2)), requested(20))
    story.when(RecordListing(listing=a_listing("tea", "10", stock=1, created_at=NOW_S)), paid(20))
    audited(story.journal)
    doctored = [as_json(one) for one in story.journal]
    without("StockSet", 2)(doctored)

    assert [str(breach) for breach in breaches(doctored)] == ["I2, record 5: tea has -1 on hand and 0 held"]


def test_finished_orders_are_not_kept_as_orders() -> None:
    """Only the open one is; of the others a status, a revision and a number of replies is left."""
    books = audited(a_sale().journal)

    assert {order.status for order in books.open_orders.values()} == {"pending"}
    assert len(books.open_orders) == 1
    statuses = [books.order(a_key(number).ref) for number in ("order-1", "2", "3", "4", "6")]
    assert [known[0] for known in statuses if known] == ["completed", "cancelled", "failed", "expired", "rejected"]
    assert books.order("00" * 16) is None


def test_a_hold_outlives_the_end_of_its_order() -> None:
    """Completed on hold and given its money back later: its buyer is still told nothing of it."""
    story = given(RecordListing(listing=a_listing("tea", "10"))).when(an_order(), held())
    story.when(moved(OrderStatus.COMPLETED), refunded(10, "operator 1"))

    books = audited(story.journal)

    assert books.order(a_key().ref) == ("refunded", 1, 0)
    doctored = [as_json(one) for one in story.journal]
    without("OrderHeld")(doctored)
    assert {breach.code for breach in breaches(doctored)} == {"I11"}


def test_a_confirmation_may_be_told_after_the_end_of_its_order() -> None:
    """What was withheld is said once its order is over; a second time is a breach."""
    story = given(RecordListing(listing=a_listing("tea", "10"))).when(an_order(), requested(10), held(), paid(10))
    story.when(moved(OrderStatus.COMPLETED, announce=False), released())

    books = audited(story.journal)

    status, _, replies = books.order(a_key().ref) or ("", 0, 0)
    assert (status, replies) == ("completed", 2)
    doctored = [as_json(one) for one in story.journal]
    again = deepcopy(doctored[-1])
    again.update(seq=again["seq"] + 1, covers=again["covers"] + 1)
    again["events"] = [{**one, "number": 3} for one in again["events"] if one["type"] == "ReplyPromised"]
    assert {breach.code for breach in breaches([*doctored, again])} == {"I4"}


def test_receipts_are_counted_by_merchant_and_day() -> None:
    """Late money as well: it was received."""
    days = audited(ten_orders().journal).receipts
    first = NOW_MS // 86_400_000

    assert days == {(MERCHANT, first): (2, 75_000), (MERCHANT, first + 1): (4, 69_000)}


def test_what_is_owed_for_two_minutes_is_late() -> None:
    """A deadline that passed without a decision, and a request that nobody made; not a minute before."""
    story = given(RecordListing(listing=a_listing("tea", "10"))).when(an_order())
    books = audited(story.journal)
    deadline_ms = story.order().deadline_ms or 0

    assert list(books.overdue(NOW_MS + 120_000)) == []
    waiting = next(books.overdue(NOW_MS + 121_000))
    assert (waiting.code, waiting.merchant) == ("I14", MERCHANT)
    assert "has waited 121 s for its payment request" in waiting.sentence
    assert "past its deadline" in next(books.overdue(deadline_ms + 121_000)).sentence


def test_a_frozen_merchant_is_late_with_nothing() -> None:
    """What waits on purpose is not late, and after the thaw it has its time anew."""
    story = given(RecordListing(listing=a_listing("tea", "10"))).when(an_order())
    story.when(FreezeMerchant(code="I2", reason="oversold", cause="I2 at 0:1"))
    books = audited(story.journal)
    assert books.frozen == {MERCHANT: "oversold"}
    assert list(books.overdue(NOW_MS + 10_000_000)) == []

    thawed_ms = NOW_MS + 10_000_000
    story.when(ThawMerchant(reason="counted", cause="operator"), at_ms=thawed_ms)
    books = audited(story.journal)

    assert books.frozen == {}
    assert list(books.overdue(thawed_ms + 100_000)) == []
    assert len(list(books.overdue(thawed_ms + 121_000))) == 1


def test_breaches_name_no_secret_and_no_person() -> None:
    """Sentences hold references, listings' names and figures; no buyer, no text of theirs, no invoice."""
    story = a_sale()
    doctored = [as_json(one) for one in story.journal]
    for _, _, change in DOCTORED[:10]:
        change(doctored)
    said = " ".join(str(breach) for breach in breaches(doctored))

    assert said
    assert BUYER not in said
    assert "lnbc" not in said


def test_a_command_is_only_seen_in_its_decision() -> None:
    """Records without events move the books' place and nothing else."""
    books = Books()

    assert books.enter({"v": 1, "seq": 1, "covers": 9, "merchant": MERCHANT, "at_ms": 1, "events": []}) == []
    assert books.sequence == 1
    assert books.checked["I1"] == 2


def test_the_books_share_no_code_with_what_they_check() -> None:
    """Nothing of the streams, and of the schemas nothing but the freeze that the watch asks for."""
    folder = Path(audit_package.__file__).parent
    imported = {
        (path.name, line.split()[1])
        for path in folder.glob("*.py")
        for line in path.read_text().splitlines()
        if line.startswith(("from schemas", "from streams", "import schemas", "import streams"))
    }

    assert {name for name, _ in imported} == {"watch.py"}
    assert {module for _, module in imported} <= {"schemas.freezes", "schemas.messages", "schemas.values"}
