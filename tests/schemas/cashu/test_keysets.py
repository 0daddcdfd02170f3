"""Keyset ids are those of their keys; fees and amounts are reckoned exactly (NUT-02)."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.cashu.keysets import (
    Keyset,
    KeysetRefused,
    expand,
    fee_of,
    keyset_id_v1,
    keyset_id_v2,
    make_up,
    read_keyset,
)
from tests.schemas.cashu.vectors import published

VECTORS = published("nut02")


def points(keys: dict[str, str]) -> dict[int, bytes]:
    return {int(amount): bytes.fromhex(point) for amount, point in keys.items()}


@pytest.mark.parametrize("vector", VECTORS["v1"], ids=lambda one: one["id"])
def test_a_first_version_id_is_the_published_one(vector: dict[str, Any]) -> None:
    """Deprecated, and still that of much ecash."""
    assert keyset_id_v1(points(vector["keys"])) == vector["id"]


@pytest.mark.parametrize("vector", VECTORS["v2"], ids=lambda one: one["id"][:8])
def test_a_second_version_id_is_the_published_one(vector: dict[str, Any]) -> None:
    """Unit, fee and end are part of it."""
    keys = points(vector["keys"])
    assert keyset_id_v2(keys, vector["unit"], vector["fee_ppk"], vector["final_expiry"]) == vector["id"]


def said(vector: dict[str, Any], **other: Any) -> dict[str, Any]:
    """What a mint lists of a vector's keyset."""
    listed = {"id": vector["id"], "unit": "sat", "active": True, "input_fee_ppk": vector["fee_ppk"]}
    return {**listed, "final_expiry": vector["final_expiry"], **other}


def test_a_keyset_is_taken_only_under_the_id_of_its_keys() -> None:
    """A mint that lowers its fee, or swaps a key, under an id that holders trust is not believed."""
    vector = VECTORS["v2"][0]
    keyset = read_keyset(said(vector), vector["keys"])
    assert (keyset.id, keyset.fee_ppk, sorted(keyset.keys)) == (vector["id"], 100, [1, 2, 4, 8])
    swapped = {**vector["keys"], "1": vector["keys"]["2"]}
    for wrong, keys in (
        (said(vector, input_fee_ppk=0), vector["keys"]),
        (said(vector, unit="usd"), vector["keys"]),
        (said(vector), swapped),
        (said(vector, id="00" * 8), vector["keys"]),
    ):
        with pytest.raises(KeysetRefused):
            read_keyset(wrong, keys)


@pytest.mark.parametrize(
    ("listed", "keys"),
    [
        (None, {}),
        ([], {}),
        ({"id": 1, "unit": "sat", "active": True}, {"1": "02"}),
        ({"id": "00", "unit": "sat", "active": 1}, {"1": "02"}),
        ({"id": "00", "unit": "sat", "active": True, "input_fee_ppk": -1}, {"1": "02"}),
        ({"id": "00", "unit": "sat", "active": True, "input_fee_ppk": True}, {"1": "02"}),
        ({"id": "00", "unit": "sat", "active": True}, {"1": "zz"}),
        ({"id": "00", "unit": "sat", "active": True}, {"-1": "02" * 33}),
        ({"id": "00", "unit": "sat", "active": True}, {"9" * 5_000: "02" * 33}),
        ({"id": "00", "unit": "sat", "active": True}, {str(number): "02" * 33 for number in range(101)}),
    ],
)
def test_what_is_no_keyset_is_refused(listed: Any, keys: Any) -> None:
    """Whatever a mint says, it ends with a reason."""
    with pytest.raises(KeysetRefused):
        read_keyset(listed, keys)


def test_a_short_id_stands_for_the_one_keyset_that_begins_so() -> None:
    """None, or more than one, is a reason to refuse the token and not to guess."""
    one, other = "01" + "ab" * 32, "01" + "cd" * 32
    twin = one[:16] + "00" * 25
    assert expand(one[:16], {one, other}) == one
    assert expand(one, {one, twin}) == one
    assert expand("00" + "12" * 7, {"00" + "12" * 7, one}) == "00" + "12" * 7
    assert reason(one[:16], {one, twin}) is TokenFault.AMBIGUOUS_KEYSET
    assert reason(one[:16], {other}) is TokenFault.UNKNOWN_KEYSET
    assert reason(one[:10], {one}) is TokenFault.UNKNOWN_KEYSET


def reason(short: str, known: set[str]) -> TokenFault:
    with pytest.raises(TokenRefused) as refused:
        expand(short, known)
    return refused.value.reason


@pytest.mark.parametrize(("inputs", "fee"), [(0, 0), (1, 1), (3, 1), (10, 1), (11, 2), (20, 2), (21, 3)])
def test_a_fee_is_rounded_up_once_for_all_inputs(inputs: int, fee: int) -> None:
    """The NUT's own example: a tenth of a sat for each."""
    assert fee_of([100] * inputs) == fee


def test_an_amount_is_made_up_of_the_keysets_own() -> None:
    """As few as can be; what they do not make up is refused."""
    keyset = Keyset("00", "sat", True, {2**power: b"" for power in range(8)})
    assert make_up(0, keyset) == ()
    assert make_up(77, keyset) == (1, 4, 8, 64)
    assert sum(make_up(300, keyset)) == 300
    with pytest.raises(KeysetRefused):
        make_up(3, Keyset("00", "sat", True, {2: b""}))
    with pytest.raises(KeysetRefused):
        make_up(10**9, keyset)
