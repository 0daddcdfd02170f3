"""A wallet that is down has its next orders paid into the spare one, and stands by what it was shown for (C-27)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.payments import ObservePayment, PaymentRequested, RecordPaymentFailure, RecordPaymentRequest
from services.payments.port import Held, Intent, PaymentBackend, PaymentRequest, Rejected, Unknown
from services.payments.role import PaymentsRole
from services.payments.simulated import SimulatedAccount, SimulatedWallet
from services.payments.ways import FAILURES_MAX, LEFT_ALONE_S, Ways
from tests.services.payments.chain_bench import Open
from tests.support.builders import MERCHANT, a_key
from tests.support.scripted_chain import ScriptedChain
from tests.support.till import Till, a_record, until

pytestmark = pytest.mark.req("C-27")


class Down(SimulatedAccount):
    """An account whose server answers with errors, or refuses for good, until it is mended."""

    error: Exception | None = Unknown("500")
    calls = 0

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Fail, or do as accounts do."""
        self.calls += 1
        if self.error is not None:
            raise self.error
        return await super().ensure(intent, timeout_s=timeout_s)


class TwoWays(Till):
    """The payments role over two wallets, the first of them down."""

    def __init__(self, folder: Path, error: Exception, has_spare: bool = True) -> None:
        super().__init__(SimulatedWallet(folder / "wallet.db"))
        self.spare = SimulatedWallet(folder / "spare.db")
        self.down = Down(self.wallet, MERCHANT)
        self.down.error = error
        self.told: list[str] = []
        self.has_spare = has_spare
        self.spare_backend: PaymentBackend | None = None
        self.restart()

    def restart(self) -> None:
        """Another process takes over."""
        self.role = PaymentsRole(lambda _: self.down, b"\x01" * 32, self.hear, self._spare, self.told.append)

    def _spare(self, merchant: str) -> PaymentBackend | None:
        return (self.spare_backend or self.spare.account(merchant)) if self.has_spare else None

    def requested(self, offset: int) -> PaymentRequested:
        """What the decider makes of the request that was made."""
        (made,) = self.requests(MERCHANT)
        given = {name: getattr(made, name) for name in PaymentRequested.model_fields if name != "type"}
        return PaymentRequested.model_validate(given)


@pytest.fixture
async def ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TwoWays]:
    """A role that has caught up with an empty partition, and does not wait long between two tries."""
    monkeypatch.setattr("services.payments.making_requests.PAUSE_FIRST_S", 0.001)
    made = TwoWays(tmp_path, Unknown("500"))
    await made.role.begin(0)
    await made.role.caught_up(0)
    yield made
    await made.role.close()
    made.wallet.close()
    made.spare.close()


@pytest.mark.case("P16")
async def test_a_wallet_that_fails_again_and_again_gives_way_to_the_spare_one(ways: TwoWays) -> None:
    """The buyer is shown one request, of the spare wallet; its money is seen there, and the operator is told."""
    await ways.role.take(0, 0, ways.wanted(0, MERCHANT))
    await until(lambda: ways.requests(MERCHANT))
    (made,) = ways.requests(MERCHANT)
    assert made.is_spare
    assert ways.down.calls == FAILURES_MAX
    assert ways.told == [f"wallets that do not answer: {MERCHANT[:8]}…"]

    await ways.role.take(0, 1, a_record(1, MERCHANT, ways.requested(1)))
    await ways.spare.pay(made.text)
    await until(lambda: ways.observed(MERCHANT))
    assert len(ways.requests(MERCHANT)) == 1


@pytest.mark.case("P16")
async def test_a_buyer_is_offered_the_chain_while_the_lightning_wallet_is_down(
    ways: TwoWays, wallet_at: Open, chain: ScriptedChain
) -> None:
    """The next method, for the same order and sum; its money is seen there."""
    ways.spare_backend = wallet_at()
    (wanted,) = ways.wanted(0, MERCHANT).events
    await ways.role.take(0, 0, a_record(0, MERCHANT, wanted.model_copy(update={"amount_msat": 20_000_000})))
    await until(lambda: ways.requests(MERCHANT))
    (made,) = ways.requests(MERCHANT)
    assert (made.medium, made.amount_msat, made.is_spare) == ("bitcoin", 20_000_000, True)
    assert made.text.startswith("bitcoin:")


async def test_an_order_that_the_spare_wallet_refuses_waits_for_the_other(
    ways: TwoWays, wallet_at: Open, chain: ScriptedChain
) -> None:
    """Ten sats are dust on the chain: the order does not fail for that, but where both refuse it does."""
    ways.spare_backend = wallet_at()
    await ways.role.take(0, 0, ways.wanted(0, MERCHANT))
    await until(lambda: ways.down.calls > FAILURES_MAX + 1)
    assert ways.said == []
    ways.down.error = None
    await until(lambda: ways.requests(MERCHANT))
    assert not ways.requests(MERCHANT)[0].is_spare

    ways.said.clear()
    ways.down.error = Rejected("over the limit")
    other = ways.wanted(1, MERCHANT).events[0].model_copy(update={"intent_id": "ab" * 32})
    await ways.role.take(0, 1, a_record(1, MERCHANT, other))
    await until(lambda: ways.said)
    assert isinstance(ways.said[0].body, RecordPaymentFailure)


async def test_a_request_of_the_spare_wallet_is_found_there_after_a_restart(ways: TwoWays) -> None:
    """Whatever the wallet does by then: what was shown can be paid only where it was made."""
    await ways.role.take(0, 0, ways.wanted(0, MERCHANT))
    await until(lambda: ways.requests(MERCHANT))
    requested = a_record(1, MERCHANT, ways.requested(1))
    await ways.role.close()
    await ways.spare.pay(ways.requests(MERCHANT)[0].text)

    ways.down.error = None
    ways.restart()
    await ways.role.take(0, 0, ways.wanted(0, MERCHANT))
    await ways.role.take(0, 1, requested)
    await ways.role.caught_up(0)
    await until(lambda: ways.observed(MERCHANT))
    assert len([c for c in ways.said if isinstance(c.body, RecordPaymentRequest)]) == 1
    assert [c.body.gross_msat for c in ways.said if isinstance(c.body, ObservePayment)] == [10_000]


@pytest.mark.case("P16")
async def test_what_the_wallet_refuses_for_good_is_asked_of_the_spare_one(ways: TwoWays) -> None:
    """At once; an order fails only where both refuse."""
    ways.down.error = Rejected("over the limit")
    await ways.role.take(0, 0, ways.wanted(0, MERCHANT))
    await until(lambda: ways.requests(MERCHANT))
    assert ways.requests(MERCHANT)[0].is_spare
    assert ways.down.calls == 1


@pytest.mark.case("F7")
@pytest.mark.case("P21")
async def test_a_wallet_that_is_held_gives_way_to_the_spare_one_at_once(ways: TwoWays) -> None:
    """Without a second try, and the operator reads the reason."""
    ways.down.error = Held("its clock is 400 s off ours")
    await ways.role.take(0, 0, ways.wanted(0, MERCHANT))
    await until(lambda: ways.requests(MERCHANT))
    assert ways.requests(MERCHANT)[0].is_spare
    assert ways.down.calls == 1
    assert ways.told == [f"wallets that do not answer: {MERCHANT[:8]}… (its clock is 400 s off ours)"]


@pytest.mark.case("P21")
async def test_orders_wait_for_a_wallet_that_is_held_and_has_no_spare_one(ways: TwoWays) -> None:
    """None of them fails; their requests are made once the reason is gone."""
    ways.has_spare, ways.down.error = False, Held("its clock is 400 s off ours")
    await ways.role.take(0, 0, ways.wanted(0, MERCHANT))
    await until(lambda: ways.down.calls > 2)
    assert ways.said == []
    ways.down.error = None
    await until(lambda: ways.requests(MERCHANT))
    assert ways.told[-1] == ""


@pytest.mark.case("P16")
async def test_a_wallet_without_a_spare_one_is_tried_for_ever(ways: TwoWays) -> None:
    """Its orders wait for it, as long as they live; what it refuses fails the order."""
    ways.has_spare = False
    await ways.role.take(0, 0, ways.wanted(0, MERCHANT))
    await until(lambda: ways.down.calls > FAILURES_MAX)
    assert ways.said == []
    ways.down.error = Rejected("over the limit")
    await until(lambda: ways.said)
    assert isinstance(ways.said[0].body, RecordPaymentFailure)
    assert ways.said[0].body.order == a_key(merchant=MERCHANT)


def test_a_wallet_that_is_left_alone_is_tried_by_one_call_at_a_time(tmp_path: Path) -> None:
    """After half a minute; an answer opens it for all, and the operator is told nothing more."""
    now_s, told = [0.0], list[str]()
    wallet = SimulatedWallet(tmp_path / "wallet.db")
    ways = Ways(wallet.account, wallet.account, lambda: now_s[0], told.append)
    for _ in range(FAILURES_MAX):
        assert not ways.takes_spare(MERCHANT)
        ways.failed(MERCHANT)
    assert ways.takes_spare(MERCHANT)

    now_s[0] += LEFT_ALONE_S
    assert [ways.takes_spare(MERCHANT) for _ in range(3)] == [False, True, True]
    ways.failed(MERCHANT)
    assert ways.takes_spare(MERCHANT)
    now_s[0] += LEFT_ALONE_S
    assert not ways.takes_spare(MERCHANT)
    ways.worked(MERCHANT)
    assert not ways.takes_spare(MERCHANT)
    assert told == [f"wallets that do not answer: {MERCHANT[:8]}…", ""]
    wallet.close()


def test_the_operator_reads_why_a_wallet_cannot_be_used(tmp_path: Path) -> None:
    """Where the wallet can say: of one that cannot keep to the shop's mint list, which of the two to change."""
    told: list[str] = []
    wallet = SimulatedWallet(tmp_path / "wallet.db")
    ways = Ways(wallet.account, lambda _: None, lambda: 0.0, told.append)
    for _ in range(FAILURES_MAX):
        ways.failed(MERCHANT, "the list names none of its mints")
    assert told == [f"wallets that do not answer: {MERCHANT[:8]}… (the list names none of its mints)"]
    wallet.close()
