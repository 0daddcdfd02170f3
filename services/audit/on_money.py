"""Money in the books: what is wanted, asked for, received, and said about it (I3, I4, I5, I9)."""

from __future__ import annotations

from services.audit.ledger import Fact, Ledger, Order
from services.audit.rules import intent_of

DAY_MS = 86_400_000


def wanted(ledger: Ledger, fact: Fact) -> None:
    """An order is owed a payment request: its only one, under the name and for the sum that follow from it."""
    order, intent = ledger.order_of(fact), fact["intent_id"]
    is_named = fact["revision"] == order.revision and intent == intent_of(order.ref, order.revision)
    ledger.check("I9", is_named, lambda: f"the intent of {order.name} has not the name that follows from it")
    ledger.check("I3", not order.intent, lambda: f"{order.name} has two live intents")
    _is_due(ledger, order, fact["amount_msat"])
    order.intent, order.is_requested, order.wanted_ms = intent, False, ledger.at_ms


def requested(ledger: Ledger, fact: Fact) -> None:
    """The wallet made it, once."""
    order = ledger.order_of(fact)
    is_first = not order.is_requested and bool(order.intent) and fact["intent_id"] == order.intent
    ledger.check("I3", is_first, lambda: f"{order.name} got a request that nobody wanted, or a second one")
    _is_due(ledger, order, fact["amount_msat"])
    order.is_requested = True


def dropped(ledger: Ledger, fact: Fact) -> None:
    """It is not wanted any more."""
    order = ledger.order_of(fact)
    is_live = fact["intent_id"] == order.intent
    ledger.check("I3", is_live, lambda: f"{order.name} dropped an intent that was not live")
    order.intent, order.is_requested = "", False


def settled(ledger: Ledger, fact: Fact) -> None:
    """Money came: each payment is entered once; in time it is for the live intent and covers what is due."""
    ref, intent, gross, due = ledger.ref_of(fact), fact["intent_id"], fact["gross_msat"], fact["due_msat"]
    is_new = not ledger.settled.get(intent)
    ledger.check("I5", is_new, lambda: f"one payment for order {ref[:10]} was entered twice")
    ledger.settled.put(intent, 1)
    _came_in(ledger, ref, gross)
    day = (ledger.merchant, ledger.at_ms // DAY_MS)
    count, total = ledger.receipts.get(day, (0, 0))
    ledger.receipts[day] = (count + 1, total + gross)
    if fact["late"]:
        return
    order = ledger.order_of(fact)
    owed = order.due_msat
    fits = intent == order.intent and gross >= due == owed and not order.is_paid
    ledger.check("I5", fits, lambda: f"{order.name} owes {owed} msat and was paid {gross} of {due}")
    order.is_paid, order.intent = True, ""


def implied(ledger: Ledger, fact: Fact) -> None:
    """The merchant answers for the money, and goes on."""
    order, amount = ledger.order_of(fact), fact["amount_msat"]
    _is_due(ledger, order, amount)
    ledger.check("I5", not order.is_paid, lambda: f"{order.name} was paid for, and its payment implied")
    order.is_paid = order.is_quiet = True
    _came_in(ledger, order.ref, amount)


def refunded(ledger: Ledger, fact: Fact) -> None:
    """Money went back, never more than came in."""
    ref = ledger.ref_of(fact)
    given = ledger.refunded[ref] = ledger.refunded.get(ref, 0) + fact["amount_msat"]
    got = ledger.paid.get(ref) * 1_000
    ledger.check(
        "I5", fact["amount_msat"] > 0 and given <= got, lambda: f"{given} of {got} msat went back for {ref[:10]}"
    )


def _came_in(ledger: Ledger, ref: str, amount_msat: int) -> None:
    sats = ledger.paid.get(ref) + -(-amount_msat // 1_000)
    if sats:
        ledger.paid.put(ref, min(sats, 2**32 - 1))


def promised(ledger: Ledger, fact: Fact) -> None:
    """The buyer is told something; numbers without gaps name each message, and a sum named is the sum due."""
    order, number, reply = ledger.order_of(fact), fact["number"], fact["reply"]
    before = order.replies
    ledger.check("I9", number == before + 1, lambda: f"reply {number} to {order.name} follows reply {before}")
    ledger.check("I11", not order.is_on_hold, lambda: f"{order.name} is on hold, and its buyer is told something")
    order.replies, order.told_in = number, ledger.sequence
    if reply["type"] == "payment_request":
        ledger.check("I3", not order.is_asked, lambda: f"{order.name} was asked for money twice")
        _is_due(ledger, order, reply["amount_sats"] * 1_000)
        order.is_asked = True
    elif reply["type"] == "status" and reply["status"] == "confirmed":
        order.confirmations += 1


def withheld(ledger: Ledger, fact: Fact) -> None:
    """The buyer is not told something now, because a person has the order."""
    order = ledger.order_of(fact)
    ledger.check("I11", order.is_on_hold, lambda: f"{order.name} is not on hold, and its buyer is not told something")
    order.is_quiet, order.told_in = True, ledger.sequence


def _is_due(ledger: Ledger, order: Order, amount_msat: int) -> None:
    owed = order.due_msat
    ledger.check("I5", amount_msat == owed, lambda: f"{order.name} owes {owed} msat, not {amount_msat}")
