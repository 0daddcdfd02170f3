"""Orders in the books: placed, quoted, moved, shipped, parked (I11, I12, I13)."""

from __future__ import annotations

from services.audit import on_reviews
from services.audit.ledger import Fact, Ledger, Order
from services.audit.rules import (
    LINES_MAX,
    ORDER_MOVES,
    PAID,
    PARCEL_MOVES,
    PARCELS_MAX,
    PARKED_MAX,
    PERSONAL,
)


def placed(ledger: Ledger, fact: Fact) -> None:
    """A first revision, or an amendment in time; personal details are sealed."""
    order = ledger.placed(ledger.ref_of(fact))
    _starts_over(ledger, order, fact["revision"])
    order.lines = tuple(line["coordinate"] for line in fact["lines"])
    details = fact.get("details")
    is_sealed = details is None or ("box" in details and PERSONAL.isdisjoint(details))
    is_clean = PERSONAL.isdisjoint(fact) and PERSONAL.isdisjoint(fact["destination"])
    ledger.check("I12", is_sealed and is_clean, lambda: f"{order.name} shows what should be sealed")


def renewed(ledger: Ledger, fact: Fact) -> None:
    """An order whose request died unseen, or was forgotten by its wallet, is priced once more."""
    order = ledger.order_of(fact)
    may = not order.is_asked or order.is_forgotten
    ledger.check("I11", may, lambda: f"{order.name} was renewed though its buyer was asked")
    _starts_over(ledger, order, fact["revision"])


def _starts_over(ledger: Ledger, order: Order, revision: int) -> None:
    """A further revision: nothing is held or asked for, and a request that was shown is dead (PAY-18)."""
    was, is_free = order.status, not order.held and not order.intent
    may = was in ("waiting", "pending") and is_free and not order.is_requested
    ledger.check("I11", may, lambda: f"{order.name} was amended while {was}, asked for or holding")
    is_dead = not order.is_asked or order.is_forgotten or ledger.at_ms >= order.asks_from_ms
    ledger.check("I3", is_dead, lambda: f"{order.name} was amended while its buyer could still pay")
    before = order.revision
    ledger.check("I11", revision == before + 1, lambda: f"revision {revision} of {order.name} follows {before}")
    is_unpaid = order.credit_msat == 0
    ledger.check("I5", is_unpaid, lambda: f"{order.name} was priced anew, and a part of it is paid")
    order.revision, order.due_msat, order.deadline_ms, order.part = revision, 0, 0, 0
    order.is_asked = order.is_requested = order.is_forgotten = False
    ledger.stand(order, "waiting")


def held_back(ledger: Ledger, fact: Fact) -> None:
    """A person has the order."""
    order = ledger.order_of(fact)
    ledger.check("I11", not order.is_on_hold, lambda: f"{order.name} was put on hold twice")
    order.is_on_hold = True


def released(ledger: Ledger, fact: Fact) -> None:
    """It goes on."""
    order = ledger.order_of(fact)
    order.is_on_hold = False
    order.deadline_ms = order.deadline_ms and max(order.deadline_ms, fact["deadline_ms"] or 0)
    order.wanted_ms = max(order.wanted_ms, ledger.at_ms)


def past(ledger: Ledger, fact: Fact) -> None:
    """An order from before the shop came here is listed; it is none of those sold here."""
    ref = ledger.ref_of(fact["past"])
    is_ours = ref in ledger.orders or ledger.finished_order(ref) is not None
    ledger.check("I11", not is_ours, lambda: f"order {ref[:10]} is sold here, and listed as one of the past")


def quoted(ledger: Ledger, fact: Fact) -> None:
    """An order got its price and waits for its money."""
    order, quote = ledger.order_of(fact), fact["quote"]
    _waits(ledger, order, "quoted")
    ledger.stand(order, "pending")
    order.due_msat, order.deadline_ms = quote["total_msat"], fact["deadline_ms"]
    order.asks_from_ms = quote["valid_until"] * 1_000
    lines = quote["lines"]
    ledger.check("I13", len(lines) <= LINES_MAX, lambda: f"{order.name} has {len(lines)} lines")
    for line in lines:
        ledger.owns(line["coordinate"])


def waiting(ledger: Ledger, fact: Fact) -> None:
    """An order cannot be quoted yet."""
    order = ledger.order_of(fact)
    _waits(ledger, order, "made to wait")
    ledger.stand(order, "waiting")
    order.deadline_ms = fact.get("deadline_ms") or 0


def rejected(ledger: Ledger, fact: Fact) -> None:
    """An order was turned down."""
    order = ledger.order_of(fact)
    _waits(ledger, order, "rejected")
    ledger.stand(order, "rejected")


def moved(ledger: Ledger, fact: Fact) -> None:
    """The order axis moved; to confirmed only with money (I4)."""
    order, to, actor = ledger.order_of(fact), fact["to"], fact["actor"]
    was, movers = order.status, ORDER_MOVES.get(order.status, {}).get(to, "")
    ledger.check("I11", actor in movers.split(), lambda: f"the {actor} moved {order.name} from {was} to {to}")
    if was not in PAID and to in PAID:
        has_money = order.is_paid or (was == "pending" and order.due_msat == 0)
        ledger.check("I4", has_money, lambda: f"{order.name} was {to} without money")
    if to == "refunded":
        given, got = ledger.refunded.get(order.ref, 0), ledger.paid_msat(order.ref)
        ledger.check("I5", 0 < given >= got, lambda: f"{order.name} is over, and not all of its money was returned")
    if to in PAID and was != "pending":
        ledger.check("I11", not order.is_reversed, lambda: f"{order.name} is {to} though its money was taken back")
    ledger.stand(order, to)
    order.deadline_ms = 0
    if to == "completed":
        on_reviews.completed(ledger, order, fact)


def cancellation_requested(ledger: Ledger, fact: Fact) -> None:
    """The buyer of a paid order would like it back."""
    order = ledger.order_of(fact)
    may = order.status in ("confirmed", "processing")
    ledger.check("I11", may, lambda: f"{order.name} is {order.status}, so its buyer need not ask to cancel")


def shipped(ledger: Ledger, fact: Fact) -> None:
    """The parcel of a paid order went somewhere."""
    order, to, name = ledger.order_of(fact), fact["to"], fact.get("parcel", "1")
    was = order.parcels.get(name, "none")
    may = order.status in PAID[:2] and (to == was or to in PARCEL_MOVES[was].split())
    ledger.check("I11", may, lambda: f"the parcel of {order.name} ({order.status}) went from {was} to {to}")
    sets_out = was in ("none", "processing", "exception") and to not in (was, "exception")
    is_free = not (order.is_reversed and was != "exception" and sets_out)
    ledger.check("I11", is_free, lambda: f"{order.name} was sent though its money was taken back")
    order.parcels[name] = to
    count = len(order.parcels)
    ledger.check("I13", count <= PARCELS_MAX, lambda: f"{order.name} has {count} parcels")


def parked(ledger: Ledger, fact: Fact) -> None:
    """A message waits for its order, one of few."""
    ref = ledger.ref_of(fact)
    ledger.parked[ref] += 1
    waiting = ledger.parked[ref]
    ledger.check("I13", waiting <= PARKED_MAX, lambda: f"{waiting} messages wait for order {ref[:10]}")


def unparked(ledger: Ledger, fact: Fact) -> None:
    """The oldest of them does not wait any more."""
    ref = ledger.ref_of(fact)
    ledger.parked[ref] -= 1
    if ledger.parked[ref] <= 0:
        del ledger.parked[ref]


def opened(ledger: Ledger, fact: Fact) -> None:
    """The shop's rules; what may be missing of a price is one of them."""
    ledger.short_msat[ledger.merchant] = fact["settings"].get("short_accepted_sats", 0) * 1_000


def froze(ledger: Ledger, fact: Fact) -> None:
    """The merchant's effects wait."""
    ledger.frozen[ledger.merchant] = fact["reason"]
    ledger.answered[ledger.merchant] = ledger.sequence


def thawed(ledger: Ledger, fact: Fact) -> None:
    """They go on, and nothing that waited is late for it."""
    ledger.frozen.pop(ledger.merchant, None)
    ledger.answered[ledger.merchant] = ledger.sequence
    for order in ledger.orders.values():
        if order.merchant == ledger.merchant:
            order.wanted_ms = max(order.wanted_ms, ledger.at_ms)
            order.deadline_ms = order.deadline_ms and max(order.deadline_ms, fact["deadline_ms"])


def _waits(ledger: Ledger, order: Order, what: str) -> None:
    was = order.status
    ledger.check("I11", was == "waiting", lambda: f"{order.name} was {what} while {was}")
