"""Each source's answer as it is written, and whatever else may come instead."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.rates.sources import KNOWN, BadAnswer, BadSources, parse

ANSWERS = {
    "coinbase": b'{"data":{"currency":"BTC","rates":{"USD":"100000.125","EUR":"90000","DOGE":"7"}}}',
    "blockchain": b'{"USD":{"15m":1,"last":100000.125,"symbol":"$"},"EUR":{"last":90000}}',
    "mempool": b'{"time":1700000000,"USD":100000.125,"EUR":90000}',
    "yadio": b'{"BTC":{"USD":100000.125,"EUR":90000},"base":"BTC","timestamp":1}',
    "kraken": b'{"error":[],"result":{"XXBTZUSD":{"c":["100000.125","0.1"]},"XXBTZEUR":{"c":["90000","1"]}}}',
}


def heard(name: str, body: bytes) -> str:
    """Its prices, or what is wrong, without how."""
    try:
        return str(KNOWN[name].prices(body))
    except BadAnswer as bad:
        return str(bad).partition(" (")[0]


@pytest.mark.req("C-07")
@pytest.mark.parametrize("name", KNOWN)
def test_an_answer_is_read_to_the_last_digit(name: str) -> None:
    """No price ever passes through a binary fraction; what is no currency is left out."""
    assert KNOWN[name].prices(ANSWERS[name]) == {"USD": Decimal("100000.125"), "EUR": Decimal(90_000)}


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"null", b'{"USD":NaN}', b'{"data":{"rates":[1]}}', b"\xff", b"[" * 500_000],
)
def test_an_answer_that_is_none_says_so_or_has_no_price(name: str, body: bytes) -> None:
    """A page of another kind, half an answer, nothing at all: never another error, never a price."""
    assert heard(name, body) in ("{}", f"{name}: no table of prices")


@pytest.mark.parametrize("said", [b"0", b"-1", b'"-1"', b'"NaN"', b'"Infinity"', b"true", b"null", b"1e999999"])
def test_what_is_no_price_is_left_out(said: bytes) -> None:
    """No number, none above nothing, or none that money could be counted in."""
    assert "USD" not in heard("mempool", b'{"USD":' + said + b',"EUR":90000}')


def test_the_setting_names_known_sources_or_mirrors_of_them() -> None:
    """A mirror answers like the one it stands for."""
    one, two = parse("kraken, coinbase=http://127.0.0.1:9/x")
    assert (one, two.name, two.url) == (KNOWN["kraken"], "coinbase", "http://127.0.0.1:9/x")
    assert parse("") == ()


@pytest.mark.parametrize(
    ("text", "word"), [("kraken", "two or more"), ("mtgox,kraken", "mtgox"), ("kraken=x,coinbase", "https")]
)
def test_a_setting_that_cannot_be_used_is_refused_in_a_sentence(text: str, word: str) -> None:
    """What is wrong, and how it is written."""
    with pytest.raises(BadSources, match=word):
        parse(text)
