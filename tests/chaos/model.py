"""What a buyer may be told of an order, by what the buyer did: the whole truth in one table.

It knows nothing of the coordinator. An order is asked for once or declined, a paid one is confirmed once,
and whoever did not pay is never told so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Script(StrEnum):
    """What the buyer of an order does."""

    PAYS = "pays at once"
    PAYS_LATER = "pays after a while"
    PAYS_TWICE = "pays, and tries to pay again"
    REPEATS = "sends the order in several wraps and to both relays, and pays"
    LEAVES = "never pays"
    CLAIMS = "says so without having paid"
    CANCELS = "cancels what was asked for"
    CANCELS_AT_ONCE = "cancels before anything was answered"
    RACES = "pays and cancels in one moment"
    GRABS = "wants one of the last pieces, and pays"
    EXPIRES = "lets a short-lived request expire"
    PAYS_LATE = "pays a request that has expired"


@dataclass(frozen=True, slots=True)
class Told:
    """One message to a buyer: its rumor, the wrap it came in, and what it says."""

    rumor_id: str
    wrap_id: str
    what: str
    """`requested`, `confirmed`, `cancelled`, `text` for words to a person, or anything else as it was called."""


@dataclass(slots=True)
class Placed:
    """One order as its buyer remembers it. Times are `time.monotonic()` seconds."""

    order_id: str
    buyer: str
    merchant: str
    product: str
    quantity: int
    script: Script
    sent_s: float = 0.0
    requested_s: float | None = None
    confirmed_s: float | None = None
    told: set[Told] = field(default_factory=set)
    invoice: str = ""
    amount_sats: int = 0
    is_settled: bool = False
    """Whether the wallet took the money."""

    def count(self, what: str) -> int:
        """How many different messages say this."""
        return len({one.rumor_id for one in self.told if one.what == what})

    @property
    def outcome(self) -> str:
        """Where its buyer believes it to be: confirmed, cancelled, pending, or unanswered."""
        for what, state in (("confirmed", "confirmed"), ("cancelled", "cancelled"), ("requested", "pending")):
            if self.count(what):
                return state
        return "unanswered"


ALLOWED: dict[Script, frozenset[tuple[int, int, int, bool | None]]] = {
    **dict.fromkeys((Script.PAYS, Script.PAYS_LATER, Script.PAYS_TWICE, Script.REPEATS), frozenset({(1, 1, 0, True)})),
    **dict.fromkeys((Script.LEAVES, Script.CLAIMS), frozenset({(1, 0, 0, False)})),
    Script.CANCELS: frozenset({(1, 0, 1, False)}),
    Script.CANCELS_AT_ONCE: frozenset({(0, 0, 1, False), (1, 0, 1, False)}),
    Script.RACES: frozenset({(1, 1, 0, True), (1, 0, 1, True), (1, 0, 1, False)}),
    Script.GRABS: frozenset({(1, 1, 0, True), (0, 0, 1, False)}),
    Script.EXPIRES: frozenset({(0, 0, 1, False), (1, 0, 1, False)}),
    Script.PAYS_LATE: frozenset({(0, 0, 1, False), (1, 0, 1, False), (1, 0, 1, True), (1, 1, 0, True)}),
}
"""Requests, confirmations, cancellations, and whether the wallet has the money: what may be in the end."""
KNOWN = ("requested", "confirmed", "cancelled")
MAY_BE_LATE = frozenset({Script.RACES, Script.PAYS_LATE})
"""Whose money may come when the order does not wait for it; then a text says so."""
TOLD_AFTER_S = 60.0
"""How long a request may be owed before its buyer reads so (decision 0027)."""
STATUSES = {
    "confirmed": frozenset({"confirmed"}),
    "pending": frozenset({"pending"}),
    "cancelled": frozenset({"cancelled", "rejected", "expired", "failed"}),
}
"""What the API may call an order whose buyer believes it to be there."""


def facts(order: Placed) -> tuple[int, int, int, bool]:
    """What `ALLOWED` is asked for."""
    requested, confirmed, cancelled = (order.count(what) for what in KNOWN)
    return requested, confirmed, cancelled, order.is_settled


def is_answered(order: Placed) -> bool:
    """Whether nothing more is owed to this buyer."""
    return facts(order) in ALLOWED[order.script]


def is_delayed(order: Placed) -> bool:
    """Whether its buyer may have read that the request is late: it is not there, or it took that long."""
    if order.requested_s is None:
        return not order.count("requested")
    return order.requested_s - order.sent_s >= TOLD_AFTER_S


def too_much(order: Placed) -> list[str]:
    """What is wrong already and no waiting mends: said twice, or in two wraps, or without reason."""
    found = [f"was {what} by {n} different messages" for what in KNOWN if (n := order.count(what)) > 1]
    if order.count("confirmed") and order.count("cancelled"):
        found.append("was confirmed and cancelled")
    wraps = Counter(one.rumor_id for one in order.told)
    found += [f"came in {n} different wraps" for n in wraps.values() if n > 1]
    expected = (*KNOWN, "text") if order.script in MAY_BE_LATE or is_delayed(order) else KNOWN
    found += [f"was told {one.what!r}, which nothing called for" for one in order.told if one.what not in expected]
    if order.count("confirmed") and not order.invoice:
        found.append("was confirmed and never asked for")
    return [f"order {order.order_id} ({order.script.value}) {what}" for what in found]


def judge(orders: Iterable[Placed]) -> list[str]:
    """What the buyers have to complain of in the end, in sentences."""
    found: list[str] = []
    for order in orders:
        found += too_much(order)
        if not is_answered(order):
            requested, confirmed, cancelled, settled = facts(order)
            found.append(
                f"order {order.order_id} ({order.script.value}) has {requested} requests, {confirmed} confirmations, "
                f"{cancelled} cancellations, and is {'' if settled else 'not '}settled"
            )
    return found


@dataclass(frozen=True, slots=True)
class Units:
    """A listing's arithmetic: what is there, what is promised, what is sold."""

    on_hand: int
    held: int
    sold: int


def units(stock: int, orders: Iterable[Placed]) -> Units:
    """What follows from the orders of one listing with this much stock."""
    sold = held = 0
    for order in orders:
        match order.outcome:
            case "confirmed":
                sold += order.quantity
            case "pending":
                held += order.quantity
    return Units(stock - sold, held, sold)


def judge_stock(product: str, stock: int, orders: Iterable[Placed]) -> list[str]:
    """Whether a scarce listing was sold beyond what was there, or left over while somebody was turned away."""
    mine = [order for order in orders if order.product == product]
    after = units(stock, mine)
    found: list[str] = []
    if after.sold + after.held > stock:
        found.append(f"{product.rpartition(':')[2]}: {after.sold} sold and {after.held} held of {stock}")
    wanted = sum(order.quantity for order in mine)
    grabbed = [order for order in mine if order.script is Script.GRABS]
    if len(grabbed) == len(mine) and after.sold + after.held < min(stock, wanted):
        found.append(f"{product.rpartition(':')[2]}: {stock - after.sold} left over of {stock}, {wanted} were wanted")
    return found
