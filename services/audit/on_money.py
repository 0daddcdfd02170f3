"""Money in the books: what is wanted, asked for, received, and said about it (I3, I4, I5, I9)."""

from __future__ import annotations

from services.audit.ledger import Fact, Ledger, Order
from services.audit.rules import PAID, PARTS_MAX, intent_of

DAY_MS = 86_400_000


SETTLED, REVERSED, PARTLY = 1, 2, 3
"""What a payment intent came to so far."""


def wanted(ledger: Ledger, fact: Fact) -> None:
    """An order is owed a payment request: its only one, under the name and for the sum that follow from it."""
    order, intent, part = ledger.order_of(fact), fact["intent_id"], fact.get("part", 1)
    is_named = fact["revision"] == order.revision and intent == intent_of(order.ref, order.revision, part)
    ledger.check("I9", is_named, lambda: f"the intent of {order.name} has not the name that follows from it")
    ledger.check("I3", not order.intent, lambda: f"{order.name} has two live intents")
    is_next = part == order.part + 1
    ledger.check("I3", is_next, lambda: f"request {part} of {order.name} follows request {order.part}")
    ledger.check("I13", part <= PARTS_MAX, lambda: f"{order.name} is to be paid in {part} parts")
    order.part, order.asked_msat = part, fact["amount_msat"]
    missing = order.missing_msat if part == 1 else -(-order.missing_msat // 1_000) * 1_000
    ledger.check("I5", order.asked_msat == missing, lambda: f"{order.name} misses {missing} msat, and other is wanted")
    order.intent, order.is_requested, order.is_asked, order.wanted_ms = intent, False, False, ledger.at_ms
    order.is_waited_for = order.is_forgotten = False


def requested(ledger: Ledger, fact: Fact) -> None:
    """The wallet made it, once."""
    order = ledger.order_of(fact)
    is_first = not order.is_requested and bool(order.intent) and fact["intent_id"] == order.intent
    ledger.check("I3", is_first, lambda: f"{order.name} got a request that nobody wanted, or a second one")
    _is_asked(ledger, order, fact["amount_msat"])
    order.is_requested = True


def dropped(ledger: Ledger, fact: Fact) -> None:
    """It is not wanted any more."""
    order = ledger.order_of(fact)
    is_live = fact["intent_id"] == order.intent
    ledger.check("I3", is_live, lambda: f"{order.name} dropped an intent that was not live")
    order.intent, order.is_requested = "", False


def settled(ledger: Ledger, fact: Fact) -> None:
    """Money came: each payment is entered once; in time it is for the live intent and covers what is due."""
    ref, intent, due = ledger.ref_of(fact), fact["intent_id"], fact["due_msat"]
    is_new = ledger.settled.get(intent) not in (SETTLED, REVERSED)
    ledger.check("I5", is_new, lambda: f"one payment for order {ref[:10]} was entered twice")
    ledger.settled.put(intent, SETTLED)
    new = _receive(ledger, ref, fact)
    if fact["late"]:
        return
    order = ledger.order_of(fact)
    order.credit_msat += new
    got, owed = order.credit_msat, order.due_msat
    short = ledger.short_msat.get(ledger.merchant, 0)
    fits = intent == order.intent and due == owed and got + short >= due and not order.is_paid
    ledger.check("I5", fits, lambda: f"{order.name} owes {owed} msat and was paid {got} of {due}")
    said = fact.get("in_all_msat")
    is_sum = said is None or said == got
    ledger.check("I5", is_sum, lambda: f"{order.name} was paid {got} msat in all, and the record says {said}")
    held = ledger.paid_msat(ref) - ledger.refunded.get(ref, 0)  # less than that where returned money was taken back
    order.is_paid, order.intent, order.surplus_msat = True, "", max(0, min(got, held) - owed)


def came_in_part(ledger: Ledger, fact: Fact) -> None:
    """Some money came: in time it is for the live intent, less than the price, and the record says what is missing."""
    ref, intent = ledger.ref_of(fact), fact["intent_id"]
    before = ledger.settled.get(intent)
    ledger.check("I5", before != REVERSED, lambda: f"money for order {ref[:10]} came back after it was taken back")
    _in_exact(ledger, ref)
    new = _receive(ledger, ref, fact)
    ledger.settled.put(intent, SETTLED if fact["is_closed"] or before == SETTLED else PARTLY)
    if fact["late"]:
        return
    order = ledger.order_of(fact)
    order.credit_msat += new
    missing, said = order.missing_msat, fact["rest_msat"]
    short = ledger.short_msat.get(ledger.merchant, 0)
    fits = intent == order.intent and not order.is_paid and said == missing > short
    ledger.check("I5", fits, lambda: f"{order.name} misses {missing} msat, and the record says {said}")
    order.deadline_ms, order.is_waited_for = max(order.deadline_ms, fact["deadline_ms"] or 0), False
    if fact["is_closed"]:
        order.intent, order.is_requested = "", False


def seen(ledger: Ledger, fact: Fact) -> None:
    """Money is on its way to the order's live request: the order waits for it longer, and is not paid by it."""
    order, intent = ledger.order_of(fact), fact["intent_id"]
    fits = intent == order.intent and order.is_requested and not order.is_paid
    ledger.check("I3", fits, lambda: f"money was seen on its way to {order.name}, which has no such request")
    order.deadline_ms, order.is_waited_for = max(order.deadline_ms, fact["deadline_ms"] or 0), False


def missed(ledger: Ledger, fact: Fact) -> None:
    """The wallet of the live request does not answer: one that was shown is waited for longer, and once at a time."""
    order, deadline_ms = ledger.order_of(fact), fact["deadline_ms"]
    is_live = fact["intent_id"] == order.intent and order.is_requested == (deadline_ms is not None)
    ledger.check("I3", is_live, lambda: f"the wallet of {order.name} is missed, and it has no such request")
    if deadline_ms is None:
        return
    is_first = not order.is_waited_for and deadline_ms > order.deadline_ms
    ledger.check("I14", is_first, lambda: f"{order.name} waits for its wallet, and did before")
    order.is_waited_for, order.deadline_ms = True, deadline_ms


def answered(ledger: Ledger, fact: Fact) -> None:
    """It says that no money came: the order ends when it would have, and not before its request was dead."""
    order, deadline_ms = ledger.order_of(fact), fact["deadline_ms"]
    is_live = fact["intent_id"] == order.intent and order.is_requested
    is_dead = order.is_waited_for and ledger.at_ms >= order.asks_from_ms
    ledger.check("I3", is_live and is_dead, lambda: f"{order.name} was given up while its buyer could still pay")
    order.is_waited_for, order.deadline_ms = False, max(deadline_ms, ledger.at_ms)


def forgotten(ledger: Ledger, fact: Fact) -> None:
    """The wallet does not know the live request, which was shown: said once, and the order ends no earlier for it."""
    order, deadline_ms = ledger.order_of(fact), fact["deadline_ms"]
    is_live = fact["intent_id"] == order.intent and order.is_requested and not order.is_forgotten
    ledger.check("I3", is_live, lambda: f"a request of {order.name} was forgotten that is not live, or was before")
    is_kept = deadline_ms >= order.deadline_ms if not order.is_waited_for else deadline_ms == order.deadline_ms
    ledger.check("I14", is_kept, lambda: f"{order.name} ends at another time because its wallet forgot it")
    order.is_waited_for = order.is_waited_for or deadline_ms > order.deadline_ms
    order.is_forgotten, order.deadline_ms = True, deadline_ms


def recalled(ledger: Ledger, fact: Fact) -> None:
    """The wallet knows it again, and the order waits no longer than it would have."""
    order = ledger.order_of(fact)
    is_known = order.is_forgotten and fact["intent_id"] == order.intent
    ledger.check("I3", is_known, lambda: f"the wallet of {order.name} knows a request again that it never forgot")
    order.is_forgotten = order.is_waited_for = False
    order.deadline_ms = max(fact["deadline_ms"], ledger.at_ms)


def reversed_(ledger: Ledger, fact: Fact) -> None:
    """Money was taken back, once, and no more than had come."""
    ref, intent, amount = ledger.ref_of(fact), fact["intent_id"], fact["amount_msat"]
    was_there = ledger.settled.get(intent) in (SETTLED, PARTLY)
    _in_exact(ledger, ref)
    left = ledger.exact[ref] = ledger.exact[ref] - amount
    ledger.check("I5", was_there and amount > 0 and left >= 0, lambda: f"{amount} msat left order {ref[:10]} twice")
    ledger.settled.put(intent, REVERSED)
    order = ledger.orders.get(ref)
    if order is None:
        return
    ledger.touched[ref] = order
    order.credit_msat = credit = fact["credit_msat"]
    ledger.check("I5", 0 <= credit <= left, lambda: f"{credit} of {left} msat count for {order.name}")
    order.is_reversed = fact["payment"] == "reversed"
    if order.status in PAID:
        enough = left - ledger.refunded.get(ref, 0) + ledger.short_msat.get(ledger.merchant, 0) >= order.due_msat
        ledger.check("I4", enough or order.is_reversed, lambda: f"{order.name} lost its money, and counts as paid")
        order.is_paid = order.is_paid and not order.is_reversed
    elif intent == order.intent:
        order.intent, order.is_requested = "", False


def came_over_address(ledger: Ledger, fact: Fact) -> None:
    """Money came over the shop's own address: more than was there, and entered after what was there."""
    intent, gross, before = fact["intent_id"], fact["gross_msat"], fact["before_msat"]
    waits, closed = ledger.unassigned.get(intent, 0), ledger.closed.get(intent, 0)
    fits = waits + closed == before < gross and ledger.settled.get(intent) == 0
    ledger.check("I5", fits, lambda: f"{gross} msat came over the address after {before}, and {waits} were there")
    ledger.unassigned[intent] = gross - closed


def left_address(ledger: Ledger, fact: Fact) -> None:
    """It was taken back, once, and all of it."""
    intent, amount = fact["intent_id"], fact["amount_msat"]
    there = ledger.unassigned.pop(intent, 0)
    ledger.check("I5", 0 < amount == there, lambda: f"{amount} msat left the address, and {there} were there")
    ledger.settled.put(intent, REVERSED)


def assigned(ledger: Ledger, fact: Fact) -> None:
    """It is an order's: all of it, once; a pending order has it for its request."""
    intent, amount = fact["intent_id"], fact["amount_msat"]
    there = ledger.unassigned.pop(intent, 0)
    ledger.check("I5", 0 < amount == there, lambda: f"{amount} msat are an order's, and {there} were at the address")
    if not fact["is_request"]:
        return
    order = ledger.order_of(fact)
    is_free = order.status == "pending" and not order.intent
    ledger.check("I3", is_free, lambda: f"{order.name} has two live intents")
    order.intent, order.is_requested = intent, True


def closed(ledger: Ledger, fact: Fact) -> None:
    """It is no order's: all of it, once."""
    intent, amount = fact["intent_id"], fact["amount_msat"]
    there = ledger.unassigned.pop(intent, 0)
    ledger.check("I5", 0 < amount == there, lambda: f"{amount} msat were closed, and {there} were at the address")
    ledger.closed[intent] = ledger.closed.get(intent, 0) + amount


def implied(ledger: Ledger, fact: Fact) -> None:
    """The merchant answers for the money, and goes on."""
    order, amount = ledger.order_of(fact), fact["amount_msat"]
    ledger.check("I5", amount >= 0 and not order.is_paid, lambda: f"{order.name} was paid for, and {amount} implied")
    is_pending = order.status == "pending"
    if order.status != "completed":  # of a completed one nothing is left that says what was due
        there = ledger.paid_msat(order.ref) - ledger.refunded.get(order.ref, 0)
        missing = order.missing_msat if is_pending else max(0, order.due_msat - there)
        ledger.check("I5", amount == missing, lambda: f"{order.name} misses {missing} msat, not {amount}")
    order.is_quiet = order.is_quiet or is_pending
    order.is_paid, order.is_reversed, order.credit_msat = True, False, order.due_msat
    _came_in(ledger, order.ref, amount)


def reinstated(ledger: Ledger, fact: Fact) -> None:
    """Late money pays for an order that ended: it is there, it covers the price, and the goods have to be sold."""
    order, quote, credit = ledger.order_of(fact), fact["quote"], fact["credit_msat"]
    held, due = ledger.paid_msat(order.ref) - ledger.refunded.get(order.ref, 0), quote["total_msat"]
    is_over = order.status in ("expired", "cancelled", "failed")
    ledger.check("I4", is_over, lambda: f"{order.name} is {order.status}, and was reinstated")
    short = ledger.short_msat.get(ledger.merchant, 0)
    covers = credit <= held and credit + short >= due
    ledger.check("I5", covers, lambda: f"{order.name} costs {due} msat and was reinstated for {credit} of {held}")
    order.due_msat, order.credit_msat, order.is_paid, order.is_reversed = due, credit, True, False
    order.surplus_msat, order.lines = max(0, credit - due), tuple(line["coordinate"] for line in quote["lines"])
    goods = ((line, ledger.goods.get(line["coordinate"])) for line in quote["lines"] if not line["pre_order"])
    counted = [line for line, there in goods if there is not None and there.on_hand is not None]
    order.to_sell = {line["coordinate"]: line["quantity"] for line in counted}


def owed(ledger: Ledger, fact: Fact) -> None:
    """The shop holds money that is the buyer's: no more than there is."""
    ref, amount = ledger.ref_of(fact), fact["amount_msat"]
    there = ledger.paid_msat(ref) - ledger.refunded.get(ref, 0)
    ledger.check("I5", 0 < amount <= there, lambda: f"{amount} of {there} msat are owed for order {ref[:10]}")
    order = ledger.orders.get(ref)
    if order is not None:
        ledger.touched[ref] = order
        order.owed_msat += amount


def _receive(ledger: Ledger, ref: str, fact: Fact) -> int:
    """Enter what is new of a request's money, in msat, as received on this day."""
    new: int = fact["gross_msat"] - fact.get("before_msat", 0)
    ledger.check("I5", new >= 0, lambda: f"less is there for order {ref[:10]} than there was")
    if fact.get("before_msat"):
        _in_exact(ledger, ref)
    _came_in(ledger, ref, new)
    day = (ledger.merchant, ledger.at_ms // DAY_MS)
    count, total = ledger.receipts.get(day, (0, 0))
    ledger.receipts[day] = (count + 1, total + new)
    return new


def _in_exact(ledger: Ledger, ref: str) -> None:
    """From here on this order's money is kept to the msat."""
    if ref not in ledger.exact:
        ledger.exact[ref] = ledger.paid.get(ref) * 1_000


def _came_in(ledger: Ledger, ref: str, amount_msat: int) -> None:
    if amount_msat % 1_000:
        _in_exact(ledger, ref)
    if ref in ledger.exact:
        ledger.exact[ref] += amount_msat
        return
    sats = ledger.paid.get(ref) + amount_msat // 1_000
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
        _is_asked(ledger, order, reply["amount_sats"] * 1_000)
        order.is_asked = True
    elif reply["type"] == "status" and reply["status"] == "confirmed":
        order.confirmations += 1


def withheld(ledger: Ledger, fact: Fact) -> None:
    """The buyer is not told something now, because a person has the order."""
    order = ledger.order_of(fact)
    ledger.check("I11", order.is_on_hold, lambda: f"{order.name} is not on hold, and its buyer is not told something")
    order.is_quiet, order.told_in = True, ledger.sequence


def _is_asked(ledger: Ledger, order: Order, amount_msat: int) -> None:
    asked = order.asked_msat
    ledger.check("I5", amount_msat == asked, lambda: f"{order.name} owes {asked} msat, not {amount_msat}")
