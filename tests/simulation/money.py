"""A million payments through the domain alone: `python -m tests.simulation.money --payments 1000000`.

Each shop takes some forty orders and whatever a wallet can say of money: whole, short, over, in parts, twice, late,
taken back, over the shop's own address, seen again and seen as it was. A third of the shops are paid on the chain,
where money is on its way first, a third by tokens that are handed in, of which a mint takes some. A till outside
counts what came; two bookkeepers that know nothing of the domain's code read every fact, and at the end all three
agree (I3, I4, I5).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from random import Random

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from schemas.addresses import (
    AskInvoice,
    AssignPayment,
    ClosePayment,
    Closing,
    InvoiceWanted,
    ObserveInvoice,
    RecordInvoice,
)
from schemas.cashu.faults import TokenFault
from schemas.catalogue import RecordListing
from schemas.ecash import HandInToken, RecordTokenRefusal
from schemas.lnurl_served import description_hash, metadata, shop_memo
from schemas.messages import CommandBody, Event, JournalRecord
from schemas.orders import OrderLine, OrderStatus, ReachDeadline
from schemas.payments import (
    MEDIUM,
    BackendState,
    Method,
    ObservePayment,
    ObserveReversal,
    PaymentWanted,
    RecordPaymentRequest,
    WaivePayment,
    request_digest,
)
from schemas.payouts import PayoutApproved
from schemas.refunds import RecordRefund
from schemas.reinstatement import ReinstateOrder
from schemas.shops import OpenShop, ShopSettings
from schemas.values import Actor, OrderKey, SealedDetails
from services.audit.books import Books
from streams.domain.decide import decide
from streams.domain.evolve import evolve
from streams.domain.shop import Shop
from tests.simulation.payouts import Payouts
from tests.support.auditor import Auditor
from tests.support.books import as_json
from tests.support.builders import MERCHANT, NOW_MS, a_command, a_key, a_listing, an_id, an_order, product
from tests.support.steps import cancelled, moved, receipt

ORDERS = 40
DEEDS = 480
ADDRESS = "shop@shop.example"
BOX = SealedDetails(key_id="token", box="c2VhbGVk")
SAID = description_hash(metadata(ADDRESS, shop_memo(ADDRESS)))
MONEY = ("PaymentSettled", "PaymentPartReceived", "PaymentReversed", "AddressPaid", "AddressReversed")


class Till:
    """What is outside: each request with what it has received, and the shop that hears of it."""

    def __init__(self, seed: int) -> None:
        self.dice, self.seed = Random(seed), seed
        self.method = (Method.CASHU, Method.BITCOIN, Method.BOLT11)[seed % 3]
        self.shop, self.auditor, self.books = Shop(MERCHANT), Auditor(), Books()
        self.at_ms, self.names = NOW_MS, count(1)
        self.records = 0
        self.counted: Counter[str] = Counter()
        self.held: dict[str, int] = {}
        self.asked: dict[str, int] = {}
        self.order_of: dict[str, OrderKey] = {}
        self.calls: set[str] = set()
        self.gone: set[str] = set()
        self.keys: list[OrderKey] = []
        self.tokens: list[str] = []
        self.payouts = Payouts(self.dice, self.shop, self.say, lambda: an_id(f"payout {seed} {next(self.names)}"))

    def say(self, body: CommandBody, times: int = 1) -> None:
        """Decide, fold, and have both bookkeepers read it; said again, it is nothing."""
        command = a_command(body, self.at_ms)
        for _ in range(times):
            events = decide(self.shop, command, {})
            for event in events:
                evolve(self.shop, event, command.at_ms)
                self.counted[event.type] += 1
            if events:
                self._read(events)

    def _read(self, events: tuple[Event, ...]) -> None:
        self.auditor.read(events)
        record = JournalRecord(
            seq=self.records + 1, covers=self.records, merchant=MERCHANT, at_ms=self.at_ms, cause="c", events=events
        )
        self.records += 1
        found = list(self.books.enter(as_json(record)))
        assert not found, found
        for event in events:
            match event:
                case PaymentWanted():
                    self._make(event)
                case InvoiceWanted():
                    self._make_call(event)
                case PayoutApproved():
                    self.payouts.note(event)
                case _:
                    pass

    def _make(self, wanted: PaymentWanted) -> None:
        self.asked[wanted.intent_id], self.order_of[wanted.intent_id] = wanted.amount_msat, wanted.order
        self.say(
            RecordPaymentRequest(
                order=wanted.order,
                intent_id=wanted.intent_id,
                medium=MEDIUM[self.method],
                text=self._text(wanted.intent_id),
                payment_hash=an_id(f"hash {wanted.intent_id}") if self.method is Method.BOLT11 else None,
                amount_msat=wanted.amount_msat,
                expires_at=wanted.expires_at,
            )
        )

    def _text(self, name: str) -> str:
        scheme = {Method.CASHU: "creqA", Method.BITCOIN: "bitcoin:"}
        return f"{scheme.get(self.method, 'lnbc ')}{name}"

    def _make_call(self, wanted: InvoiceWanted) -> None:
        self.asked[wanted.intent_id] = wanted.amount_msat
        self.calls.add(wanted.intent_id)
        self.say(
            RecordInvoice(
                intent_id=wanted.intent_id,
                text=f"lnbc {wanted.intent_id}",
                payment_hash=an_id(f"hash {wanted.intent_id}"),
                amount_msat=wanted.amount_msat,
                expires_at=wanted.expires_at,
            )
        )

    # What people and wallets do

    def order(self) -> None:
        """Somebody orders some tea."""
        n = len(self.keys)
        key = a_key(f"order-{n}", an_id(f"buyer {self.seed} {n}"))
        body = an_order(key=key, rumor=f"rumor {n}")
        line = OrderLine(coordinate=product(), quantity=self.dice.choice((1, 2, 3)))
        self.keys.append(key)
        self.say(body.model_copy(update={"lines": (line,)}), times=self.dice.choice((1, 1, 2)))

    def pay(self) -> None:
        """A request receives something more, and the wallet is asked, at once or twice."""
        open_ = [name for name in self.asked if name not in self.gone]
        if not open_:
            return
        self._receive(self.dice.choice(open_[-12:]))

    def _receive(self, name: str) -> None:
        due_msat, before_msat = self.asked[name], self.held.get(name, 0)
        share = self.dice.choice((100, 100, 100, 100, 40, 60, 1, 130, 200))
        after_msat = before_msat + due_msat * share // 100
        takes_more = self.dice.random() < 0.3 and after_msat < due_msat
        self.held[name] = after_msat
        if not takes_more:
            self.gone.add(name)
        self.look(name, BackendState.PARTIAL if takes_more else BackendState.SETTLED, after_msat)
        if self.dice.random() < 0.2:
            self.look(name, BackendState.PARTIAL, before_msat)

    def see(self) -> None:
        """Money is on its way to an order's address; whether it ever comes is another matter."""
        if open_ := self._open():
            self.look(self.dice.choice(open_[-6:]), self.dice.choice((BackendState.PENDING, BackendState.HELD)), 0)

    def hand_in(self) -> None:
        """A token is handed in for an order's request, a new one or one that was before; its mint takes some."""
        open_ = self._open()
        if not open_:
            return
        name, is_known = self.dice.choice(open_[-6:]), bool(self.tokens) and self.dice.random() < 0.2
        token = self.dice.choice(self.tokens) if is_known else an_id(f"token {self.seed} {next(self.names)}")
        before = self.counted["TokenHandedIn"]
        self.say(HandInToken(intent_id=name, token_id=token, sealed=BOX), times=2)
        if self.counted["TokenHandedIn"] == before:
            return
        if is_known or self.dice.random() < 0.3:
            self.say(RecordTokenRefusal(intent_id=name, token_id=token, reason=TokenFault.SPENT), times=2)
        else:
            self._receive(name)
        self.tokens.append(token)

    def _open(self) -> list[str]:
        return [name for name in self.order_of if name not in self.gone]

    def look(self, name: str, state: BackendState, gross_msat: int) -> None:
        """The back-end says how a request stands."""
        settled_at = self.at_ms // 1_000
        times = self.dice.choice((1, 1, 2))
        if name in self.calls:
            seen = ObserveInvoice(intent_id=name, state=state, gross_msat=gross_msat, settled_at=settled_at)
            self.say(seen, times)
        else:
            key = self.order_of[name]
            self.say(
                ObservePayment(order=key, intent_id=name, state=state, gross_msat=gross_msat, settled_at=settled_at),
                times,
            )

    def take_back(self) -> None:
        """What came is gone again; what is for no order is out of the books by then."""
        paid = [name for name, msat in self.held.items() if msat and not self._closed_msat(name)]
        if self.method is Method.CASHU:  # what was swapped stays
            paid = [name for name in paid if name in self.calls]
        if not paid:
            return
        name = self.dice.choice(paid)
        self.gone.add(name)
        gross_msat, self.held[name] = self.held[name], 0
        if self.dice.random() < 0.5:
            self.look(name, BackendState.REVERSED, gross_msat)
        else:
            on_chain = self.method is Method.BITCOIN and name not in self.calls
            proof = request_digest(self._text(name)) if on_chain else an_id(f"hash {name}")
            self.say(ObserveReversal(payment_hash=proof), times=2)

    def call(self) -> None:
        """Somebody asks the shop's own address for an invoice."""
        call = AskInvoice(
            intent_id=an_id(f"call {self.seed} {next(self.names)}"),
            address=ADDRESS,
            amount_msat=self.dice.choice((10_000, 20_000, 30_000, 7_000)),
            description_hash=SAID,
            expires_at=self.at_ms // 1_000 + 600,
        )
        self.say(call, times=2)

    def speak(self) -> None:
        """The merchant or the buyer says something of an order, or of money over the address."""
        if not self.keys:
            return
        key, cause = self.dice.choice(self.keys[-8:]), an_id(f"cause {self.seed} {next(self.names)}")
        order = self.shop.order(key)
        left_msat = order.paid_msat - order.refunded_msat if order else 0
        calls = [name for name in self.calls if self.held.get(name)] or list(self.calls) or [an_id("none")]
        name = self.dice.choice(sorted(calls))
        shown = receipt(key, cause).model_copy(update={"preimage_hashes": (an_id(f"hash {name}"),)})
        words: tuple[CommandBody, ...] = (
            cancelled(Actor.BUYER, key),
            moved(OrderStatus.CANCELLED, key=key, cause=cause),
            moved(OrderStatus.CONFIRMED, key=key, cause=cause),
            moved(OrderStatus.COMPLETED, key=key, cause=cause),
            WaivePayment(order=key, cause=cause),
            ReinstateOrder(order=key, cause=cause),
            RecordRefund(order=key, amount_msat=max(1_000, left_msat), rail="cash", cause=cause),
            RecordRefund(order=key, amount_msat=self.dice.choice((1_000, 5_000)), rail="cash", cause=cause),
            shown,
            shown,
            AssignPayment(intent_id=name, order=key, cause=cause),
            AssignPayment(intent_id=name, order=key, cause=cause),
            ClosePayment(intent_id=name, closing=self.dice.choice(tuple(Closing)), cause=cause),
        )
        self.say(self.dice.choice(words), times=2)

    def pay_back(self) -> None:
        """Money goes back to whoever paid it."""
        self.payouts.act(self.keys, self.at_ms)

    def wait(self) -> None:
        """Time passes, and deadlines with it."""
        self.at_ms += self.dice.choice((1_000, 60_000, 600_000))
        for due in self.shop.take_due(self.at_ms):
            if due.kind == "deadline":
                self.say(ReachDeadline(order=due.order_key, deadline_ms=due.at_ms))

    # The end

    def _closed_msat(self, name: str) -> int:
        known = self.shop.asked.get(name)
        return known.closed_msat if known else 0

    def agree(self) -> None:
        """The till, the shop and the facts say the same of every sat."""
        self.payouts.agree()
        entered = Counter(self.auditor.received) + Counter(self.auditor.at_address)
        entered += Counter({name: self._closed_msat(name) for name in self.calls})
        assert +entered == +Counter(self.held)
        for order in self.shop.orders.values():
            received = sum(one.amount_msat for one in order.received)
            is_lost = any(one.is_reversed for one in order.received)  # maybe after it was given back
            assert 0 <= order.refunded_msat <= order.paid_msat or is_lost
            assert order.paid_msat >= received


def play(seed: int) -> Counter[str]:
    """One shop from its opening to the last payment; gives how many facts of each kind there were."""
    till = Till(seed)
    settings = ShopSettings(
        lightning_address=ADDRESS if seed % 2 else "",
        short_accepted_sats=till.dice.choice((0, 0, 2)),
        late_accepted_percent=till.dice.choice((None, 0)),
    )
    till.say(OpenShop(settings=settings))
    till.say(RecordListing(listing=a_listing(stock=None)))
    deeds: tuple[tuple[Callable[[], None], int], ...] = (
        (till.order, 10),
        (till.pay, 26),
        (till.take_back, 3),
        (till.call, 4),
        (till.speak, 14),
        (till.wait, 6),
        (till.pay_back, 14),
    )
    more = {Method.BITCOIN: (till.see, 8), Method.CASHU: (till.hand_in, 12)}
    deeds += (more[till.method],) if till.method in more else ()
    acts, weights = zip(*deeds, strict=True)
    try:
        for act in till.dice.choices(acts, weights, k=DEEDS):
            act()
        till.agree()
    except AssertionError as broken:
        raise AssertionError(f"shop {seed}: {broken}") from broken
    return till.counted


def payments_in(counted: Counter[str]) -> int:
    """How often money came or went."""
    return sum(counted[name] for name in MONEY)


def main(arguments: list[str]) -> int:
    """Play shops until so many payments were made, and show what they came to."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.money")
    parser.add_argument("--payments", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    told = parser.parse_args(arguments)
    console, total, shops, began_s = Console(), Counter[str](), 0, time.monotonic()
    with multiprocessing.Pool(told.processes) as pool, Progress(console=console) as progress:
        bar = progress.add_task("payments", total=told.payments)
        for counted in pool.imap_unordered(play, count(), chunksize=20):
            total.update(counted)
            shops += 1
            progress.update(bar, completed=payments_in(total))
            if payments_in(total) >= told.payments:
                pool.terminate()
                break
    show(console, total, shops, time.monotonic() - began_s)
    return 0


def show(console: Console, total: Counter[str], shops: int, took_s: float) -> None:
    """The facts by kind."""
    grid = Table(
        title=f"{payments_in(total):,} payments in {shops:,} shops, {took_s:,.0f} s; all books agree", box=None
    )
    grid.add_column("fact")
    grid.add_column("times", justify="right")
    for name, times in sorted(total.items()):
        grid.add_row(name, f"{times:,}")
    console.print(grid)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
