"""Runs the simulated wallet through the payment contract, and tries what is its own: file, payer, processes."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import services
from schemas.bolt11 import Network, decode, encode
from schemas.payments import BackendState
from services.payments.port import FROM_THE_START, Cursor, Hint, PaymentBackend, Rejected
from services.payments.simulated import SCAN_ROWS_MAX, PayFault, PaymentRefused, SimulatedWallet
from tests.services.payments.contract import LIFE_S, MERCHANT, TIMEOUT_S, Bench, PaymentBackendContract
from tests.services.payments.wallet_process import an_intent
from tests.support.contract_table import REAL

OTHER_MERCHANT = "d4" * 32
START_S = 1_760_000_000


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> int:
        return self.now_s

    async def pass_time(self, seconds: int) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wallet.sqlite"


@pytest.fixture
def wallet(path: Path, clock: Clock) -> Iterator[SimulatedWallet]:
    wallet = SimulatedWallet(path, clock=clock)
    yield wallet
    wallet.close()


@pytest.fixture
def bench(wallet: SimulatedWallet, clock: Clock) -> Bench:
    return _bench(wallet, clock)


def _bench(wallet: SimulatedWallet, clock: Clock) -> Bench:
    backend: PaymentBackend = wallet.account(MERCHANT)
    return Bench(backend, wallet.pay, clock, clock.pass_time)


class TestTheSimulatedWallet(PaymentBackendContract):
    """The contract, with a wallet that refuses late payments."""

    back_end, peer = "simulated", REAL


class TestTheSimulatedWalletThatSettlesLate(PaymentBackendContract):
    """The contract, with a wallet that takes late payments, as many real ones do."""

    back_end, peer = "simulated", REAL

    @pytest.fixture
    def wallet(self, path: Path, clock: Clock) -> Iterator[SimulatedWallet]:
        wallet = SimulatedWallet(path, clock=clock, late_settle=True)
        yield wallet
        wallet.close()


async def test_the_preimage_is_what_the_payer_gets(wallet: SimulatedWallet, bench: Bench) -> None:
    """It hashes to the payment hash and is the one the intent preset."""
    intent = await bench.intent()
    request = await bench.ensure(intent)
    assert intent.preimage is not None
    assert await wallet.pay(request.text) == intent.preimage.reveal()


async def test_without_a_preset_preimage_the_wallet_has_its_own(wallet: SimulatedWallet) -> None:
    """It is derived, so that a retry after a crash cannot make a second payment hash."""
    intent = an_intent(1, START_S + LIFE_S, preset=False)
    request = await wallet.account(MERCHANT).ensure(intent, timeout_s=TIMEOUT_S)
    other = await wallet.account(OTHER_MERCHANT).ensure(intent, timeout_s=TIMEOUT_S)
    assert request.payment_hash != other.payment_hash


async def test_a_preimage_serves_one_request_only(wallet: SimulatedWallet, bench: Bench) -> None:
    """A second invoice with the same hash could be settled by whoever learned the preimage of the first."""
    intent = await bench.intent()
    await bench.ensure(intent)
    with pytest.raises(Rejected):
        await wallet.account(OTHER_MERCHANT).ensure(intent, timeout_s=TIMEOUT_S)


async def test_merchants_do_not_see_each_other(wallet: SimulatedWallet, bench: Bench) -> None:
    """Look-up, scan, cancel and balance stay within the account."""
    request = await bench.request(amount_msat=7_000)
    stranger = wallet.account(OTHER_MERCHANT)
    await stranger.cancel(request.backend_ref, timeout_s=TIMEOUT_S)
    await wallet.pay(request.text)
    assert (await stranger.lookup(request.backend_ref, timeout_s=TIMEOUT_S)).state is BackendState.GONE
    assert (await stranger.scan(FROM_THE_START, timeout_s=TIMEOUT_S)).observations == ()
    assert await stranger.balance_msat(timeout_s=TIMEOUT_S) == 0
    assert await wallet.account(MERCHANT).balance_msat(timeout_s=TIMEOUT_S) == 7_000


@pytest.mark.parametrize("merchant", ["", "A1" * 32, "a1" * 31, "../" + "a" * 61])
def test_a_merchant_is_named_by_a_public_key(wallet: SimulatedWallet, merchant: str) -> None:
    """Anything else is a mistake of the caller."""
    with pytest.raises(ValueError, match="hex digits"):
        wallet.account(merchant)


async def test_each_refusal_to_pay_has_its_reason_and_a_sentence(
    wallet: SimulatedWallet, bench: Bench, clock: Clock
) -> None:
    """Unreadable, foreign, paid, cancelled and expired invoices are told apart."""
    paid, cancelled, expired = [await bench.request(f"order-{number}") for number in range(3)]
    await wallet.pay(paid.text)
    await bench.backend.cancel(cancelled.backend_ref, timeout_s=TIMEOUT_S)
    foreign = encode(
        network=Network.REGTEST,
        amount_msat=1_000,
        timestamp=START_S,
        payment_hash="e5" * 32,
        payment_secret="f6" * 32,
        secret=b"\x01" * 32,
        description="from elsewhere",
    )
    expired_s = clock() + LIFE_S
    for text, now, reason in [
        ("lnbcrt1hello", None, PayFault.UNREADABLE),
        (foreign, None, PayFault.UNKNOWN),
        (paid.text, None, PayFault.ALREADY_PAID),
        (cancelled.text, None, PayFault.CANCELLED),
        (expired.text, expired_s, PayFault.EXPIRED),
    ]:
        with pytest.raises(PaymentRefused) as caught:
            await wallet.pay(text, now)
        assert caught.value.reason is reason
        assert str(caught.value).endswith(".")


async def test_the_last_second_before_expiry_is_in_time(wallet: SimulatedWallet, bench: Bench) -> None:
    """An invoice can be paid until, and not at, its expiry."""
    request = await bench.request()
    await wallet.pay(request.text, request.expires_at - 1)
    assert not (await bench.lookup(request)).is_late


@pytest.mark.parametrize("text", ["x" * 700, "\ud800"])
async def test_a_memo_that_no_invoice_can_hold_is_rejected(bench: Bench, text: str) -> None:
    """Too long, or no Unicode text; nothing is kept for it."""
    with pytest.raises(Rejected):
        await bench.ensure(await bench.intent(memo=text))
    assert (await bench.request()).amount_msat == 21_000_000


@pytest.mark.parametrize("cursor", ["-1", "abc", "1 ", "9" * 30])
async def test_a_foreign_cursor_is_rejected(bench: Bench, cursor: str) -> None:
    """Going on from somewhere else would leave settlements out."""
    with pytest.raises(Rejected):
        await bench.backend.scan(Cursor(cursor), timeout_s=TIMEOUT_S)


async def test_a_long_history_is_scanned_and_heard_in_portions(wallet: SimulatedWallet, bench: Bench) -> None:
    """More settlements than one portion holds come all the same, each once and in order."""
    count = SCAN_ROWS_MAX + 5
    for number in range(count):
        await wallet.pay((await bench.request(f"order-{number}", 1_000 + number)).text)
    found, cursor = await bench.scan_all(FROM_THE_START)
    assert [one.gross_msat for one in found] == list(range(1_000, 1_000 + count))
    assert cursor == str(count)
    assert [hint.backend_ref for hint in await bench.hints(FROM_THE_START, count)] == [one.backend_ref for one in found]


async def test_everything_survives_a_reopening(path: Path, clock: Clock) -> None:
    """Invoices, settlements, cursors and the node key are the file's, not the process's."""
    first = SimulatedWallet(path, clock=clock)
    before = _bench(first, clock)
    intent = await before.intent("order-1")
    paid, unpaid = await before.ensure(intent), await before.request("order-2")
    await first.pay(paid.text)
    _, cursor = await before.scan_all(FROM_THE_START)
    first.close()
    await clock.pass_time(30)
    second = SimulatedWallet(path, clock=clock)
    after = _bench(second, clock)
    assert second.payee == first.payee == decode(paid.text).payee
    assert await after.ensure(intent) == paid
    assert (await after.lookup(paid)).settled_at == START_S
    assert (await after.lookup(unpaid)).state is BackendState.OPEN
    assert await after.scan_all(cursor) == ([], cursor)
    second.close()


async def test_a_closed_wallet_ends_its_listeners(path: Path, clock: Clock) -> None:
    """Nobody waits for a file that has been let go."""
    wallet = SimulatedWallet(path, clock=clock)

    async def listen() -> list[Hint]:
        return [hint async for hint in wallet.account(MERCHANT).listen(FROM_THE_START)]

    listening = [asyncio.create_task(listen()) for _ in range(3)]
    await asyncio.sleep(0.05)
    wallet.close()
    assert await asyncio.wait_for(asyncio.gather(*listening), TIMEOUT_S) == [[], [], []]


async def test_a_listener_hears_its_own_merchant_only(wallet: SimulatedWallet, bench: Bench) -> None:
    """Another shop's sale is no hint."""
    foreign = await wallet.account(OTHER_MERCHANT).ensure(
        an_intent(1, START_S + LIFE_S, preset=False), timeout_s=TIMEOUT_S
    )
    own = await bench.request()
    listening = asyncio.create_task(bench.hints(FROM_THE_START, 1))
    await asyncio.sleep(0.05)
    await wallet.pay(foreign.text)
    await asyncio.sleep(0.1)
    await wallet.pay(own.text)
    assert [hint.backend_ref for hint in await listening] == [own.backend_ref]


@pytest.mark.real
@pytest.mark.req("PAY-17")
async def test_an_invoice_whose_maker_was_killed_before_telling_is_found_again(path: Path) -> None:
    """Killed between creating and returning, the next call gives the invoice that is in the file."""
    expires_at = int(time.time()) + LIFE_S
    wallet = SimulatedWallet(path)
    for number in range(4):
        child = _process("die-after-ensure", path, number, 1, expires_at)
        child.communicate(timeout=60)
        assert child.returncode == -signal.SIGKILL
        [(kept,)] = _query(path, f"SELECT text FROM invoices WHERE amount_msat = {1_000_000 + number}")
        request = await wallet.account(MERCHANT).ensure(an_intent(number, expires_at), timeout_s=TIMEOUT_S)
        assert request.text == kept
    assert _query(path, "SELECT count(*) FROM invoices") == [(4,)]
    wallet.close()


@pytest.mark.case("P2", "P37")
@pytest.mark.real
@pytest.mark.req("PAY-17")
async def test_a_maker_killed_at_any_moment_leaves_one_invoice_for_each_intent(path: Path) -> None:
    """What it told is what is found, and the rest is made once."""
    expires_at = int(time.time()) + LIFE_S
    child = _process("ensure", path, 0, 5000, expires_at)
    assert child.stdout is not None
    told = [child.stdout.readline() for _ in range(50)]
    child.kill()
    told += [line for line in child.communicate(timeout=60)[0].splitlines(keepends=True) if line.endswith("\n")]
    wallet = SimulatedWallet(path)
    texts = []
    for number in range(len(told) + 10):
        intent = an_intent(number, expires_at)
        texts.append((await wallet.account(MERCHANT).ensure(intent, timeout_s=TIMEOUT_S)).text)
    assert texts[: len(told)] == [line.strip() for line in told]
    assert len(set(texts)) == len(texts)
    wallet.close()


@pytest.mark.real
async def test_two_processes_make_and_pay_the_same_invoices_once_while_a_third_listens(path: Path) -> None:
    """Both print the same texts, each text is paid by one of them, and no settlement is missed."""
    count, expires_at = 60, int(time.time()) + LIFE_S
    makers = [_process("ensure", path, 0, count, expires_at) for _ in range(2)]
    texts, same_texts = [maker.communicate(timeout=60)[0].split() for maker in makers]
    assert texts == same_texts
    assert len(set(texts)) == count
    wallet = SimulatedWallet(path)
    bench = Bench(wallet.account(MERCHANT), wallet.pay, lambda: int(time.time()), Clock().pass_time)
    listening = asyncio.create_task(bench.hints(FROM_THE_START, count))
    payers = [_process("pay", path) for _ in range(2)]
    said = await asyncio.gather(
        *(asyncio.to_thread(payer.communicate, "\n".join(texts), timeout=60) for payer in payers)
    )
    results = [out.split() for out, _ in said]
    assert [set(pair) for pair in zip(*results, strict=True)] == [{"paid", "already_paid"}] * count
    assert len({hint.backend_ref for hint in await listening}) == count
    found, cursor = await bench.scan_all(FROM_THE_START)
    assert len(found) == count
    assert cursor == str(count)
    indices = _query(path, "SELECT settle_index FROM invoices ORDER BY settle_index")
    assert indices == [(number,) for number in range(1, count + 1)]
    wallet.close()


def _process(verb: str, path: Path, *figures: int) -> "subprocess.Popen[str]":
    root = Path(services.__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.services.payments.wallet_process", verb, str(path), *map(str, figures)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _query(path: Path, query: str) -> list[tuple[object, ...]]:
    database = sqlite3.connect(path)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()
