"""Writes and reads what a payer is asked for on the chain (BIP-21): an address, whole sats, and some words."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from urllib.parse import parse_qsl, quote

SATS_PER_BTC: Final = 100_000_000
SCHEME: Final = "bitcoin:"
TEXT_MAX: Final = 2_000
SATS_MAX: Final = 21_000_000 * SATS_PER_BTC
_BECH32: Final = ("bc1", "tb1", "bcrt1")


class UriRefused(ValueError):
    """A text that is no such request; the message says why, and is for a person."""


@dataclass(frozen=True, slots=True)
class ChainRequest:
    """What is asked for; `amount_sats` is None where the payer may choose."""

    address: str
    amount_sats: int | None = None
    label: str = ""


def write(request: ChainRequest) -> str:
    """The text, with the amount in bitcoin as BIP-21 has it, exactly and without zeros at its end."""
    fields = []
    if request.amount_sats is not None:
        whole, part = divmod(request.amount_sats, SATS_PER_BTC)
        fields.append(f"amount={whole}.{part:08d}".rstrip("0").rstrip("."))
    if request.label:
        fields.append(f"label={quote(request.label, safe='')}")
    return f"{SCHEME}{request.address}" + (f"?{'&'.join(fields)}" if fields else "")


def read(text: str) -> ChainRequest:
    """Read a text; whether its address is one is not looked at. Raises `UriRefused`."""
    if len(text) > TEXT_MAX or text[: len(SCHEME)].lower() != SCHEME:
        raise UriRefused("it does not begin with bitcoin:, or is too long")
    address, _, query = text[len(SCHEME) :].partition("?")
    if not (address.isascii() and address.isalnum()):
        raise UriRefused("it names no address")
    fields = parse_qsl(query, keep_blank_values=True)
    names = [name.lower() for name, _ in fields]
    if any(name.startswith("req-") for name in names) or len(set(names)) < len(names):
        raise UriRefused("it requires something that is not known here, or says a thing twice")
    known = dict(zip(names, (value for _, value in fields), strict=True))
    amount = known.get("amount")
    return ChainRequest(canonical(address), None if amount is None else _sats(amount), known.get("label", ""))


def canonical(address: str) -> str:
    """An address as it is recognised again: that of a segwit script may be written in either case (BIP-173)."""
    return address.lower() if address.lower().startswith(_BECH32) else address


def address_in(text: str) -> str:
    """The address of a request, or of a text that is nothing but one."""
    is_uri = text[: len(SCHEME)].lower() == SCHEME
    return canonical(text[len(SCHEME) :].partition("?")[0] if is_uri else text)


def _sats(amount: str) -> int:
    """Whole sats of an amount in bitcoin; nothing is rounded."""
    whole, _, part = amount.partition(".")
    is_number = amount.isascii() and (whole + part).isdigit() and len(whole) <= 8
    if not is_number or len(part.rstrip("0")) > 8:
        raise UriRefused("its amount is no number of whole sats")
    sats = int(Decimal(amount) * SATS_PER_BTC)
    if not 0 < sats <= SATS_MAX:
        raise UriRefused("its amount is nothing, or more than there is")
    return sats
