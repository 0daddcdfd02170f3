"""When a request is looked up though nobody hinted at it, and how often one wallet is asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from schemas.payments import PaymentRequested, PaymentWanted, RecordPaymentRequest, intent_id
from services.payments import role as payments_role
from services.payments import turns
from services.payments.open_requests import LATE_WATCH_S, Open
from services.payments.port import BackendError, BackendRef, Cursor, Hint, Observation, Rejected, Retry
from services.payments.simulated import SimulatedAccount, SimulatedWallet
from services.payments.turns import EVERY_S, LATE_EVERY_S, TURN_MAX, Look, by_wallet, next_look_s, take_turn
from tests.support.builders import MERCHANT as ANN
from tests.support.builders import NOW_S, a_key
from tests.support.builders import OTHER_MERCHANT as BOB
from tests.support.till import Till, a_record, until

ENDS_S = NOW_S + 900


def shown(merchant: str = ANN, name: str = "order-1", expires_at: int = ENDS_S) -> Open:
    """A request that its buyer was shown now."""
    key = a_key(name, merchant=merchant)
    wanted = PaymentWanted(
        order=key, intent_id=intent_id(key, 1), revision=1, amount_msat=10_000, expires_at=expires_at, memo="Order"
    )
    return Open(wanted, 0, 0, merchant, requested=True, wanted_s=NOW_S, shown_s=NOW_S)


def moments(entry: Open, until_s: int) -> list[int]:
    """When it is looked up, in seconds from when it was shown; each look-up begins when it is due."""
    found: list[int] = []
    entry.asked_s = NOW_S
    while (due_s := next_look_s(entry)) <= NOW_S + until_s:
        found.append(int(due_s) - NOW_S)
        entry.asked_s = due_s
    return found


@pytest.mark.case("P26")
def test_a_request_is_looked_up_often_at_first_and_seldom_once_it_is_over() -> None:
    """Five seconds after it was shown, each minute, at its end, and until its watch is over and was answered."""
    early = [5, 10, 20, 40, *range(100, 900, int(EVERY_S)), 900]
    over = 900 + LATE_WATCH_S
    late = [960, *range(1_560, over, int(LATE_EVERY_S)), over + 1]
    assert moments(shown(), over + 1) == early + late
    assert moments(shown(), over + 1_300)[-2:] == [over + 601, over + 1_201]


def test_a_wallet_that_hints_at_nothing_is_asked_in_every_sweep_until_the_end() -> None:
    """Nothing else would tell of the payment."""
    deaf = shown()
    deaf.is_deaf = True
    assert moments(deaf, 100) == [5, 10, 20, 40, 55, 70, 85, 100]


@pytest.mark.case("P17")
def test_an_order_that_waits_for_its_wallet_is_looked_up_in_every_sweep() -> None:
    """Past its end, until the wallet answers."""
    waiting = shown()
    waiting.is_waited_for = True
    waiting.asked_s = ENDS_S + 100
    assert next_look_s(waiting) == ENDS_S + 115


def test_what_is_about_to_end_has_its_turn_first() -> None:
    """Then what was not looked up for longest; each wallet has a turn of its own."""
    near, old, new = shown(name="near"), shown(name="old", expires_at=NOW_S + 5_000), shown(name="new")
    spare, other = shown(name="spare"), shown(BOB)
    near.asked_s, old.asked_s, new.asked_s, spare.is_spare = NOW_S + 800, NOW_S + 100, NOW_S + 200, True
    new.wanted = new.wanted.model_copy(update={"expires_at": NOW_S + 5_000})
    entries = [new, old, other, near, spare]
    assert by_wallet(entries, lambda _: NOW_S + 850) == {
        (ANN, False): [near, old, new],
        (BOB, False): [other],
        (ANN, True): [spare],
    }


async def a_turn(due: list[Open], answers: list[BackendError | None]) -> tuple[list[Open], list[Open]]:
    """What was looked up in one turn, and what was said to be missed."""
    looked, missed = list[Open](), list[Open]()

    async def answer() -> BackendError | None:
        return answers[len(looked) - 1] if len(looked) <= len(answers) else None

    def look(entry: Open) -> Look:
        looked.append(entry)
        return asyncio.ensure_future(answer())

    async def miss(entry: Open) -> None:
        missed.append(entry)

    await take_turn(due, look, miss)
    return looked, missed


@pytest.mark.case("P26")
async def test_one_turn_asks_a_wallet_only_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is due beyond that waits for the next one."""
    monkeypatch.setattr(turns, "LOOK_EVERY_S", 0.0)
    due = [shown(name=f"order-{number}") for number in range(TURN_MAX + 20)]
    assert await a_turn(due, []) == (due[:TURN_MAX], [])


@pytest.mark.case("P17", "P26")
async def test_a_wallet_that_does_not_answer_is_asked_once_a_turn_and_missed_for_all() -> None:
    """It is left alone as long as it says; a refusal of one request says nothing of the others."""
    due = [shown(name=f"order-{number}") for number in range(3)]
    began_s = asyncio.get_running_loop().time()
    assert await a_turn(due, [Retry("too many calls", retry_after_s=0.2)]) == (due[:1], due)
    assert asyncio.get_running_loop().time() - began_s >= 0.2

    looked, missed = await a_turn(due, [Rejected("no such thing")])
    assert (looked, missed) == (due, [])


class Counting(SimulatedAccount):
    """An account that counts how often it is looked up, and hints at nothing."""

    asked: Counter[str]
    name = ""

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Count it, then say how it stands."""
        self.asked[self.name] += 1
        return await super().lookup(ref, timeout_s=timeout_s)

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Nothing, for ever."""
        await asyncio.Event().wait()
        yield Hint(None, at=0)


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[tuple[Till, Counter[str]]]:
    """A role with two shops, and how often each one's wallet was asked."""
    wallet, asked = SimulatedWallet(tmp_path / "wallet.db"), Counter[str]()
    accounts = {merchant: Counting(wallet, merchant) for merchant in (ANN, BOB)}
    for merchant, account in accounts.items():
        account.name, account.asked = merchant, asked
    made = Till(cast(SimulatedWallet, SimpleNamespace(account=accounts.__getitem__)))
    await made.role.begin(0)
    await made.role.caught_up(0)
    yield made, asked
    await made.role.close()
    wallet.close()


@pytest.mark.case("P26")
async def test_a_shop_with_many_open_requests_takes_no_others_turn(
    till: tuple[Till, Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ann has twice as many as a turn takes; Bob's only one is looked up in the first sweep, and hers in the second."""
    shops, asked = till
    monkeypatch.setattr(payments_role, "SWEEP_EVERY_S", 0.4)
    monkeypatch.setattr(turns, "LOOK_EVERY_S", 0.001)
    many = 2 * TURN_MAX
    keys = [a_key(f"order-{number}", merchant=ANN) for number in range(many)] + [a_key(merchant=BOB)]
    (wanted,) = shops.wanted(0, ANN).events
    for offset, key in enumerate(keys):
        one = wanted.model_copy(update={"order": key, "intent_id": intent_id(key, 1)})
        await shops.role.take(0, offset, a_record(offset, key.merchant, one))
    await until(lambda: len(shops.said) == many + 1)
    for number, command in enumerate(list(shops.said)):
        assert isinstance(command.body, RecordPaymentRequest)
        requested = PaymentRequested.model_validate(command.body.model_dump(exclude={"type"}))
        await shops.role.take(0, many + 1 + number, a_record(many + 1 + number, command.merchant, requested))

    sweeping = asyncio.ensure_future(shops.role.sweep())
    await until(lambda: asked[BOB])
    assert asked[ANN] <= TURN_MAX
    await until(lambda: asked[ANN] > TURN_MAX)
    assert asked[BOB] == 1
    sweeping.cancel()
