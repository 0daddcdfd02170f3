"""Tries what is read out of a Core Lightning rune."""

from __future__ import annotations

import pytest

from services.payments.cln_rune import NEEDS, SPENDS, BadRune, read_rune
from tests.support.scripted_cln import MASTER, RUNE, a_rune

READONLY = (
    "0VIVf0M4jMlGNIwNM3sTpBextINe4_VBGZnBMM82kR49MCZtZXRob2RebGlzdHxtZXRob2ReZ2V0fG1ldGhvZD1zdW1tYXJ5Jm1ldGhvZC9saXN0"
    "ZGF0YXN0b3Jl"
)


def test_a_rune_without_restrictions_may_do_everything() -> None:
    """Its own number is no restriction."""
    assert read_rune(MASTER).may == (*NEEDS, *SPENDS)
    assert read_rune(MASTER).may_spend


@pytest.mark.parametrize(
    ("restrictions", "may", "lacks"),
    [
        (["method=invoice|method=listinvoices|method=waitanyinvoice"], NEEDS, ()),
        (["method=invoice"], ("invoice",), NEEDS[1:]),
        (["method^list|method=invoice", "method/invoice"], ("listinvoices",), ("invoice", "waitanyinvoice")),
        (["method$invoice"], ("invoice", "waitanyinvoice"), ("listinvoices",)),
        (["method~voice", "time<1"], NEEDS, ()),
        (["method=pay|pnamelabel=x\\|y\\&z", "method~a"], ("waitanyinvoice", *SPENDS), NEEDS[:2]),
        (["method!"], (), NEEDS),
        (["method{b"], (), NEEDS),
    ],
)
def test_restrictions_are_read_as_lightningd_reads_them(
    restrictions: list[str], may: tuple[str, ...], lacks: tuple[str, ...]
) -> None:
    """All of them must hold, each by one of its alternatives; what does not speak of methods may hold."""
    rune = read_rune(a_rune(*restrictions))
    assert set(rune.may) == {one for one in may if rune.may_call(one)}
    assert rune.lacks == lacks


def test_the_published_rune_for_reading_is_read() -> None:
    """The example of `lightning-createrune`: lists and summaries, but not `listdatastore`."""
    rune = read_rune(READONLY)
    assert (rune.may, rune.lacks) == (("listinvoices",), ("invoice", "waitanyinvoice"))
    allowed = [one for one in ("listpeers", "getinfo", "summary", "listdatastore", "help") if rune.may_call(one)]
    assert allowed == ["listpeers", "getinfo", "summary"]


@pytest.mark.parametrize("text", ["", "abc", "not a rune!", "é" * 60, RUNE[:20]])
def test_what_is_no_rune_is_refused(text: str) -> None:
    """Whatever it is."""
    with pytest.raises(BadRune):
        read_rune(text)
