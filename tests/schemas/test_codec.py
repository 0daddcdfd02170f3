"""Checks contracts to bytes and back, what is refused and how, and the seam where old versions are brought up."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.codec import NotOurContract, decode, encode
from schemas.messages import Command, JournalRecord
from schemas.stock import StockHeld
from schemas.values import Price, Value
from tests.support.builders import MERCHANT, a_command, an_order


class Parcel(Value):
    """A made-up contract in its third shape: version 1 had `name`, version 2 `label` and `grams`, today `weight_mg`."""

    v: int = 3
    label: str
    weight_mg: int


def name_to_label(raw: dict[str, Any]) -> dict[str, Any]:
    """From 1 to 2: a name becomes a label, and a parcel without a weight weighs nothing."""
    return {"label": raw["name"], "grams": raw.get("grams", 0)}


def grams_to_mg(raw: dict[str, Any]) -> dict[str, Any]:
    """From 2 to 3: another unit."""
    return {"label": raw["label"], "weight_mg": raw["grams"] * 1_000}


@pytest.fixture
def seam(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up contract's two steps."""
    monkeypatch.setitem(codec.UPCASTERS, "Parcel", (name_to_label, grams_to_mg))


@pytest.mark.req("OPS-06")
@pytest.mark.usefixtures("seam")
@pytest.mark.parametrize(
    "data",
    [
        b'{"name": "x", "grams": 5}',
        b'{"v": 1, "name": "x", "grams": 5}',
        b'{"v": 2, "label": "x", "grams": 5}',
        b'{"v": 3, "label": "x", "weight_mg": 5000}',
        b'{"v": 4, "label": "x", "weight_mg": 5000, "colour": "red"}',
    ],
)
def test_every_version_decodes_to_todays_shape(data: bytes) -> None:
    """From the first, which did not say its version, to one of tomorrow, whose new fields are left out."""
    assert decode(Parcel, data) == Parcel(label="x", weight_mg=5_000)


@pytest.mark.usefixtures("seam")
def test_what_is_encoded_is_todays_shape() -> None:
    """Old bytes are read, never written."""
    again = encode(decode(Parcel, b'{"name": "x"}'))

    assert again == b'{"v":3,"label":"x","weight_mg":0}'
    assert decode(Parcel, again) == Parcel(label="x", weight_mg=0)


@pytest.mark.usefixtures("seam")
@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1]", b"1", b"\xff", b'{"v": 3}', b'{"v": 3, "label": 1, "weight_mg": "x"}']
)
def test_bytes_that_are_not_the_contract_are_named_so_behind_the_seam_too(data: bytes) -> None:
    """Never another error."""
    with pytest.raises(NotOurContract, match="cannot decode Parcel"):
        decode(Parcel, data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{",
        b'{"v": 1',
        b'{"seq": "one"}',
        b"1" * 100_000,
        b"[" * 100_000,
    ],
)
def test_bytes_that_are_no_record_are_refused_with_one_error(data: bytes) -> None:
    """A poison record is a value to the reader, not a crash."""
    with pytest.raises(NotOurContract, match="cannot decode JournalRecord"):
        decode(JournalRecord, data)


def test_an_error_names_the_field_and_not_what_was_in_it() -> None:
    """Personal text may be where it does not belong."""
    command = encode(a_command(an_order())).replace(b'"claimed_sats":null', b'"claimed_sats":"1 Main Street"')

    with pytest.raises(NotOurContract) as caught:
        decode(Command, command)

    assert "claimed_sats" in str(caught.value)
    assert "Main Street" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_unknown_event_is_refused() -> None:
    """The unions are closed: a reader that does not know a fact must stop, not skip."""
    record = JournalRecord(seq=1, covers=0, merchant=MERCHANT, at_ms=0, cause="x", events=())
    data = encode(record).replace(b'"events":[]', b'"events":[{"type":"MoonLanded"}]')

    with pytest.raises(NotOurContract):
        decode(JournalRecord, data)


def test_fields_a_newer_version_added_are_left_out() -> None:
    """Mixed versions run side by side."""
    data = encode(a_command(an_order())).replace(b'{"v":1', b'{"v":1,"mood":"good"', 1)

    assert decode(Command, data) == a_command(an_order())


def test_defaults_are_written_too() -> None:
    """A record explains itself without the code that made it."""
    assert b'"warnings":[]' in encode(a_command(an_order()))
    assert encode(Price(amount=Decimal("1"), currency="USD")) == b'{"amount":"1","currency":"USD","frequency":null}'


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.decimals(min_value=0, allow_nan=False, allow_infinity=False))
def test_decimals_survive_to_the_last_digit(amount: Decimal) -> None:
    """Money is text on the wire, never a float."""
    price = Price(amount=amount, currency="USD")

    back = decode(Price, encode(price))

    assert back.amount.as_tuple() == amount.as_tuple()


@pytest.mark.parametrize("amount", [b'"NaN"', b'"Infinity"', b'"-1"', b"null", b'"1,5"'])
def test_money_that_is_none_is_refused(amount: bytes) -> None:
    """Neither endless nor negative nor missing."""
    with pytest.raises(NotOurContract):
        decode(Price, b'{"amount":' + amount + b',"currency":"USD"}')


def test_values_are_frozen() -> None:
    """What was said cannot be unsaid."""
    price = Price(amount=Decimal(1), currency="USD")

    with pytest.raises(ValueError, match="frozen"):
        price.currency = "EUR"  # type: ignore[misc]


def test_a_command_is_no_record_and_no_other_contract() -> None:
    """Types do not pass for one another because some fields fit."""
    with pytest.raises(NotOurContract):
        decode(JournalRecord, encode(a_command(an_order())))
    with pytest.raises(NotOurContract):
        decode(StockHeld, encode(a_command(an_order()).body))


def test_an_unknown_type_is_refused_without_repeating_it() -> None:
    """The type is a stranger's word too: the message names the place, and none of what stands there."""
    data = encode(a_command(an_order())).replace(b'"PlaceOrder"', b'"nsec1verysecret"')

    with pytest.raises(NotOurContract, match=r"^cannot decode Command: body: its type is unknown$"):
        decode(Command, data)


@pytest.mark.usefixtures("seam")
@pytest.mark.parametrize(
    "data",
    [
        b'{"grams": 5}',
        b'{"v": 2, "label": "x"}',
        b'{"v": 2, "label": "x", "grams": {}}',
        b'{"v": 2, "label": "x", "grams": null}',
    ],
)
def test_a_record_that_is_not_of_the_version_it_says_is_refused(data: bytes) -> None:
    """A step to the next version trusts what its version wrote; what it cannot take is no record of ours."""
    with pytest.raises(NotOurContract):
        decode(Parcel, data)
