"""Finding our invoices in a wallet's list: pages, interruptions, lists that move and wallets that know no offsets."""

from dataclasses import dataclass, field, replace

import pytest

from schemas.nostr.nip47_wallet import Transaction
from schemas.payments import Method
from services.payments.nwc_marks import (
    DESCRIPTION_BYTES_MAX,
    INTENT_KEY,
    OVERLAP_S,
    PAGE_SIZE,
    REFERENCE_KEY,
    Marks,
    Page,
    mark_of,
    marked_memo,
    metadata_for,
)
from services.payments.port import Intent, Reference, Retry, reference

START_S = 1_000_000


def a_reference(number: int) -> Reference:
    return reference(f"{number:064x}"[::-1])


def a_transaction(number: int, **changes: object) -> Transaction:
    """An invoice of ours, made at its number's second."""
    transaction = Transaction(
        payment_hash=f"{number:064x}",
        is_incoming=True,
        state=None,
        amount_msat=1_000,
        fees_msat=0,
        created_at=START_S + number,
        expires_at=None,
        settled_at=None,
        invoice="lnbc1",
        description="",
        metadata={REFERENCE_KEY: a_reference(number)},
        digest="",
    )
    return replace(transaction, **changes)  # type: ignore[arg-type]


@dataclass
class Wallet:
    """A list, newest last; `fails_at` breaks the call of that number."""

    entries: list[Transaction]
    page_max: int = 50
    knows_offsets: bool = True
    knows_from: bool = True
    fails_at: set[int] = field(default_factory=set)
    calls: list[tuple[int, int]] = field(default_factory=list)

    async def list_page(self, from_s: int, offset: int, limit: int) -> Page:
        self.calls.append((from_s, offset))
        if len(self.calls) in self.fails_at:
            raise Retry("the line broke")
        newest_first = [one for one in reversed(self.entries) if one.created_at >= from_s or not self.knows_from]
        first = offset if self.knows_offsets else 0
        page = tuple(newest_first[first : first + min(limit, self.page_max)])
        return Page(page, len(page))


def of(count: int) -> list[Transaction]:
    return [a_transaction(number) for number in range(count)]


@pytest.mark.parametrize("page_max", [12, PAGE_SIZE, 50])
async def test_the_oldest_of_many_is_found(page_max: int) -> None:
    """Page by page, however many the wallet gives at once."""
    marks = Marks(Wallet(of(75), page_max=page_max).list_page)
    found = await marks.find(a_reference(0), START_S)
    assert found is not None
    assert found.payment_hash == a_transaction(0).payment_hash


async def test_what_is_not_there_is_not_found_and_what_came_meanwhile_is() -> None:
    """A later question reads the newest part only."""
    wallet = Wallet(of(75))
    marks = Marks(wallet.list_page)
    assert await marks.find(a_reference(80), START_S) is None
    calls = len(wallet.calls)
    wallet.entries += [a_transaction(80)]
    assert await marks.find(a_reference(80), START_S) == a_transaction(80)
    assert {from_s for from_s, _ in wallet.calls[calls:]} == {START_S + 74 - OVERLAP_S}


async def test_an_older_question_reads_further_back() -> None:
    """Completeness is known from a second on, and asked for again before it."""
    marks = Marks(Wallet(of(75)).list_page)
    assert await marks.find(a_reference(3), START_S + 50) is None
    assert await marks.find(a_reference(3), START_S) == a_transaction(3)


async def test_an_interrupted_reading_goes_on_where_it_was() -> None:
    """A long list is read in the end, however short the time for each call, and misses nothing new."""
    wallet = Wallet(of(90), fails_at={3, 5})
    marks = Marks(wallet.list_page)
    for _ in range(2):
        with pytest.raises(Retry):
            await marks.find(a_reference(0), START_S)
        wallet.entries += [a_transaction(100 + len(wallet.entries))]
    assert await marks.find(a_reference(0), START_S) == a_transaction(0)
    assert [offset for _, offset in wallet.calls][:6] == [0, 20, 40, 40, 60, 60]
    assert await marks.find(a_reference(191), START_S) == a_transaction(191)


async def test_a_catching_up_that_broke_proves_no_absence() -> None:
    """The next question reads everything again."""
    wallet = Wallet(of(30))
    marks = Marks(wallet.list_page)
    await marks.find(a_reference(0), START_S)
    wallet.entries += [a_transaction(number) for number in range(200, 260)]
    wallet.fails_at = {len(wallet.calls) + 2}
    with pytest.raises(Retry):
        await marks.find(a_reference(201), START_S)
    assert await marks.find(a_reference(201), START_S) == a_transaction(201)


@pytest.mark.parametrize(("knows_offsets", "knows_from"), [(False, True), (True, False), (False, False)])
async def test_a_wallet_that_reads_no_parameters_is_not_asked_for_ever(knows_offsets: bool, knows_from: bool) -> None:
    """A page that repeats itself is the last, and one that is too old as well."""
    wallet = Wallet(of(60), knows_offsets=knows_offsets, knows_from=knows_from)
    assert await Marks(wallet.list_page).find(a_reference(59), START_S + 55) == a_transaction(59)
    assert len(wallet.calls) <= 3


async def test_of_two_with_one_mark_it_is_always_the_same() -> None:
    """The one marked in its description, since the other was given up for it; else the older."""
    mark = {REFERENCE_KEY: a_reference(1)}
    older, newer = a_transaction(1), a_transaction(2, metadata=mark)
    spoken = a_transaction(3, metadata={}, description=f"Mug ({a_reference(1)})")
    for entries, wanted in (([older, newer], older), ([older, newer, spoken], spoken)):
        for order in (entries, entries[::-1]):
            marks = Marks(Wallet([]).list_page)
            for one in order:
                marks.remember(one)
            assert await marks.find(a_reference(1), START_S) == wanted


def test_a_mark_is_read_from_either_place() -> None:
    """Metadata first; in a description it stands at the end, and nothing else is one."""
    ref = a_reference(1)
    assert mark_of(a_transaction(1)) == ref
    assert mark_of(a_transaction(2, metadata={}, description=f"Order 1 ({ref})")) == ref
    for description in (ref, f"({ref}) Order", f"Order ({ref}", "Order (short)", ""):
        assert mark_of(a_transaction(2, metadata={REFERENCE_KEY: 7}, description=description)) is None


def test_an_intent_marks_its_invoice_in_either_place() -> None:
    """A memo that is too long beside the mark is cut, between two letters."""
    name = "ab" * 32
    intent = Intent(name, reference(name), 1_000, "Mug", START_S, Method.BOLT11)
    assert metadata_for(intent) == {REFERENCE_KEY: intent.reference, INTENT_KEY: name}
    assert marked_memo(intent) == f"Mug ({intent.reference})"
    long = marked_memo(replace(intent, memo="☕" * 213))
    assert len(long.encode()) <= DESCRIPTION_BYTES_MAX
    assert long.endswith(f"☕ ({intent.reference})")
