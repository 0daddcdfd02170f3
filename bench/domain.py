"""How fast the domain decides, and how fast the journal is read back, without Kafka and for one core."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Values
from bench.shop import QUANTITY, RATES, Shop, a_secret
from schemas.catalogue import RecordListing, RecordShippingOption
from schemas.codec import decode, encode
from schemas.market.listing import read_listing
from schemas.market.shipping_option import read_shipping_option
from schemas.messages import Command, CommandBody, JournalRecord
from schemas.orders import OrderLine, OrderQuoted, PlaceOrder, Rate
from schemas.payments import BackendState, ObservePayment, RecordPaymentRequest, intent_id
from schemas.shops import OpenShop, ShopSettings
from schemas.values import Destination, OrderKey, Origin, SealedDetails
from services.rates.fixed import FixedRates
from streams.checkpoint import Keeper, Place
from streams.domain import shop as state
from streams.domain.decide import decide
from streams.domain.evolve import evolve

ORDERS = 10_000
IN_FLIGHT = 100
"""Orders between the placing of one and its payment, as many buyers at once make them."""
NOW_S = 1_760_000_000
NOW_MS = NOW_S * 1_000
_INVOICE = "lnbcrt305700n1" + "q" * 300
"""As long as the simulated wallet's own."""


async def measure(scale: float, report: Callable[[float], None]) -> dict[str, Values]:
    """`decisions_per_second` and `fold_records_per_second`, in processor seconds of this process, and the start."""
    shop, rates = Shop(a_secret("merchant of decisions")), FixedRates.parse(RATES).now(NOW_MS)
    opening = openings(shop)
    total_msat = price(opening, an_order(shop, "first"), rates)
    commands = orders(shop, max(IN_FLIGHT, round(ORDERS * scale)), total_msat)
    deciding = state.Shop(shop.merchant)
    journal, _ = decided(deciding, opening, rates, 0)
    records: list[bytes] = [encode(record) for record in journal]
    spent = {"decide": 0.0, "fold": 0.0}
    for start in range(0, len(commands), 1_000):
        made, seconds = decided(deciding, commands[start : start + 1_000], rates, len(records))
        spent["decide"] += seconds
        records += [encode(record) for record in made]
        report(0.5 * start / len(commands))
        await asyncio.sleep(0)
    assert len(records) == len(commands) + len(opening), "every command of the mix decides something"
    folded = state.Shop(shop.merchant)
    for start in range(0, len(records), 1_000):
        spent["fold"] += fold(folded, records[start : start + 1_000])
        report(0.5 + 0.5 * start / len(records))
        await asyncio.sleep(0)
    assert folded.orders == deciding.orders, "the fold is what was decided"
    return {
        "decisions_per_second": {"": len(commands) / spent["decide"]},
        "fold_records_per_second": {"": len(records) / spent["fold"]},
        "checkpoint_start_seconds": {"": start_from_checkpoint(folded, decode(JournalRecord, records[-1]))},
    }


def decided(
    shop: state.Shop, commands: Sequence[Command], rates: Mapping[str, Rate], seq: int
) -> tuple[list[JournalRecord], float]:
    """Decide and fold each command; gives the records and the processor seconds, the records' own left out."""
    outcomes = []
    began_s = time.process_time()
    for command in commands:
        events = decide(shop, command, rates)
        for event in events:
            evolve(shop, event, command.at_ms)
        outcomes.append(events)
    seconds = time.process_time() - began_s
    records = [
        JournalRecord(
            seq=seq + n,
            covers=seq + n - 1,
            merchant=command.merchant,
            at_ms=command.at_ms,
            cause=command.id,
            events=events,
        )
        for n, (command, events) in enumerate(zip(commands, outcomes, strict=True), start=1)
    ]
    return records, seconds


def fold(shop: state.Shop, records: Sequence[bytes]) -> float:
    """Read records as a start does; gives the processor seconds."""
    began_s = time.process_time()
    for data in records:
        record = decode(JournalRecord, data)
        for event in record.events:
            evolve(shop, event, record.at_ms)
    return time.process_time() - began_s


def start_from_checkpoint(shop: state.Shop, last: JournalRecord) -> float:
    """Seconds until a state that was saved is there again; orders that are settled are left in the file."""
    with TemporaryDirectory() as folder:
        saving = Keeper(Path(folder) / "0.db")
        saving.note(Place.of(len(shop.orders), last))
        saving.save_when_due({shop.merchant: shop}, records=1)
        saving.close()
        began_s = time.perf_counter()
        loading = Keeper(Path(folder) / "0.db")
        assert loading.place() == Place.of(len(shop.orders), last)
        assert loading.load()[shop.merchant].stock == shop.stock
        loading.close()
        return time.perf_counter() - began_s


def openings(shop: Shop) -> list[Command]:
    """A shop that trusts its few and busy buyers, and the catalogue, as commands."""
    option, listing = shop.catalogue(NOW_S - 1_000)
    return [
        a_command(shop, "open", OpenShop(settings=ShopSettings().without_limits())),
        a_command(shop, "post", RecordShippingOption(option=read_shipping_option(option))),
        a_command(shop, "mug", RecordListing(listing=read_listing(listing))),
    ]


def price(opening: Sequence[Command], order: Command, rates: Mapping[str, Rate]) -> int:
    """What an order costs, msat."""
    shop = state.Shop(order.merchant)
    records, _ = decided(shop, [*opening, order], rates, 0)
    return next(event.quote.total_msat for event in records[-1].events if isinstance(event, OrderQuoted))


def orders(shop: Shop, count: int, total_msat: int) -> list[Command]:
    """Place, request and settle, of many orders in turns."""
    mix: list[Command] = []
    for start in range(0, count, IN_FLIGHT):
        numbers = range(start, min(count, start + IN_FLIGHT))
        mix += [an_order(shop, f"order {n}") for n in numbers]
        mix += [_request(shop, f"order {n}", total_msat) for n in numbers]
        mix += [_settlement(shop, f"order {n}", total_msat) for n in numbers]
    return mix


def an_order(shop: Shop, order_id: str) -> Command:
    """A buyer's order as intake puts it."""
    key = _key(shop, order_id)
    body = PlaceOrder(
        order=key,
        dialect="gamma",
        rumor_id=a_secret(f"rumor {order_id}").reveal().hex(),
        lines=(OrderLine(coordinate=shop.product, quantity=QUANTITY),),
        shipping=shop.shipping,
        destination=Destination(country="DE"),
        details=SealedDetails(key_id=f"{key.ref}:{'0' * 16}", box="A" * 160),
        claimed_sats=30_570,
    )
    return a_command(shop, f"place {order_id}", body)


def a_command(shop: Shop, name: str, body: CommandBody) -> Command:
    """A command to the merchant, named for its cause."""
    source = a_secret(f"source {name}").reveal().hex()
    return Command(id=source[:32], merchant=shop.merchant, at_ms=NOW_MS, origin=Origin.RELAY, source=source, body=body)


def _request(shop: Shop, order_id: str, total_msat: int) -> Command:
    key = _key(shop, order_id)
    body = RecordPaymentRequest(
        order=key,
        intent_id=intent_id(key, 1),
        medium="lightning",
        text=_INVOICE,
        payment_hash=a_secret(f"hash {order_id}").reveal().hex(),
        amount_msat=total_msat,
        expires_at=NOW_S + 900,
    )
    return a_command(shop, f"request {order_id}", body)


def _settlement(shop: Shop, order_id: str, total_msat: int) -> Command:
    key = _key(shop, order_id)
    body = ObservePayment(
        order=key,
        intent_id=intent_id(key, 1),
        state=BackendState.SETTLED,
        gross_msat=total_msat,
        settled_at=NOW_S + 5,
    )
    return a_command(shop, f"settle {order_id}", body)


def _key(shop: Shop, order_id: str) -> OrderKey:
    return OrderKey(merchant=shop.merchant, buyer="b1" * 32, order_id=order_id)
