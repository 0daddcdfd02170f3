"""Money in parts, too much or taken back: what the simulated wallet says of it, and what the role makes of it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from schemas.messages import Command
from schemas.payments import (
    BackendState,
    ObservePayment,
    ObserveReversal,
    PaymentPartReceived,
    PaymentSettled,
    intent_id,
)
from services.payments.open_requests import reversal_of
from services.payments.port import FROM_THE_START, BackendRef, Observation, PaymentRequest
from services.payments.simulated import PayFault, PaymentRefused, SimulatedAccount, SimulatedWallet
from tests.services.payments.contract import MERCHANT, TIMEOUT_S
from tests.services.payments.wallet_process import an_intent
from tests.support.builders import MERCHANT as ANN
from tests.support.builders import a_key
from tests.support.till import Till, a_record, until


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


async def asked(wallet: SimulatedWallet) -> tuple[SimulatedAccount, PaymentRequest]:
    """A merchant's account with one invoice."""
    account = wallet.account(MERCHANT)
    return account, await account.ensure(an_intent(0, 1_900_000_000), timeout_s=TIMEOUT_S)


def seen(said: list[Command], state: BackendState) -> Callable[[], list[ObservePayment]]:
    """The look-ups with this outcome that the role has told of."""
    return lambda: [c.body for c in said if isinstance(c.body, ObservePayment) and c.body.state is state]


async def test_an_invoice_paid_in_parts_is_settled_by_the_last(till: Till) -> None:
    """Each part is seen with all that came; more than is asked is seen in full, and counts in the balance."""
    account, request = await asked(till.wallet)
    sats = request.amount_msat // 1_000
    assert await till.wallet.pay_sats(request.text, 1) is None
    found = await account.lookup(request.backend_ref, timeout_s=TIMEOUT_S)
    assert (found.state, found.gross_msat) == (BackendState.PARTIAL, 1_000)

    assert await till.wallet.pay_sats(request.text, sats + 4)
    found = await account.lookup(request.backend_ref, timeout_s=TIMEOUT_S)
    assert (found.state, found.gross_msat) == (BackendState.SETTLED, (sats + 5) * 1_000)
    assert await account.balance_msat(timeout_s=TIMEOUT_S) == found.gross_msat
    with pytest.raises(PaymentRefused) as refused:
        await till.wallet.pay(request.text)
    assert refused.value.reason is PayFault.ALREADY_PAID


async def test_the_rest_is_what_a_part_left(till: Till) -> None:
    """Paying the invoice itself after a part pays no more than is missing."""
    account, request = await asked(till.wallet)
    await till.wallet.pay_sats(request.text, 1)
    assert await till.wallet.pay(request.text)

    found = await account.lookup(request.backend_ref, timeout_s=TIMEOUT_S)
    assert found.gross_msat == request.amount_msat


async def test_what_was_paid_can_be_taken_back_once(till: Till) -> None:
    """It is seen so, in the history too, and neither paid nor taken back again."""
    account, request = await asked(till.wallet)
    with pytest.raises(PaymentRefused) as refused:
        await till.wallet.reverse(request.text)
    assert refused.value.reason is PayFault.NOT_PAID
    await till.wallet.pay(request.text)
    await till.wallet.reverse(request.text)

    (found,) = (await account.scan(FROM_THE_START, timeout_s=TIMEOUT_S)).observations
    assert (found.state, found.gross_msat) == (BackendState.REVERSED, request.amount_msat)
    assert reversal_of(found) == ObserveReversal(payment_hash=str(request.payment_hash))
    assert await account.balance_msat(timeout_s=TIMEOUT_S) == 0
    for again in (till.wallet.reverse(request.text), till.wallet.pay(request.text)):
        with pytest.raises(PaymentRefused):
            await again


def test_only_a_reversal_with_a_payment_hash_is_one() -> None:
    """A settlement is none, and one without evidence names nobody."""
    for state, evidence in ((BackendState.SETTLED, "bolt11:aa"), (BackendState.REVERSED, "txid:aa")):
        assert reversal_of(Observation(BackendRef("x"), None, state, evidence=evidence)) is None


async def test_a_wallet_file_from_before_is_opened(tmp_path: Path) -> None:
    """The columns for parts are added to it; what was settled there stays so."""
    path = tmp_path / "old.db"
    wallet = SimulatedWallet(path)
    _, request = await asked(wallet)
    await wallet.pay(request.text)
    wallet.close()
    with sqlite3.connect(path) as database:
        for column in ("received_msat", "reversed_at"):
            database.execute(f"ALTER TABLE invoices DROP COLUMN {column}")
    database.close()

    wallet = SimulatedWallet(path)
    found = await wallet.account(MERCHANT).lookup(request.backend_ref, timeout_s=TIMEOUT_S)
    wallet.close()
    assert (found.state, found.gross_msat) == (BackendState.SETTLED, request.amount_msat)


@pytest.mark.case("P13")
async def test_the_role_says_each_part_once_and_then_the_rest(till: Till) -> None:
    """A part the journal has is no news; the request stays watched until all of it came."""
    await till.role.take(0, 0, till.wanted(0, ANN))
    request = await till.requested(1, ANN)
    await till.wallet.pay_sats(request.text, 4)
    parts = seen(till.said, BackendState.PARTIAL)
    await until(parts)
    (found,) = parts()
    assert found.gross_msat == 4_000
    part = PaymentPartReceived(
        order=found.order, intent_id=found.intent_id, gross_msat=4_000, due_msat=10_000, rest_msat=6_000
    )
    await till.role.take(0, 2, a_record(2, ANN, part))
    for entry in till.role._open.values():
        till.role._look_soon(entry)
    await till.wallet.pay(request.text)
    whole = seen(till.said, BackendState.SETTLED)
    await until(whole)
    assert [one.gross_msat for one in whole()] == [10_000]
    assert len(parts()) == 1
    assert len({command.id for command in till.said}) == len(till.said)


@pytest.mark.case("P19")
@pytest.mark.parametrize("is_down", [False, True])
async def test_the_role_says_that_settled_money_was_taken_back(till: Till, is_down: bool) -> None:
    """It has forgotten the request: the payment hash says whose it was; a loss while nobody listened is read back."""
    await till.role.take(0, 0, till.wanted(0, ANN))
    request = await till.requested(1, ANN)
    await till.wallet.pay(request.text)
    await until(seen(till.said, BackendState.SETTLED))
    settled = PaymentSettled(
        order=a_key(), intent_id=intent_id(a_key(), 1), gross_msat=10_000, due_msat=10_000, settled_at=1
    )
    await till.role.take(0, 2, a_record(2, ANN, settled))
    if is_down:
        await till.role.freeze(0, ANN)
    await till.wallet.reverse(request.text)
    if is_down:
        await till.role.thaw(0, ANN)

    await until(lambda: any(isinstance(command.body, ObserveReversal) for command in till.said))
    told = {command.body.payment_hash for command in till.said if isinstance(command.body, ObserveReversal)}
    assert told == {request.payment_hash}
