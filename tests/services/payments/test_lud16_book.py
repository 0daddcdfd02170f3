"""The book of a lightning address: what is recorded once, found again, and counted as it is seen settled."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.payments.lud16_book import Book, Row
from services.payments.port import Retry


def a_row(number: int, **changes: object) -> Row:
    """A request, open and told about."""
    row = Row(
        payment_hash=f"{number:064x}",
        reference=f"reference-{number}",
        intent_id=f"intent-{number}",
        amount_msat=1_000,
        text=f"lnbc{number}",
        verify="https://x.example/v",
        created_at=100 + number,
        expires_at=1_000 + number,
    )
    return row._replace(**changes)  # type: ignore[arg-type]


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    book = Book(tmp_path / "folder" / "book.sqlite")
    yield book
    book.close()


def test_a_request_is_recorded_once(book: Book) -> None:
    """Neither its reference nor its payment hash can stand for another."""
    assert book.record(a_row(1))
    assert not book.record(a_row(1))
    assert not book.record(a_row(2, reference="reference-1"))
    assert not book.record(a_row(2, payment_hash=a_row(1).payment_hash))
    assert book.of_reference("reference-1") == book.of_hash(a_row(1).payment_hash) == a_row(1)
    assert book.of_reference("reference-2") is None


def test_settlements_are_counted_in_the_order_they_are_seen(book: Book) -> None:
    """The first word counts; a repeat changes nothing."""
    for number in range(4):
        book.record(a_row(number))
    for number, second in ((2, 50), (0, 60), (2, 70)):
        book.settle(a_row(number).payment_hash, second, f"digest-{second}")
    settled = book.settled_after(0, 10)
    assert [(row.reference, row.settle_index, row.settled_at) for row in settled] == [
        ("reference-2", 1, 50),
        ("reference-0", 2, 60),
    ]
    assert book.settled_after(1, 10) == settled[1:]
    assert book.settled_after(0, 1) == settled[:1]


def test_only_what_can_still_be_paid_and_asked_about_is_open(book: Book) -> None:
    """Not the settled, not the long expired, not those of a service that tells nothing; the newest first."""
    for row in (a_row(1), a_row(2), a_row(3, verify=None), a_row(4, expires_at=10), a_row(5)):
        book.record(row)
    book.settle(a_row(2).payment_hash, 50, "")
    assert [row.reference for row in book.unsettled(10, 10)] == ["reference-5", "reference-1"]
    assert len(book.unsettled(10, 1)) == 1


def test_the_newest_request_tells_whether_the_service_does(book: Book) -> None:
    """Nobody knows before the first."""
    assert book.tells_state() is None
    book.record(a_row(1))
    assert book.tells_state() is True
    book.record(a_row(2, verify=None))
    assert book.tells_state() is False


def test_a_book_is_read_again_after_a_restart(tmp_path: Path) -> None:
    """By two processes at once if need be."""
    first, second = Book(tmp_path / "book.sqlite"), Book(tmp_path / "book.sqlite")
    first.record(a_row(1))
    assert second.of_reference("reference-1") == a_row(1)
    first.close()
    second.close()
    again = Book(tmp_path / "book.sqlite")
    assert again.of_reference("reference-1") == a_row(1)
    again.close()


def test_a_file_that_is_no_book_is_said_to_be(tmp_path: Path) -> None:
    """As an error of the port, not of SQLite."""
    (tmp_path / "book.sqlite").write_bytes(b"hello" * 1_000)
    with pytest.raises(Retry, match="book"):
        Book(tmp_path / "book.sqlite")
