"""What price sources answer, and the rates that follow."""

from __future__ import annotations

from collections.abc import Iterator

from services.rates.board import Board
from services.rates.sources import KNOWN, BadAnswer
from tests.fuzz.target import Target

NOW_MS = 1_700_000_000_000
APART = b"\0"


def believe_any_answers(data: bytes) -> None:
    """Every source says something; whatever it is, no rate comes of it that money cannot be counted in."""
    board, refused = Board(), None
    for at_ms in (NOW_MS, NOW_MS + 30_000):
        for source, body in zip(KNOWN.values(), data.split(APART), strict=False):
            try:
                board.hear(source.name, at_ms, source.prices(body))
            except BadAnswer as bad:
                refused = bad
        for rate in board.look(at_ms).values():
            assert 0 < rate.msat_per_unit < 10**18, "a rate is a positive number of msat"
    if refused is not None:
        raise refused


def _answers() -> Iterator[bytes]:
    said = (
        b'{"data":{"rates":{"USD":"100000.1","EUR":"90000"}}}',
        b'{"USD":{"last":100000.1},"EUR":{"last":90000}}',
        b'{"time":1,"USD":100000.1,"EUR":90000}',
        b'{"BTC":{"USD":100000.1,"EUR":90000}}',
        b'{"result":{"XXBTZUSD":{"c":["100000.1","1"]},"XXBTZEUR":{"c":["90000","1"]}}}',
    )
    yield APART.join(said)
    yield APART.join(said).replace(b"100000.1", b"1e999999")
    yield APART.join(said).replace(b"100000.1", b"-0")
    yield APART.join(said[::-1])
    yield b"[" * 4_000
    yield said[2] + APART + APART + said[2] + APART + said[3].replace(b"100000.1", b"1000")
    yield APART.join(said).replace(b"100000.1", b"1e15")
    yield APART.join(said).replace(b"100000.1", b"NaN")


TARGETS = (
    Target("rates", believe_any_answers, _answers, (BadAnswer,), ('"USD":', '"last":', '"c":[', "1e", "NaN"), False),
)
