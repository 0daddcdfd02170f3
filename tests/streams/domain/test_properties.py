"""Laws that hold for every value a contract allows: bytes and back, folding, deciding, prices and stock."""

from __future__ import annotations

import random
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from schemas.catalogue import RecordListing, RecordShippingOption
from schemas.codec import UPCASTERS, decode, encode
from schemas.deliveries import Delivery
from schemas.merchants import Merchant, RelayCursor
from schemas.messages import Command, CommandBody, Event, JournalRecord
from schemas.orders import Charge, OrderQuoted, Quote, Rate
from schemas.payments import PaymentRequested, PaymentSettled, PaymentWanted
from schemas.quarantine import Quarantined
from schemas.rows import InventoryRow, MessageRow, OfferRow, OrderRow, RatingRow, ReviewRow, Row
from schemas.shops import OpenShop, ShopSettings
from streams.domain.decide import decide
from streams.domain.money import BITCOIN_UNITS, total_msat
from streams.domain.projections import RowKey, fold
from streams.domain.shop import Stock
from tests.support import generated, laws
from tests.support.builders import MERCHANT, NOW_MS, a_command, a_listing, a_rate, an_option, an_order, post, product
from tests.support.steps import paid, requested
from tests.support.story import Story

OTHERS: tuple[type[BaseModel], ...] = (
    Merchant,
    RelayCursor,
    Quarantined,
    Delivery,
    OrderRow,
    InventoryRow,
    OfferRow,
    ReviewRow,
    RatingRow,
    MessageRow,
)
STEADY = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
WIDE = settings(STEADY, max_examples=80)


# Bytes and back


@pytest.mark.req("OPS-06")
@pytest.mark.parametrize("contract", generated.members(CommandBody), ids=lambda c: c.__name__)
def test_any_command_is_the_same_after_the_journey_through_bytes(contract: type[BaseModel]) -> None:
    """Whatever its fields allow, and byte for byte the same when it is written again."""

    @STEADY
    @given(generated.of_contract(contract))
    def holds(body: CommandBody) -> None:
        command = a_command(body)
        data = encode(command)
        assert decode(Command, data) == command
        assert encode(decode(Command, data)) == data

    holds()


@pytest.mark.req("OPS-06")
@pytest.mark.parametrize("contract", generated.members(Event), ids=lambda c: c.__name__)
def test_any_fact_is_the_same_after_the_journey_through_bytes_and_folds(contract: type[BaseModel]) -> None:
    """On a shop that knows nothing of what it is about, too."""

    @STEADY
    @given(generated.records(contract))
    def holds(record: JournalRecord) -> None:
        data = encode(record)
        assert decode(JournalRecord, data) == record
        assert encode(decode(JournalRecord, data)) == data
        laws.fold_never_fails(MERCHANT, record.events, record.at_ms)

    holds()


@pytest.mark.req("OPS-06")
@pytest.mark.parametrize("contract", OTHERS, ids=lambda c: c.__name__)
def test_any_other_record_is_the_same_after_the_journey_through_bytes(contract: type[BaseModel]) -> None:
    """Configuration, quarantine, deliveries, rows."""

    @STEADY
    @given(generated.of_contract(contract))
    def holds(value: BaseModel) -> None:
        assert decode(contract, encode(value)) == value

    holds()


def test_every_upcaster_belongs_to_a_contract_and_leaves_todays_shape_alone() -> None:
    """A step that ran twice, or on the newest version, would change what was said."""
    known: tuple[type[BaseModel], ...] = (Command, JournalRecord, *OTHERS)
    assert UPCASTERS.keys() <= {contract.__name__ for contract in known}
    for contract in known:
        if contract.__name__ in UPCASTERS:
            value = generated.of_contract(contract).example()
            assert decode(contract, encode(value)) == value


# Folding and deciding


@WIDE
@given(st.lists(generated.events(), max_size=12), st.integers(0, 2**42), st.randoms(use_true_random=False))
def test_folding_never_fails_whatever_was_said_in_whatever_order(
    facts: list[Event], at_ms: int, shuffled: random.Random
) -> None:
    """Gaps, repeats and strangers' facts included; and the same facts make the same shop."""
    first = laws.fold_never_fails(MERCHANT, facts, at_ms)
    assert laws.fold_never_fails(MERCHANT, facts, at_ms) == first
    mixed = [*facts, *facts]
    shuffled.shuffle(mixed)
    laws.fold_never_fails(MERCHANT, mixed, at_ms)


@WIDE
@given(st.lists(generated.bodies(), min_size=1, max_size=8), st.integers(NOW_MS, NOW_MS + 10**10))
def test_deciding_never_fails_and_obeys_the_laws_whatever_is_asked(bodies: list[CommandBody], at_ms: int) -> None:
    """Any command to any shop: decided, folded, written, and nothing more when it comes again."""
    story = Story()
    for number, body in enumerate(bodies):
        story.when(a_command(body, at_ms + number))


@WIDE
@given(st.lists(generated.records(), max_size=6))
def test_rows_are_the_same_whenever_the_views_were_started_anew(records: list[JournalRecord]) -> None:
    """Records seen again change nothing, wherever a crash took the views back to."""
    numbered = [r.model_copy(update={"seq": n + 1, "merchant": MERCHANT}) for n, r in enumerate(records)]
    once: dict[RowKey, Row] = {}
    for record in numbered:
        once |= fold(record, 0, once.get)
    for back in range(len(numbered) + 1):
        again: dict[RowKey, Row] = {}
        for record in (*numbered[:back], *numbered[: max(0, back - 2)], *numbered):
            again |= fold(record, 0, again.get)
        assert {key: encode(row) for key, row in again.items()} == {key: encode(row) for key, row in once.items()}


# Prices


AMOUNTS = st.decimals(0, 10**6, allow_nan=False, places=4)
CURRENCIES = st.sampled_from(["SATS", "BTC", "MSAT", "USD", "EUR"])
MONEY = {**a_rate("USD", "1017.3331"), **a_rate("EUR", "1100.7")}


def priced(*lines: tuple[str, int], story: Story) -> Quote | None:
    """What an order of these would be quoted, by a shop that takes any; None where it is turned down."""
    order = an_order(*lines, country="DE")
    found = [e for e in decide(story.shop, a_command(order), story.rates) if isinstance(e, OrderQuoted)]
    return found[0].quote if found else None


def market(*prices: tuple[Decimal, str]) -> Story:
    """A shop with a thing at each price, heavy and sent by post, that takes orders of any size."""
    story = Story(MONEY)
    story.when(OpenShop(settings=ShopSettings(order_sats_max=10**18)))
    story.when(RecordShippingOption(option=an_option(price="4.99", currency="EUR", per_kg="0.7")))
    for number, (amount, currency) in enumerate(prices):
        thing = a_listing(f"d{number}", str(amount), currency, weight_g="333", shipping=((post(), "0.17"),))
        story.when(RecordListing(listing=thing))
    return story


PRICES = st.lists(st.tuples(AMOUNTS, CURRENCIES), min_size=1, max_size=4)


@STEADY
@given(PRICES, st.integers(1, 9_999))
def test_more_of_a_thing_never_costs_less(prices: list[tuple[Decimal, str]], quantity: int) -> None:
    """Goods, extras and weight only grow."""
    story = market(*prices)

    less, more = (priced(("d0", count), story=story) for count in (quantity, quantity + 1))

    assert less is not None
    assert more is not None
    assert less.total_msat <= more.total_msat


@STEADY
@given(PRICES, st.data())
def test_neither_the_order_of_lines_nor_splitting_them_changes_the_total(
    prices: list[tuple[Decimal, str]], data: st.DataObject
) -> None:
    """Two lines of one and two are three."""
    story = market(*prices)
    quantities = [data.draw(st.integers(2, 50)) for _ in prices]
    lines = [(f"d{n}", quantity) for n, quantity in enumerate(quantities)]
    split = [line for d, quantity in lines for line in ((d, 1), (d, quantity - 1))]
    whole = priced(*lines, story=story)

    assert whole is not None
    for other in (data.draw(st.permutations(lines)), data.draw(st.permutations(split))):
        again = priced(*other, story=story)
        assert again is not None
        assert again.total_msat == whole.total_msat


@WIDE
@given(st.lists(st.tuples(AMOUNTS, CURRENCIES), max_size=6))
def test_a_total_is_the_exact_sum_rounded_up_once_to_whole_sats(terms: list[tuple[Decimal, str]]) -> None:
    """Held against fractions, which know no rounding."""
    charges = [Charge(label="x", amount=amount, currency=currency) for amount, currency in terms]
    exact = sum(
        (
            Fraction(c.amount)
            * Fraction(MONEY[c.currency].msat_per_unit if c.currency in MONEY else BITCOIN_UNITS[c.currency])
            for c in charges
        ),
        Fraction(0),
    )

    total = total_msat(charges, MONEY.values())

    assert total % 1_000 == 0
    assert 0 <= total - exact < 1_000


@STEADY
@given(PRICES, st.integers(1, 20), st.integers(0, 5_000))
def test_every_msat_asked_for_is_the_quotes_and_every_msat_paid_is_kept(
    prices: list[tuple[Decimal, str]], quantity: int, over: int
) -> None:
    """Wanted, requested and due are one figure; what came is written down to the last one."""
    story = market(*prices)
    story.when(an_order(("d0", quantity), country="DE"))
    quote = story.order().quote
    assert quote is not None
    due_sats = quote.total_msat // 1_000

    story.when(requested(due_sats), paid(due_sats + over))

    facts = [event for record in story.journal for event in record.events]
    assert {e.amount_msat for e in facts if isinstance(e, PaymentWanted | PaymentRequested)} == {quote.total_msat}
    (settled,) = (e for e in facts if isinstance(e, PaymentSettled))
    assert (settled.gross_msat, settled.due_msat) == (quote.total_msat + over * 1_000, quote.total_msat)


@WIDE
@given(st.decimals(0, 10**12, places=6), st.decimals("0.000001", 10**9, places=6))
def test_a_rate_times_an_amount_loses_nothing(amount: Decimal, per_unit: Decimal) -> None:
    """One rounding up, at the very end."""
    rate = Rate(currency="XAU", msat_per_unit=per_unit, source="test", as_of_ms=NOW_MS)

    total = total_msat([Charge(label="x", amount=amount, currency="XAU")], [rate])

    sats = (Fraction(amount) * Fraction(per_unit)) / 1_000
    assert total == -(-sats.numerator // sats.denominator) * 1_000
    assert Decimal(total) >= (amount * per_unit).to_integral_value(ROUND_CEILING) - 1_000


# Stock


@WIDE
@given(st.one_of(st.none(), st.integers(-5, 50)), st.integers(0, 60), st.integers(0, 60))
def test_what_is_available_is_never_negative_nor_more_than_is_there(
    on_hand: int | None, held: int, released: int
) -> None:
    """However low the merchant sets the base while things are promised."""
    available = Stock(on_hand, held).available_with(min(released, held))

    assert (available is None) == (on_hand is None)
    if available is not None and on_hand is not None:
        assert 0 <= available <= max(0, on_hand)


@STEADY
@given(st.integers(0, 12), st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=12))
def test_promised_sold_and_left_make_what_there_was(stock: int, wishes: list[tuple[int, bool]]) -> None:
    """Any buyers, any quantities, paid or not: nothing appears and nothing disappears."""
    story = Story()
    story.when(RecordListing(listing=a_listing("tea", "10", stock=stock)))
    sold = 0
    for number, (quantity, pays) in enumerate(wishes):
        order = an_order(("tea", quantity), rumor=f"r{number}")
        order = order.model_copy(update={"order": order.order.model_copy(update={"buyer": f"{number:064x}"})})
        story.when(order)
        taken = any(isinstance(event, OrderQuoted) for event in story.events)
        if taken and pays:
            story.when(requested(10 * quantity, order.order), paid(10 * quantity, order.order))
            sold += quantity

    left = story.shop.stock[product()]
    assert left.on_hand is not None
    assert left.on_hand + sold == stock
    assert left.held == sum(line.quantity for o in story.shop.orders.values() for line in o.held)
    assert 0 <= left.held <= left.on_hand


def test_every_kind_of_command_is_generated() -> None:
    """Every kind of command there is comes out of the generator, or what it is used for says less than it seems."""
    seen: set[str] = set()
    missing = {contract.__name__ for contract in generated.members(CommandBody)}
    for number in range(8):  # what one search gives depends on what else was imported

        @seed(number)
        @settings(STEADY, max_examples=500)
        @given(generated.bodies())
        def look(body: CommandBody) -> None:
            seen.add(body.type)

        look()
        if not missing - seen:
            break
    assert missing == seen
