"""The payments role and lightning addresses: invoices that commit to a description, made, watched and let go."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.addresses import (
    AddressPaid,
    InvoiceMade,
    InvoiceWanted,
    ObserveInvoice,
    RecordInvoice,
    RecordInvoiceFailure,
)
from schemas.bolt11 import decode
from schemas.messages import CommandBody
from schemas.payments import PaymentWanted, RecordPaymentRequest, intent_id
from services.payments.open_requests import LATE_WATCH_S, Open
from services.payments.port import Intent, PaymentRequest, Unsupported
from services.payments.simulated import SimulatedAccount, SimulatedWallet
from tests.support.builders import MERCHANT as ANN
from tests.support.builders import a_key
from tests.support.till import Till, a_record, until

CALL, SAID = "c1" * 32, "5a" * 32


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[Till]:
    """A role that has caught up with an empty partition."""
    wallet = SimulatedWallet(tmp_path / "wallet.db")
    made = Till(wallet)
    await made.role.begin(0)
    await made.role.caught_up(0)
    yield made
    await made.role.close()
    wallet.close()


def wanted() -> InvoiceWanted:
    """A call to the shop's address wants an invoice."""
    return InvoiceWanted(
        intent_id=CALL, amount_msat=21_000, expires_at=int(time.time()) + 600, memo="To shop", description_hash=SAID
    )


def of_order() -> PaymentWanted:
    """An order with an address of its own wants its request."""
    return PaymentWanted(
        order=a_key(),
        intent_id=intent_id(a_key(), 1),
        revision=1,
        amount_msat=10_000,
        expires_at=int(time.time()) + 600,
        memo="Order",
        description_hash=SAID,
    )


def said[B: CommandBody](till: Till, kind: type[B]) -> list[B]:
    """What the role has said of this kind."""
    return [command.body for command in till.said if isinstance(command.body, kind)]


def without_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wallet that finds out only when it is asked that it cannot commit to a description."""
    ensure = SimulatedAccount.ensure

    async def refuse(self: SimulatedAccount, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        if intent.description_hash is not None:
            raise Unsupported("no hashes here")
        return await ensure(self, intent, timeout_s=timeout_s)

    monkeypatch.setattr(SimulatedAccount, "ensure", refuse)


async def test_a_call_has_its_invoice_made_and_its_money_is_seen_once(till: Till) -> None:
    """It commits to what the address says; paid, it is told of, and once that is in the journal it is let go."""
    await till.role.take(0, 1, a_record(1, ANN, wanted()))
    await until(lambda: said(till, RecordInvoice))
    (made,) = said(till, RecordInvoice)
    assert decode(made.text).description_hash == SAID
    await till.role.take(0, 2, a_record(2, ANN, InvoiceMade.model_validate(made.model_dump(exclude={"type"}))))

    await till.wallet.pay(made.text)
    await until(lambda: said(till, ObserveInvoice))
    (seen,) = said(till, ObserveInvoice)
    assert (seen.intent_id, seen.gross_msat) == (CALL, 21_000)
    assert till.role.needed_from(0, 9) == 1
    paid = AddressPaid(intent_id=CALL, gross_msat=21_000, settled_at=seen.settled_at)
    await till.role.take(0, 3, a_record(3, ANN, paid))
    assert till.role.needed_from(0, 9) == 9


async def test_an_invoice_that_was_shown_is_found_again_after_a_restart(till: Till) -> None:
    """The next process asks for the same and gets the same; money that came meanwhile is seen."""
    await till.role.take(0, 1, a_record(1, ANN, want := wanted()))
    await until(lambda: said(till, RecordInvoice))
    made = InvoiceMade.model_validate(said(till, RecordInvoice)[0].model_dump(exclude={"type"}))
    await till.role.close()
    await till.wallet.pay(made.text)

    again = Till(till.wallet)
    await again.role.begin(0)
    await again.role.take(0, 1, a_record(1, ANN, want))
    await again.role.take(0, 2, a_record(2, ANN, made))
    await again.role.caught_up(0)
    await until(lambda: said(again, ObserveInvoice))
    assert said(again, RecordInvoice) == []
    await again.role.close()


async def test_a_wallet_that_cannot_commit_to_a_description_serves_no_address(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call is refused; an order is asked for with its memo, and its address is not offered."""
    without_hashes(monkeypatch)
    await till.role.take(0, 1, a_record(1, ANN, wanted(), of_order()))
    await until(lambda: said(till, RecordInvoiceFailure) and said(till, RecordPaymentRequest))

    assert said(till, RecordInvoiceFailure)[0].reason == "unsupported"
    (request,) = said(till, RecordPaymentRequest)
    assert (request.is_addressed, decode(request.text).description) == (False, "Order")


async def test_an_orders_request_commits_to_its_own_address(till: Till) -> None:
    """And says that it does."""
    await till.role.take(0, 1, a_record(1, ANN, of_order()))
    await until(lambda: said(till, RecordPaymentRequest))

    (request,) = said(till, RecordPaymentRequest)
    assert (request.is_addressed, decode(request.text).description_hash) == (True, SAID)


def test_an_invoice_that_was_never_made_is_given_up_with_its_time() -> None:
    """Nobody drops it, because no order waits for it."""
    entry = Open(wanted(), 0, 1, ANN)
    assert not entry.is_over(entry.wanted.expires_at)
    assert entry.is_over(entry.wanted.expires_at + LATE_WATCH_S + 1)
