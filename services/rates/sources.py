"""Public price sources: where each is asked, and how its answer is read. Prices are units of a currency for one BTC."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

Prices = dict[str, Decimal]
"""Currency code → units for one BTC."""

PRICE_MIN, PRICE_MAX = Decimal("0.000001"), Decimal(10**15)
"""What a bitcoin may cost in any currency's units; nothing beyond is a price, whoever says it."""


class BadSources(ValueError):
    """The setting of the sources cannot be read; the message says how it is written."""


class BadAnswer(ValueError):
    """A source said something that is no table of prices."""


@dataclass(frozen=True, slots=True)
class Source:
    """One place to ask; it is asked for everything it knows at once."""

    name: str
    url: str
    read: Callable[[Any], Mapping[str, object]]

    def prices(self, body: bytes) -> Prices:
        """Every price in an answer that is one: a positive number, exactly as written. Raises `BadAnswer`."""
        try:
            table = self.read(json.loads(body, parse_float=Decimal, parse_constant=_no_number))
            found = {code.upper(): _price(said) for code, said in table.items()}
        except (ValueError, LookupError, TypeError, AttributeError, InvalidOperation, RecursionError) as error:
            raise BadAnswer(f"{self.name}: no table of prices ({type(error).__name__})") from None
        return {code: price for code, price in found.items() if price is not None and len(code) == 3}


def _no_number(_text: str) -> None:
    raise ValueError


def _price(said: object) -> Decimal | None:
    if isinstance(said, bool) or not isinstance(said, int | str | Decimal):
        return None
    price = Decimal(said)
    return price if price.is_finite() and PRICE_MIN <= price <= PRICE_MAX else None


def _coinbase(answer: Any) -> Mapping[str, object]:
    return dict(answer["data"]["rates"])


def _blockchain(answer: Any) -> Mapping[str, object]:
    return {code: said["last"] for code, said in answer.items()}


def _mempool(answer: Any) -> Mapping[str, object]:
    return {code: said for code, said in answer.items() if code != "time"}


def _yadio(answer: Any) -> Mapping[str, object]:
    return dict(answer["BTC"])


def _kraken(answer: Any) -> Mapping[str, object]:
    """Pairs are called XXBTZUSD or XBTCHF; `c` is the last trade, price first."""
    return {pair[-3:]: said["c"][0] for pair, said in answer["result"].items()}


KNOWN = {
    source.name: source
    for source in (
        Source("coinbase", "https://api.coinbase.com/v2/exchange-rates?currency=BTC", _coinbase),
        Source("blockchain", "https://blockchain.info/ticker", _blockchain),
        Source("mempool", "https://mempool.space/api/v1/prices", _mempool),
        Source("yadio", "https://api.yadio.io/exrates/BTC", _yadio),
        Source("kraken", "https://api.kraken.com/0/public/Ticker?pair=XBTUSD,XBTEUR,XBTGBP,XBTCHF,XBTCAD", _kraken),
    )
}
"""What can be named in `NCC_RATE_SOURCES`."""


def parse(text: str) -> tuple[Source, ...]:
    """Read `coinbase,kraken`, or `kraken=URL` for a mirror that answers alike. Raises `BadSources`."""
    sources: dict[str, Source] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, url = entry.partition("=")
        known = KNOWN.get(name.strip())
        if known is None:
            raise BadSources(f"there is no rate source {name.strip()!r}: {', '.join(KNOWN)}")
        if url and not url.strip().startswith(("http://", "https://")):
            raise BadSources(f"the rate source {entry!r} is not written like {name}=https://…")
        sources[known.name] = Source(known.name, url.strip() or known.url, known.read)
    if len(sources) == 1:
        raise BadSources("one rate source alone is believed by nobody: name two or more")
    return tuple(sources.values())
