"""The payments role has a BTCPay store make one claim link, says it once, in a box, and asks whether it was claimed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from schemas.codec import encode
from schemas.crash_points import Point, arm
from schemas.messages import Command
from schemas.payouts import (
    PayoutApproved,
    RecordPayoutFailure,
    RecordRefundLink,
    RefundLinkMade,
    link_refund_id_of,
)
from schemas.refunds import RecordRefund
from services.payments.btcpay import BtcpayStore
from services.payments.port import PaymentBackend, Refund, Refunded, RefundState, Rejected, Unknown
from services.payments.role import PaymentsRole
from services.vault import Vault
from tests.services.payments.btcpay_bench import backend_of, bench_of
from tests.services.payments.test_btcpay_refunds import RIGHTS
from tests.services.payments.test_paying_back import Died
from tests.support.builders import MERCHANT, a_key
from tests.support.scripted_btcpay import ScriptedBtcpay
from tests.support.till import a_record, until

NAME = link_refund_id_of(a_key(merchant=MERCHANT), "operator 1")


class LinkTill:
    """A role whose merchant has this wallet, and what it said."""

    def __init__(self, wallet: object, vault: Vault) -> None:
        self.said: list[Command] = []
        assert isinstance(wallet, BtcpayStore | Scripted)
        backend: PaymentBackend = wallet  # type: ignore[assignment]
        self.role = PaymentsRole(lambda _: backend, b"\x01" * 32, self.hear, seal_link=vault.seal_link)

    async def hear(self, command: Command) -> None:
        """Note it."""
        self.said.append(command)

    def of[T](self, kind: type[T]) -> list[T]:
        """What it said of a kind."""
        return [one.body for one in self.said if isinstance(one.body, kind)]

    async def read(self, *approvals: PayoutApproved | RefundLinkMade) -> None:
        """The journal has these, and ends there."""
        await self.role.take(0, 7, a_record(7, MERCHANT, *approvals))
        await self.role.caught_up(0)


@pytest.fixture
async def server() -> ScriptedBtcpay:
    return ScriptedBtcpay(rights=RIGHTS)


@pytest.fixture
async def store(server: ScriptedBtcpay) -> AsyncIterator[BtcpayStore]:
    async with server.serve() as url:
        backend = backend_of(server, url, doubt_s=0.0, may_refund=True)
        yield backend
        await backend.close()


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    monkeypatch.setattr("services.payments.paying_back.PAUSE_FIRST_S", 0.01)
    monkeypatch.setattr("services.payments.paying_back.CLAIM_PAUSE_MAX_S", 0.05)
    return Vault(tmp_path / "vault.db")


async def approval(server: ScriptedBtcpay, store: BtcpayStore) -> PayoutApproved:
    """The record that 5,000 of 21,000 sats are to go back."""
    bench = bench_of(server, store)
    intent = await bench.intent()
    await bench.pay((await bench.ensure(intent)).text)
    return an_approval(intent.intent_id)


def an_approval(intent_id: str) -> PayoutApproved:
    """The record that the money of a request is to go back by a link."""
    return PayoutApproved(
        order=a_key(merchant=MERCHANT),
        refund_id=NAME,
        amount_msat=5_000_000,
        intent_id=intent_id,
        approver="anna",
        cause="operator 2",
    )


def made(body: RecordRefundLink) -> RefundLinkMade:
    """What the decider writes of it."""
    return RefundLinkMade(order=body.order, refund_id=body.refund_id, amount_msat=5_000_000, sealed=body.sealed)


@pytest.mark.case("F13")
@pytest.mark.req("C-01")
async def test_a_link_is_said_once_in_a_box_and_entered_when_it_was_claimed(
    server: ScriptedBtcpay, store: BtcpayStore, vault: Vault
) -> None:
    """For the order's own request; whoever claims has it entered as paid by BTCPay."""
    till = LinkTill(store, vault)
    await till.read(await approval(server, store))
    await until(lambda: till.of(RecordRefundLink))
    (pull,) = server.refunds.pulls
    (body,) = till.of(RecordRefundLink)
    assert vault.text(MERCHANT, body.sealed) == pull.row(0)["viewLink"]
    await asyncio.sleep(0.2)
    assert len(till.said) == 1

    pull.claim("AwaitingApproval")
    await asyncio.sleep(0.1)
    pull.claim("Completed")
    await until(lambda: till.of(RecordRefund))
    (paid,) = till.of(RecordRefund)
    assert (paid.rail, paid.reference, paid.amount_msat) == ("btcpay", pull.said["name"], 5_000_000)
    assert (paid.cause, paid.fee_msat, len(till.said)) == (NAME, 0, 2)
    await till.role.close()


@pytest.mark.case("P32")
@pytest.mark.req("C-01")
async def test_a_process_that_dies_between_making_a_link_and_saying_it_makes_one(
    server: ScriptedBtcpay, store: BtcpayStore, vault: Vault
) -> None:
    """The next one finds it, and says what is the same command however often it is said."""
    wanted = await approval(server, store)

    def die(point: Point) -> None:
        if point is Point.PAYMENTS_LOOKED:
            raise Died

    arm(die)
    try:
        till = LinkTill(store, vault)
        await till.read(wanted)
        with pytest.raises(Died):
            await asyncio.wait_for(till.role.failure, 20)
    finally:
        arm(None)
    assert (till.said, len(server.refunds.pulls)) == ([], 1)
    await till.role.close()

    said: list[tuple[str, RecordRefundLink]] = []
    for _ in range(2):
        till = LinkTill(store, vault)
        await till.read(wanted)
        await until(lambda till=till: till.said)  # type: ignore[misc]
        said += [(one.id, body) for one in till.said if isinstance(body := one.body, RecordRefundLink)]
        await till.role.close()
    assert len(server.refunds.pulls) == 1
    assert said[0] == said[1]

    till = LinkTill(store, vault)
    await till.read(wanted, made(said[0][1]))
    await asyncio.sleep(0.1)
    assert till.said == []
    server.refunds.pulls[0].claim("Completed")
    await until(lambda: till.of(RecordRefund))
    await till.role.close()


@pytest.mark.case("F13")
async def test_the_link_stands_nowhere_in_plain(
    server: ScriptedBtcpay, store: BtcpayStore, vault: Vault, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Not in a command, a record or a log, nor the name that BTCPay gives it in its address."""
    with caplog.at_level(logging.WARNING), capture_logs() as logs:  # as in `services.logs`
        till = LinkTill(store, vault)
        await till.read(await approval(server, store))
        await until(lambda: till.said)
        (pull,) = server.refunds.pulls
        pull.archived = True
        await asyncio.sleep(0.2)
        await till.role.close()
    (body,) = till.of(RecordRefundLink)
    written = [encode(till.said[0]).decode(), encode(a_record(8, MERCHANT, made(body))).decode(), repr(body)]
    ours = [one.getMessage() for one in caplog.records]
    vault.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    for text in (*written, *map(str, logs), *ours):
        assert pull.id not in text
    assert pull.id.encode() not in kept
    assert [one["error"] for one in logs if one["event"] == "pay-out"] == ["Unknown"], "said once, not for ever"


class Scripted:
    """A back-end that answers a refund with one thing after the other, the last one for ever."""

    def __init__(self, *answers: RefundState | Exception) -> None:
        self.answers, self.asked = list(answers), list[Refund]()

    async def refund(self, wish: Refund, *, timeout_s: float) -> Refunded:
        self.asked.append(wish)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return Refunded(wish.refund_id, answer, wish.amount_msat, evidence="Refund x", text="https://claim.example/x")


@pytest.mark.case("P32")
async def test_what_its_buyer_can_claim_is_never_called_a_failure(vault: Vault) -> None:
    """A wallet that was exchanged knows nothing of the link; before there is one it may be refused."""
    backend = Scripted(RefundState.CLAIMABLE, Rejected("no request"), RefundState.FAILED, Unknown("?"), Rejected("no"))
    till = LinkTill(backend, vault)
    await till.read(an_approval("e5" * 32))
    await until(lambda: len(backend.asked) > 5)
    assert [type(one.body) for one in till.said] == [RecordRefundLink]
    assert {(one.destination, one.about) for one in backend.asked} == {(None, "4xs6lzpf4xs6lzpf4xs6lzpf")}
    await till.role.close()

    till = LinkTill(Scripted(Rejected("less came")), vault)
    await till.read(an_approval("e5" * 32))
    await until(lambda: till.of(RecordPayoutFailure))
    await till.role.close()
