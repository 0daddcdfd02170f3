"""The payments role swaps tokens that were handed in, says what came of each, and forgets none over a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.cashu.faults import TokenFault
from schemas.cashu.requests import read_request
from schemas.cashu.tokens import Token, write_token
from schemas.ecash import RecordTokenRefusal, TokenHandedIn, TokenRefused
from schemas.messages import Command
from schemas.payments import (
    BackendState,
    Method,
    ObservePayment,
    PaymentRequested,
    PaymentSettled,
    PaymentWanted,
    RecordPaymentRequest,
    intent_id,
)
from schemas.values import SealedDetails
from services.payments import token_taking
from services.payments.cashu import EcashWallet
from services.payments.cashu_book import Book
from services.payments.cashu_mint import Mint
from services.payments.port import Intent, reference
from services.payments.role import PaymentsRole
from services.payments.simulated import SimulatedWallet
from services.payments.token_taking import no_tokens
from services.payments.wallets import NoWallet
from tests.services.payments.ecash_laws import SEED
from tests.support.builders import MERCHANT, a_key
from tests.support.scripted_mint import URL, MintFault, ScriptedMint
from tests.support.till import a_record, until

ORDER = a_key()
INTENT = intent_id(ORDER, 1)


class EcashTill:
    """A role over a wallet of ecash, what it said, and the boxes it can open."""

    def __init__(self, folder: Path, mint: ScriptedMint, boxes: dict[str, str]) -> None:
        self.mint, self.boxes, self.said = mint, boxes, list[Command]()
        self.wallet = EcashWallet([Mint(URL, mint.transport)], Book(folder / "ecash.db", SEED), SEED)
        self.role = PaymentsRole(lambda _: self.wallet, b"\x01" * 32, self.hear, open_token=self.opened)

    async def hear(self, command: Command) -> None:
        self.said.append(command)

    def opened(self, merchant: str, sealed: SealedDetails) -> str | None:
        return self.boxes.get(sealed.key_id)

    def of[T](self, kind: type[T]) -> list[T]:
        return [command.body for command in self.said if isinstance(command.body, kind)]

    async def start(self) -> None:
        await self.role.begin(0)
        wanted = PaymentWanted(
            order=ORDER,
            intent_id=INTENT,
            revision=1,
            amount_msat=21_000_000,
            expires_at=int(time.time()) + 600,
            memo="Order",
        )
        await self.role.take(0, 0, a_record(0, MERCHANT, wanted))

    async def request(self) -> RecordPaymentRequest:
        """The order's request is made and was recorded."""
        await self.role.caught_up(0)
        await until(lambda: self.of(RecordPaymentRequest))
        made = self.of(RecordPaymentRequest)[0]
        await self.role.take(0, 1, a_record(1, MERCHANT, asked(made)))
        return made

    async def hand_in(self, token: Token, offset: int = 2) -> TokenHandedIn:
        event = handed_in(token)
        self.boxes[event.sealed.key_id] = write_token(token)
        await self.role.take(0, offset, a_record(offset, MERCHANT, event))
        return event

    async def close(self) -> None:
        await self.role.close()
        await self.wallet.close()


def asked(made: RecordPaymentRequest) -> PaymentRequested:
    return PaymentRequested.model_validate(made.model_dump(exclude={"type"}))


def handed_in(token: Token) -> TokenHandedIn:
    sealed = SealedDetails(key_id=f"token:{token.digest[:16]}", box="c2VhbGVk")
    return TokenHandedIn(order=ORDER, intent_id=INTENT, token_id=token.digest, sealed=sealed)


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_taking, "PAUSE_FIRST_S", 0.01)


@pytest.fixture
def mint() -> ScriptedMint:
    return ScriptedMint()


@pytest.fixture
async def till(tmp_path: Path, mint: ScriptedMint) -> AsyncIterator[EcashTill]:
    till = EcashTill(tmp_path, mint, {})
    await till.start()
    yield till
    await till.close()


async def test_an_order_is_asked_for_ecash_and_paid_by_a_token(till: EcashTill, mint: ScriptedMint) -> None:
    """The buyer's request is one for ecash; what was swapped is observed as any money is."""
    made = await till.request()
    assert (made.medium, made.payment_hash) == ("ecash", None)
    request = read_request(made.text)
    assert (request.amount, request.lock_key) == (21_000, till.wallet.lock_key)

    await till.hand_in(mint.token(21_000, request.lock_key))
    await until(lambda: till.of(ObservePayment))
    (seen, *_) = till.of(ObservePayment)
    assert (seen.state, seen.gross_msat, seen.order) == (BackendState.SETTLED, 21_000_000, ORDER)


@pytest.mark.case("F8", "F10")
async def test_a_token_that_was_spent_or_is_of_another_mint_is_refused_with_its_reason(
    till: EcashTill, mint: ScriptedMint
) -> None:
    """The mint that is on no list is not asked; neither is money."""
    await till.request()
    spent, foreign = mint.token(21_000), ScriptedMint("https://evil.example").token(21_000)
    mint.spend(spent)
    await till.hand_in(spent)
    await until(lambda: till.of(RecordTokenRefusal))
    await till.hand_in(foreign, 3)
    await until(lambda: len(till.of(RecordTokenRefusal)) == 2)
    assert [(one.token_id, one.reason) for one in till.of(RecordTokenRefusal)] == [
        (spent.digest, TokenFault.SPENT),
        (foreign.digest, TokenFault.FOREIGN_MINT),
    ]
    assert till.of(ObservePayment) == []


@pytest.mark.case("P30")
async def test_a_token_waits_for_a_mint_that_is_down(till: EcashTill, mint: ScriptedMint) -> None:
    """However often it has to be asked; nothing is refused meanwhile."""
    await till.request()
    mint.fail("/v1/swap", MintFault.DOWN, MintFault.LOST, MintFault.DOWN)
    await till.hand_in(mint.token(21_000))
    await until(lambda: till.of(ObservePayment))
    assert till.of(RecordTokenRefusal) == []
    assert till.of(ObservePayment)[0].gross_msat == 21_000_000


@pytest.mark.case("P37")
async def test_a_token_that_was_owed_when_the_process_ended_is_swapped_by_the_next(
    till: EcashTill, mint: ScriptedMint, tmp_path: Path
) -> None:
    """The journal is read from the record that brought it; what was swapped before is said again and counts once."""
    made = await till.request()
    token = mint.token(21_000)
    mint.fail("/v1/swap", *[MintFault.LOST] * 50)
    event = await till.hand_in(token)
    await until(lambda: any(path == "/v1/swap" for path, _ in mint.calls))
    assert till.role.needed_from(0, 9) == 0
    await till.close()
    mint.faults.clear()

    after = EcashTill(tmp_path, mint, till.boxes)
    await after.start()
    await after.role.take(0, 1, a_record(1, MERCHANT, asked(made)))
    await after.role.take(0, 2, a_record(2, MERCHANT, event))
    assert after.of(ObservePayment) == []
    await after.role.caught_up(0)
    await until(lambda: after.of(ObservePayment))
    assert {one.gross_msat for one in after.of(ObservePayment)} == {21_000_000}
    settled = PaymentSettled(order=ORDER, intent_id=INTENT, gross_msat=21_000_000, due_msat=21_000_000, settled_at=None)
    await after.role.take(0, 3, a_record(3, MERCHANT, settled))
    assert after.role.needed_from(0, 9) == 9
    await after.close()


async def test_a_refusal_in_the_journal_ends_what_is_owed(till: EcashTill, mint: ScriptedMint) -> None:
    """A token that was refused before is not tried again after a start."""
    await till.request()
    mint.fail("/v1/keysets", *[MintFault.DOWN] * 500)
    event = await till.hand_in(mint.token(21_000))
    refusal = TokenRefused(order=ORDER, intent_id=INTENT, token_id=event.token_id, reason=TokenFault.SPENT)
    await till.role.take(0, 3, a_record(3, MERCHANT, refusal))
    calls = len(mint.calls)
    await asyncio.sleep(0.1)
    assert len(mint.calls) - calls <= 1
    assert till.of(RecordTokenRefusal) == []


async def test_a_frozen_shops_tokens_wait(till: EcashTill, mint: ScriptedMint) -> None:
    """Nothing is swapped until a person lets its effects go."""
    await till.request()
    await till.role.freeze(0, MERCHANT)
    await till.hand_in(mint.token(21_000))
    await asyncio.sleep(0.05)
    assert not any(path == "/v1/swap" for path, _ in mint.calls)
    await till.role.thaw(0, MERCHANT)
    await until(lambda: till.of(ObservePayment))


async def test_a_token_for_a_wallet_that_takes_none_is_refused(tmp_path: Path, mint: ScriptedMint) -> None:
    """The shop was given another wallet meanwhile, or the box opens no more: the buyer is told."""
    simulated, said = SimulatedWallet(tmp_path / "wallet.db"), list[Command]()

    async def hear(command: Command) -> None:
        said.append(command)

    role = PaymentsRole(simulated.account, b"\x01" * 32, hear, open_token=no_tokens)
    await role.begin(0)
    await role.caught_up(0)
    await role.take(0, 0, a_record(0, MERCHANT, handed_in(mint.token(1))))
    await until(lambda: said)
    assert isinstance(said[0].body, RecordTokenRefusal)
    assert said[0].body.reason is TokenFault.NOT_TAKEN
    await role.close()
    simulated.close()


async def test_a_token_for_a_request_of_the_spare_wallet_is_swapped_there(till: EcashTill, mint: ScriptedMint) -> None:
    """The shop's own wallet may take no ecash at all; a request stays where it was made."""
    role = PaymentsRole(NoWallet, b"\x01" * 32, till.hear, spare_of=lambda _: till.wallet, open_token=till.opened)
    till.role = role
    await till.start()
    intent = Intent(INTENT, reference(INTENT), 21_000_000, "Order", int(time.time()) + 600, Method.CASHU)
    made = await till.wallet.ensure(intent, timeout_s=5)
    requested = PaymentRequested(
        order=ORDER,
        intent_id=INTENT,
        medium="ecash",
        text=made.text,
        payment_hash=None,
        amount_msat=21_000_000,
        expires_at=made.expires_at,
        is_spare=True,
    )
    await role.take(0, 1, a_record(1, MERCHANT, requested))
    await role.caught_up(0)
    await till.hand_in(mint.token(21_000))
    await until(lambda: till.of(ObservePayment))
    assert till.of(RecordTokenRefusal) == []


async def test_a_refusal_for_another_request_leaves_a_token_owed_for_its_own(
    till: EcashTill, mint: ScriptedMint
) -> None:
    """Somebody handed the same token in for two orders: what becomes of it at one says nothing of the other."""
    await till.request()
    mint.fail("/v1/keysets", *[MintFault.DOWN] * 20)
    event = await till.hand_in(mint.token(21_000))
    other = intent_id(a_key("another order"), 1)
    refusal = TokenRefused(order=None, intent_id=other, token_id=event.token_id, reason=TokenFault.ALREADY_PAID)
    await till.role.take(0, 3, a_record(3, MERCHANT, refusal))
    assert till.role.needed_from(0, 9) == 0
    mint.faults.clear()
    await until(lambda: till.of(ObservePayment))
    assert till.of(ObservePayment)[0].gross_msat == 21_000_000
