"""A trial order: what a stranger who orders from a shop would be answered, and how soon (C-41)."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass

from schemas.market.listing import read_listing
from schemas.market.reading import MarketRefused
from schemas.market.shipping_option import read_shipping_option
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event
from services.demo.people import Buyer, Message

COUNTRY = "DE"
ADDRESS = "Trial Order\n1 Trial Street\n{country}"


class TrialFailed(Exception):
    """The trial could not be made, or was not answered: the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was said: by whom, how long after what it answers, and in which words."""

    who: str
    what: str
    ms: float
    text: str


@dataclass(frozen=True, slots=True)
class Trial:
    """How it went. `outcome` is `asked_for_payment`, or the status that was answered instead."""

    order_id: str
    item: str
    outcome: str
    amount_sats: int | None
    steps: tuple[Step, ...]


async def try_shop(relay: str, merchant: str, item: str, country: str | None) -> Trial:
    """Order one `item` (its address) as a buyer nobody knows, and cancel before anything is paid.

    Raises `TrialFailed`.
    """
    buyer = Buyer(relay)
    try:
        await buyer.open_inbox()
        return await _order(buyer, merchant, item, country)
    finally:
        await buyer.close()


async def _order(buyer: Buyer, merchant: str, item: str, country: str | None) -> Trial:
    shipping, served = await _way_to_send(buyer, merchant, item)
    address = ADDRESS.format(country=country or served or COUNTRY) if shipping else None
    order_id, began = f"trial-{secrets.token_hex(4)}", time.perf_counter()
    await buyer.order(merchant, order_id, ((item, 1),), shipping, address)
    steps = [Step("buyer", "order", 0.0, f"one of {item}")]
    answer = await _answer(buyer, order_id, began, steps)
    if answer.tag("type") != "2":
        return Trial(order_id, item, answer.tag("status") or "", None, tuple(steps))
    began = time.perf_counter()
    await buyer.send(merchant, Kind.ORDER, (("type", "3"), ("order", order_id), ("status", "cancelled")))
    steps.append(Step("buyer", "cancel", 0.0, "nothing was paid"))
    await _answer(buyer, order_id, began, steps, "cancelled")
    return Trial(order_id, item, "asked_for_payment", int(answer.tag("amount") or 0), tuple(steps))


async def _answer(buyer: Buyer, order_id: str, began: float, steps: list[Step], status: str | None = None) -> Message:
    """The shop's next word: that status, or whichever comes first of a request and a status."""
    wanted = [("3", status)] if status else [("2", None), ("3", None)]
    waiting = [asyncio.ensure_future(buyer.wait_for(order_id, type_, said)) for type_, said in wanted]
    done, rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    try:
        message = next(iter(done)).result()
    except TimeoutError:
        raise TrialFailed("nothing was answered within a minute: `ncc doctor` looks for the reason") from None
    what = "payment request" if message.tag("type") == "2" else message.tag("status") or "status"
    steps.append(Step("shop", what, message.seen_ms - began * 1_000, message.rumor.content))
    return message


async def _way_to_send(buyer: Buyer, merchant: str, item: str) -> tuple[str | None, str | None]:
    """The listing's first shipping option, and a country it serves; none for goods that are not sent."""
    listing = await _newest(buyer, Kind.PRODUCT, item)
    if listing is None:
        raise TrialFailed(f"the relay {buyer.relay} does not have the listing {item}")
    try:
        offered = read_listing(listing).shipping
    except MarketRefused as refused:
        raise TrialFailed(f"the listing cannot be sold as it is published ({refused.reason})") from None
    if not offered:
        return None, None
    coordinate = offered[0].coordinate
    option = await _newest(buyer, Kind.SHIPPING_OPTION, coordinate)
    try:
        countries = read_shipping_option(option).countries if option else ()
    except MarketRefused:
        countries = ()
    return coordinate, next(iter(countries), None)


async def _newest(buyer: Buyer, kind: Kind, address: str) -> Event | None:
    wanted = Coordinate.parse(address)
    events = await buyer.fetch(kind, wanted.pubkey)
    return next((event for event in events if Coordinate.of(event) == wanted), None)
