"""Pay-outs in the books: asked for, approved by somebody, and paid once (I5)."""

from __future__ import annotations

from dataclasses import replace

from services.audit.ledger import Fact, Ledger, Live


def wanted(ledger: Ledger, fact: Fact) -> None:
    """One is asked for: the order's only one, of money that is there."""
    ref, name, amount = ledger.ref_of(fact), fact["refund_id"], fact["amount_msat"]
    there = ledger.paid_msat(ref) - ledger.refunded.get(ref, 0)
    invoice = fact.get("invoice")
    is_over_it = invoice is None or amount == invoice["amount_msat"]
    fits = ref not in ledger.payouts and name not in ledger.paid_out and is_over_it
    ledger.check("I5", fits, lambda: f"a second pay-out is asked for, for order {ref[:10]}")
    ledger.check("I5", 0 < amount <= there, lambda: f"{amount} of {there} msat are to go back for order {ref[:10]}")
    ledger.payouts[ref] = Live(name, amount, is_approved=False, is_by_link=invoice is None)


def approved(ledger: Ledger, fact: Fact) -> None:
    """Somebody approves exactly that, and once."""
    ref, name = ledger.ref_of(fact), fact["refund_id"]
    asked = Live(name, fact["amount_msat"], is_approved=False, is_by_link=fact.get("invoice") is None)
    was_asked = ledger.payouts.get(ref) == asked
    is_good = was_asked and bool(fact["approver"]) and name not in ledger.paid_out
    ledger.check("I5", is_good, lambda: f"a pay-out for order {ref[:10]} is approved that nobody asked for, or twice")
    ledger.payouts[ref] = replace(asked, is_approved=True)
    ledger.paid_out.add(name)


def told(ledger: Ledger, fact: Fact) -> None:
    """The buyer gets a link: of what was approved to go so, over that sum, and once."""
    ref = ledger.ref_of(fact)
    live = Live(fact["refund_id"], fact["amount_msat"], is_approved=True, is_by_link=True)
    is_it = ledger.payouts.get(ref) == live
    ledger.check("I5", is_it, lambda: f"a link is given out for order {ref[:10]} that was not approved, or a second")
    ledger.payouts[ref] = replace(live, is_told=True)


def dropped(ledger: Ledger, fact: Fact) -> None:
    """It was not approved yet."""
    _ends(ledger, fact, is_approved=False)


def failed(ledger: Ledger, fact: Fact) -> None:
    """It was approved, and no money left, nor can any: its buyer has no link."""
    _ends(ledger, fact, is_approved=True)


def refunded(ledger: Ledger, fact: Fact) -> None:
    """Money went back: never more than came in and is not on its way out; what was paid out was approved, once."""
    ref, amount, cause = ledger.ref_of(fact), fact["amount_msat"], fact["cause"]
    given = ledger.refunded[ref] = ledger.refunded.get(ref, 0) + amount
    live, got = ledger.payouts.get(ref), ledger.paid_msat(ref)
    if cause in ledger.paid_out or (live is not None and live.name == cause):
        is_it = live is not None and (live.name, live.amount_msat, live.is_approved) == (cause, amount, True)
        ledger.check("I5", is_it, lambda: f"a pay-out for order {ref[:10]} was paid twice, or was never approved")
        ledger.payouts.pop(ref, None)
        return
    reserved = live.amount_msat if live is not None else 0
    fits = amount > 0 and given + reserved <= got
    ledger.check("I5", fits, lambda: f"{given + reserved} of {got} msat went back for {ref[:10]}")


def _ends(ledger: Ledger, fact: Fact, *, is_approved: bool) -> None:
    ref = ledger.ref_of(fact)
    live = ledger.payouts.pop(ref, None)
    is_it = live is not None and live.name == fact["refund_id"] and live.is_approved is is_approved and not live.is_told
    ledger.check("I5", is_it, lambda: f"a pay-out for order {ref[:10]} ended that was none")
