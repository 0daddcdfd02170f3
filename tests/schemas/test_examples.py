"""Checks that every example ever published still decodes, folds, and says the same when it is encoded again."""

import json
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from schemas.codec import decode, encode
from schemas.deliveries import Delivery, Owed
from schemas.merchants import Merchant, RelayCursor
from schemas.messages import Command, CommandBody, Event, JournalRecord
from schemas.quarantine import Quarantined
from schemas.rows import InventoryRow, MessageRow, OfferRow, OrderRow, RatingRow, ReviewRow
from streams.domain.evolve import evolve
from streams.domain.shop import Shop
from tools.make_examples import examples, write_missing

FOLDER = Path(__file__).parent.parent.parent / "schemas" / "examples"

OTHERS: tuple[type[BaseModel], ...] = (
    Merchant,
    RelayCursor,
    Quarantined,
    Delivery,
    Owed,
    OrderRow,
    InventoryRow,
    OfferRow,
    ReviewRow,
    RatingRow,
    MessageRow,
)


def members(union: object) -> set[str]:
    """The names of a tagged union's contracts."""
    tagged, _ = get_args(union)
    return {contract.__name__ for contract in get_args(tagged)}


def names(folder: str) -> set[str]:
    """The contracts that have at least one example: `Name.json`, or `Name.v1.json` for a former shape."""
    return {path.name.split(".")[0] for path in (FOLDER / folder).glob("*.json")}


def files(folder: str) -> list[Path]:
    """The examples of one kind."""
    return sorted((FOLDER / folder).glob("*.json"))


def says_the_same(contract: type[BaseModel], path: Path) -> BaseModel:
    """Decode the file, encode it again, and compare what both mean; fields added since have their default."""
    text = path.read_bytes()
    value = decode(contract, text)
    again = encode(value)
    assert decode(contract, again) == value
    assert contains(json.loads(again), json.loads(text)), f"{path.name} lost something"
    return value


def contains(new: object, old: object) -> bool:
    """Whether everything the old document says is in the new one."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(k in new and contains(new[k], v) for k, v in old.items())
    if isinstance(old, list):
        return isinstance(new, list) and len(new) == len(old) and all(map(contains, new, old))
    return new == old


def test_every_contract_has_an_example() -> None:
    """A new command, event or row comes with one (`python -m tools.make_examples`)."""
    assert names("commands") == members(CommandBody)
    assert names("events") == members(Event)
    assert names("others") == {contract.__name__ for contract in OTHERS}


@pytest.mark.req("OPS-06")
@pytest.mark.parametrize("path", files("commands"), ids=lambda path: path.stem)
def test_a_published_command_still_decodes(path: Path) -> None:
    """As the whole message that lies on the topic."""
    command = says_the_same(Command, path)

    assert isinstance(command, Command)
    assert command.body.type == path.name.split(".")[0]


@pytest.mark.req("OPS-06")
@pytest.mark.parametrize("path", files("events"), ids=lambda path: path.stem)
def test_a_published_event_still_decodes_and_folds(path: Path) -> None:
    """On its own, without the history it had: folding never fails."""
    record = says_the_same(JournalRecord, path)

    assert isinstance(record, JournalRecord)
    assert [event.type for event in record.events] == [path.name.split(".")[0]]
    for event in record.events:
        evolve(Shop(record.merchant), event, record.at_ms)


@pytest.mark.req("OPS-06")
@pytest.mark.parametrize("path", files("others"), ids=lambda path: path.stem)
def test_a_published_row_still_decodes(path: Path) -> None:
    """Configuration, quarantine, deliveries and state rows."""
    contract = {c.__name__: c for c in OTHERS}[path.name.split(".")[0]]

    says_the_same(contract, path)


def test_the_tool_writes_what_is_missing_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    """An example that is there is the contract, even where today's code would write another."""
    kept = tmp_path / "events" / "StockHeld.json"
    kept.parent.mkdir()
    kept.write_text("old")

    written = write_missing(tmp_path, examples())

    assert kept.read_text() == "old"
    assert len(written) == len(list(examples())) - 1
    assert write_missing(tmp_path, examples()) == []
