"""Zaps: what a payer asks a lightning address for, and the receipt for it once it is paid (NIP-57, appendices D and E).

A receipt says that somebody paid this invoice for this request. It is no proof of payment, and none is taken for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas.nostr.coordinates import Coordinate, CoordinateRefused
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import EventRefused, UnsignedEvent, check_id, check_sig, parse_event, tag_values
from schemas.nostr.relay_urls import keep_relay_urls

ZAP_CHARS_MAX: Final = 4_096
"""Of a request's text: it stands in an address, and whole in the receipt."""


class ZapFault(StrEnum):
    """What is wrong with a zap request; the words are stable."""

    TOO_LONG = "too_long"
    UNREADABLE = "unreadable"
    KIND = "kind"
    RECIPIENT = "recipient"
    EVENT = "event"
    RELAYS = "relays"
    AMOUNT = "amount"
    COORDINATE = "coordinate"
    SENDER = "sender"


class ZapRefused(ValueError):
    """A zap request that gets no invoice."""

    def __init__(self, fault: ZapFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class ZapRequest:
    """A request that keeps to the rules: who pays, about what, and where the receipt goes."""

    sender: str
    about: tuple[tuple[str, ...], ...]
    """Its `e`, `a` and `k` tags."""
    relays: tuple[str, ...]


def read_zap(text: str, recipient: str, amount_msat: int) -> ZapRequest:
    """Read a zap request for a recipient (64 hex digits), signature and all. Raises `ZapRefused`."""
    if len(text) > ZAP_CHARS_MAX:
        raise ZapRefused(ZapFault.TOO_LONG)
    try:
        event = parse_event(text)
        check_id(event)
        check_sig(event)
    except EventRefused:
        raise ZapRefused(ZapFault.UNREADABLE) from None
    return _kept(event, recipient, amount_msat)


def receipt_tags(text: str, recipient: str, invoice: str) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """The tags of the receipt for a request that was read before, and the relays it goes to; the content is empty.

    `created_at` is to be the time of the payment, so that it is the same event however often it is made.
    """
    event = parse_event(text)
    request = _kept(event, recipient, None)
    tags = (("p", recipient), ("P", request.sender), *request.about, ("bolt11", invoice), ("description", text))
    return tags, request.relays


def _kept(event: UnsignedEvent, recipient: str, amount_msat: int | None) -> ZapRequest:
    if event.kind != Kind.ZAP_REQUEST:
        raise ZapRefused(ZapFault.KIND)
    if tag_values(event, "p") != (recipient,):
        raise ZapRefused(ZapFault.RECIPIENT)
    if len(tag_values(event, "e")) > 1:
        raise ZapRefused(ZapFault.EVENT)
    relays = keep_relay_urls(url for tag in event.tags if tag[0] == "relays" for url in tag[1:])
    if not relays:
        raise ZapRefused(ZapFault.RELAYS)
    if amount_msat is not None and any(said != str(amount_msat) for said in tag_values(event, "amount")):
        raise ZapRefused(ZapFault.AMOUNT)
    for coordinate in tag_values(event, "a"):
        try:
            Coordinate.parse(coordinate)
        except CoordinateRefused:
            raise ZapRefused(ZapFault.COORDINATE) from None
    if tag_values(event, "P") not in ((), (recipient,)):
        raise ZapRefused(ZapFault.SENDER)
    about = tuple(tag[:2] for tag in event.tags if tag[0] in ("e", "a", "k") and len(tag) > 1)
    return ZapRequest(sender=event.pubkey, about=about, relays=relays)
