"""What lies in Kafka: commands, journal records, and the other contracts, as bytes that anybody may have written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel

from schemas.codec import NotOurContract, decode, encode
from schemas.deliveries import Delivery
from schemas.merchants import Merchant, RelayCursor
from schemas.messages import Command, JournalRecord
from schemas.quarantine import Quarantined
from schemas.rows import InventoryRow, MessageRow, OrderRow, RatingRow, ReviewRow
from tests.fuzz.target import MARK, Tape, Target, with_choices

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples"
_OTHERS: tuple[type[BaseModel], ...] = (
    Delivery,
    InventoryRow,
    Merchant,
    MessageRow,
    OrderRow,
    Quarantined,
    RelayCursor,
    ReviewRow,
    RatingRow,
)


def _reader(contract: type[BaseModel]) -> Callable[[bytes], None]:
    """Bytes are this contract or refused without quoting them; what is read survives being written."""

    def read(data: bytes) -> None:
        value = decode(contract, data)
        assert decode(contract, encode(value)) == value, "a record comes back as it was written"

    return read


def read_any_other(data: bytes) -> None:
    """The same for the contracts of the smaller topics."""
    tape = Tape(data)
    _reader(_OTHERS[tape.choice(len(_OTHERS))])(tape.rest())


def _commands() -> Iterator[bytes]:
    for path in sorted((EXAMPLES / "commands").glob("*.json")):
        yield _small(path)
    yield _small(EXAMPLES / "commands" / "MoveOrder.json").replace(b'"MoveOrder"', f'"{MARK}"'.encode())
    yield _small(EXAMPLES / "commands" / "MoveOrder.json").replace(b'"relay"', f'"{MARK}"'.encode())
    yield b'{"body":' * 300 + b"1" + b"}" * 300
    yield b'{"v":1,"v":2,"at_ms":' + b"9" * 3_000 + b"}"
    yield b'{"at_ms":1e400,"id":"\\ud800","merchant":NaN}'


def _journal() -> Iterator[bytes]:
    for path in sorted((EXAMPLES / "events").glob("*.json")):
        yield _small(path)
    yield _small(EXAMPLES / "events" / "StockSet.json").replace(b'"StockSet"', f'"{MARK}"'.encode())
    yield b'{"events":[' + b"[" * 500 + b"]" * 500 + b"]}"


def _others() -> Iterator[bytes]:
    for number, contract in enumerate(_OTHERS):
        yield with_choices(_small(EXAMPLES / "others" / f"{contract.__name__}.json"), number)


def _small(path: Path) -> bytes:
    """An example without its blanks."""
    return b"".join(line.strip() for line in path.read_bytes().splitlines())


_WORDS = ('"type":"', '"v":', '"body":{', '"events":[{', '"order":{', '"at_ms":', "NaN", "Infinity", "1e999", "\\ud800")
_TYPES = tuple(f'"{path.stem}"' for folder in ("commands", "events") for path in sorted((EXAMPLES / folder).iterdir()))

TARGETS = (
    Target("command", _reader(Command), _commands, (NotOurContract,), (*_WORDS, *_TYPES), json_after=0),
    Target("journal", _reader(JournalRecord), _journal, (NotOurContract,), (*_WORDS, *_TYPES), json_after=0),
    Target("record", read_any_other, _others, (NotOurContract,), _WORDS, json_after=1),
)
