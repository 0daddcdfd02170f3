"""Ecash of a mint that fails and lies on command, and of payers who try what can be tried (F1, F8, F9, F10)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.cashu.keysets import Keyset
from schemas.cashu.requests import read_request
from schemas.cashu.tokens import PROOFS_MAX, SAT, Dleq, Token, read_token, write_token
from schemas.payments import BackendState
from services.payments import cashu_swap
from services.payments.cashu import EcashWallet
from services.payments.cashu_book import Book
from services.payments.cashu_mint import Mint
from services.payments.port import FROM_THE_START, Cursor, PaymentRequest, Reference, Rejected, Retry, Unknown
from tests.services.payments.contract import TIMEOUT_S, PaymentBackendContract
from tests.services.payments.ecash_laws import CAP_SATS, SEED, Clock, EcashBench, EcashLaws, bench_of
from tests.support.contract_table import SCRIPTED
from tests.support.scripted_mint import URL, MintFault, ScriptedMint

STRANGER = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"


@pytest.fixture
def mint() -> ScriptedMint:
    return ScriptedMint()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ecash.db"


@pytest.fixture
def book(path: Path) -> Book:
    return Book(path, SEED)


@pytest.fixture
async def wallet(mint: ScriptedMint, book: Book, clock: Clock) -> AsyncIterator[EcashWallet]:
    wallet = wallet_of(mint, book, clock)
    yield wallet
    await wallet.close()


@pytest.fixture
def bench(wallet: EcashWallet, mint: ScriptedMint, clock: Clock) -> EcashBench:
    async def made(sats: int, lock_key: str | None) -> Token:
        return mint.token(sats, lock_key)

    return bench_of(wallet, made, clock)


def wallet_of(mint: ScriptedMint, book: Book, clock: Clock, cap_sats: int = CAP_SATS) -> EcashWallet:
    return EcashWallet([Mint(mint.url, mint.transport)], book, SEED, cap_sats=cap_sats, clock=clock)


class TestScriptedMint(EcashLaws, PaymentBackendContract):
    """The contract, with a mint of the tests'."""

    back_end, peer = "cashu", SCRIPTED


async def reason(taking: Awaitable[None]) -> TokenFault:
    with pytest.raises(TokenRefused) as refused:
        await taking
    return refused.value.reason


def take(wallet: EcashWallet, request: PaymentRequest, token: Token) -> Awaitable[None]:
    return wallet.take(request.reference, token, timeout_s=TIMEOUT_S)


def swaps(mint: ScriptedMint) -> list[object]:
    return [body for path, body in mint.calls if path == "/v1/swap"]


@pytest.mark.case("P29")
@pytest.mark.parametrize("fault", [MintFault.LOST, MintFault.BROKEN, MintFault.LIES, MintFault.UNPROVEN])
async def test_a_lost_answer_is_asked_for_again_with_the_same_outputs(
    bench: EcashBench, wallet: EcashWallet, mint: ScriptedMint, book: Book, fault: MintFault
) -> None:
    """Whether the mint did it or not, or answered with another signature: the money comes once, or stays doubtful."""
    request, token = await bench.request(), mint.token(21_000, wallet.lock_key)
    mint.fail("/v1/swap", fault)
    with pytest.raises(Unknown):
        await take(wallet, request, token)
    assert (await bench.lookup(request)).state is BackendState.OPEN
    if fault in (MintFault.LIES, MintFault.UNPROVEN):
        assert await reason(take(wallet, request, token)) is TokenFault.SPENT
        assert book.held() == {}
        return
    await take(wallet, request, token)
    await take(wallet, request, token)
    first, *others = [body["outputs"] for body in swaps(mint)]  # type: ignore[index]
    assert all(other == first for other in others)
    assert book.held() == {URL: 21_000}
    assert (await bench.lookup(request)).gross_msat == 21_000_000


@pytest.mark.case("P29")
async def test_a_wallet_that_died_after_the_swap_finds_its_ecash_again(
    bench: EcashBench, wallet: EcashWallet, mint: ScriptedMint, path: Path, clock: Clock
) -> None:
    """The book says what was asked; the mint says what it signed."""
    request, token = await bench.request(), mint.token(21_000, wallet.lock_key)
    mint.fail("/v1/swap", MintFault.LOST)
    with pytest.raises(Unknown):
        await take(wallet, request, token)
    reborn = wallet_of(mint, Book(path, SEED), clock)
    await take(reborn, request, token)
    assert (await reborn.lookup(request.backend_ref, timeout_s=1)).state is BackendState.SETTLED
    await reborn.close()


@pytest.mark.case("P29")
async def test_a_book_that_was_lost_is_made_good_by_the_same_token(
    bench: EcashBench, wallet: EcashWallet, mint: ScriptedMint, tmp_path: Path, clock: Clock
) -> None:
    """Outputs follow from the seed and the token, so its mint gives the signatures again."""
    intent = await bench.intent()
    request, token = await bench.ensure(intent), mint.token(21_000, wallet.lock_key)
    await take(wallet, request, token)
    fresh = Book(tmp_path / "fresh.db", SEED)
    reborn = wallet_of(mint, fresh, clock)
    assert (await reborn.ensure(intent, timeout_s=1)).text == request.text
    await take(reborn, request, token)
    assert fresh.held() == {URL: 21_000}
    await reborn.close()


@pytest.mark.case("P30")
@pytest.mark.parametrize("path", ["/v1/keysets", "/v1/keys", "/v1/swap"])
@pytest.mark.parametrize("fault", [MintFault.DOWN, MintFault.BROKEN, MintFault.NONSENSE])
async def test_a_mint_that_is_out_of_reach_decides_nothing(
    tmp_path: Path, clock: Clock, mint: ScriptedMint, path: str, fault: MintFault
) -> None:
    """Whatever call it is, the token waits, and is taken afterwards, late if it has to be."""
    wallet = wallet_of(mint, Book(tmp_path / "ecash.db", SEED), clock)
    bench = EcashBench(wallet, lambda _: asyncio.sleep(0), clock, clock.pass_time)
    request, token = await bench.request(), mint.token(21_000, wallet.lock_key)
    fresh = wallet_of(mint, Book(tmp_path / "ecash.db", SEED), clock)  # it has asked for no keys yet
    mint.fail(path, fault)
    with pytest.raises((Retry, Unknown)):
        await take(fresh, request, token)
    await clock.pass_time(bench.life_s)
    await take(fresh, request, token)
    seen = await bench.lookup(request)
    assert (seen.state, seen.is_late) == (BackendState.SETTLED, True)
    await fresh.close()
    await wallet.close()


@pytest.mark.case("F8")
async def test_a_mint_is_not_called_unless_it_is_on_the_list(
    bench: EcashBench, wallet: EcashWallet, mint: ScriptedMint
) -> None:
    """Whoever names a mint would choose whom we call; the same mint with a slash is the same."""
    request = await bench.request()
    mint.calls.clear()
    token = mint.token(21_000, wallet.lock_key)
    for url in ("https://evil.example", f"{URL}.evil.example", f"{URL}/other", "http://127.0.0.1:1"):
        assert await reason(take(wallet, request, replace(token, mint=url))) is TokenFault.FOREIGN_MINT
    assert mint.calls == []
    written = write_token(replace(token, mint=f"{URL.upper()}/"))
    await take(wallet, request, read_token(written.strip()))


@pytest.mark.case("F8")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda token: replace(token, unit="usd"), TokenFault.WRONG_UNIT),
        (lambda token: _with(token, keyset="01" + "ab" * 32), TokenFault.UNKNOWN_KEYSET),
        (lambda token: _with(token, amount=3), TokenFault.NO_SUCH_AMOUNT),
        (lambda token: _with(token, signature=STRANGER), TokenFault.BAD_DLEQ),
        (lambda token: _with(token, signature=STRANGER, dleq=None), TokenFault.MINT_REFUSES),
        (lambda token: _with(token, dleq=Dleq("11" * 32, "22" * 32, "33" * 32)), TokenFault.BAD_DLEQ),
        (lambda token: _with(token, dleq=Dleq("ff" * 32, "ff" * 32, "00" * 32)), TokenFault.BAD_DLEQ),
    ],
)
async def test_a_token_that_is_not_what_it_says_is_refused(
    bench: EcashBench, wallet: EcashWallet, mint: ScriptedMint, change: Callable[[Token], Token], why: TokenFault
) -> None:
    """Another unit, keyset or amount than the mint has, or a signature that is not its own; the good one is taken."""
    request, token = await bench.request(), mint.token(21_000)
    assert await reason(take(wallet, request, change(token))) is why
    assert (await bench.lookup(request)).state is BackendState.OPEN
    await take(wallet, request, token)


def _with(token: Token, **fields: object) -> Token:
    first, *others = token.proofs
    return replace(token, proofs=(replace(first, **fields), *others))  # type: ignore[arg-type]


@pytest.mark.case("F8")
async def test_a_short_keyset_that_two_could_mean_is_refused(
    bench: EcashBench, wallet: EcashWallet, mint: ScriptedMint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The full id says which; the mint's own keys are those of its id, whatever it says they are."""
    request, token = await bench.request(), mint.token(21_000)
    twin = mint.active
    real = Mint.keysets

    async def both(self: Mint, *, timeout_s: float) -> dict[str, Keyset]:
        found = await real(self, timeout_s=timeout_s)
        return {**found, twin.id[:16] + "00" * 25: replace(twin, id=twin.id[:16] + "00" * 25)}

    monkeypatch.setattr(Mint, "keysets", both)
    assert await reason(take(wallet, request, token)) is TokenFault.AMBIGUOUS_KEYSET


@pytest.mark.case("F8")
async def test_a_keyset_under_a_wrong_id_is_no_keyset(
    bench: EcashBench, path: Path, clock: Clock, mint: ScriptedMint
) -> None:
    """A mint that shows other keys than those its id was reckoned from is not believed (F8)."""
    fresh = wallet_of(mint, Book(path, SEED), clock)
    request, token = await bench.request(), mint.token(21_000)
    honest = mint.active
    mint.keysets[honest.id] = replace(honest, keys={**honest.keys, 8: honest.keys[16]})
    assert await reason(take(fresh, request, token)) is TokenFault.UNKNOWN_KEYSET
    await fresh.close()


def locked(mint: ScriptedMint, key: str, *tags: list[str]) -> Token:
    import json

    return mint.token(16, secret=json.dumps(["P2PK", {"nonce": "00", "data": key, "tags": list(tags)}]))


@pytest.mark.case("F9")
@pytest.mark.parametrize(
    ("key", "tags", "why"),
    [
        (STRANGER, [], TokenFault.FOREIGN_LOCK),
        ("", [["sigflag", "SIG_ALL"]], TokenFault.FOREIGN_LOCK),
        ("", [["pubkeys", STRANGER], ["n_sigs", "2"]], TokenFault.FOREIGN_LOCK),
        ("", [["pubkeys", STRANGER]], TokenFault.LOCK_OPENS),
        ("", [["locktime", "1795000000"], ["refund", STRANGER]], TokenFault.LOCK_OPENS),
        ("", [["locktime", "1795001000"]], TokenFault.LOCK_OPENS),
        ("", [["locktime", "x"]], TokenFault.BAD_LOCK),
        ("", [["locktime", "1795009000"], ["refund", STRANGER]], None),
        ("", [], None),
    ],
)
async def test_a_lock_is_ours_alone_for_long_enough(
    bench: EcashBench, wallet: EcashWallet, mint: ScriptedMint, key: str, tags: list[list[str]], why: TokenFault | None
) -> None:
    """Others' locks, and those that open to others before we could have looked twice, are refused (F9)."""
    request = await bench.request(amount_msat=16_000)
    token = locked(mint, key or wallet.lock_key, *tags)
    if why is None:
        await take(wallet, request, token)
        assert (await bench.lookup(request)).state is BackendState.SETTLED
    else:
        mint.calls.clear()
        assert await reason(take(wallet, request, token)) is why
        assert mint.calls == []


@pytest.mark.case("P13", "P14")
async def test_too_little_is_a_part_and_too_much_is_kept_and_told(
    bench: EcashBench, wallet: EcashWallet, mint: ScriptedMint
) -> None:
    """What comes counts in full: the rest may follow in another token."""
    request = await bench.request(amount_msat=1_000_000)
    await take(wallet, request, mint.token(400))
    part = await bench.lookup(request)
    assert (part.state, part.gross_msat, part.settled_at) == (BackendState.PARTIAL, 400_000, None)
    await take(wallet, request, mint.token(700))
    whole = await bench.lookup(request)
    assert (whole.state, whole.gross_msat) == (BackendState.SETTLED, 1_100_000)
    scan = await wallet.scan(FROM_THE_START, timeout_s=1)
    assert scan.observations == (whole,)
    assert await reason(take(wallet, request, mint.token(1))) is TokenFault.ALREADY_PAID


@pytest.mark.case("P13", "P31")
async def test_only_what_is_left_of_the_mints_fee_counts(
    bench: EcashBench, wallet: EcashWallet, mint: ScriptedMint
) -> None:
    """A payer who leaves it out has paid in part; a token that the fee eats up is nothing."""
    mint.rotate(fee_ppk=1_000)
    request, token = await bench.request(amount_msat=1_000_000), mint.token(1_000, wallet.lock_key)
    await take(wallet, request, token)
    assert (await bench.lookup(request)).gross_msat == (1_000 - len(token.proofs)) * 1_000
    assert await reason(take(wallet, request, mint.token(1))) is TokenFault.LESS_THAN_FEE


@pytest.mark.case("P31")
@pytest.mark.parametrize("raises_fee", [False, True])
async def test_a_keyset_that_ends_between_two_calls_is_replaced_by_the_next(
    bench: EcashBench, wallet: EcashWallet, mint: ScriptedMint, book: Book, raises_fee: bool
) -> None:
    """The outputs are made again for the new one, and the old ones are still looked for."""
    request, token = await bench.request(), mint.token(21_000, wallet.lock_key)
    if raises_fee:
        mint.fail("/v1/swap", MintFault.BROKEN)
        with pytest.raises(Unknown):
            await take(wallet, request, token)
        old = mint.active
        mint.keysets[old.id] = replace(old, is_active=False)
        mint.rotate(fee_ppk=0)
    else:
        mint.rotates_at_swap = True
    await take(wallet, request, token)
    assert book.held() == {URL: 21_000}
    assert [attempt.number for attempt in book.attempts(_digest(token))] == [1, 2]


@pytest.mark.case("P29")
async def test_the_first_outputs_are_found_though_others_were_asked_for_since(
    bench: EcashBench, wallet: EcashWallet, mint: ScriptedMint, book: Book
) -> None:
    """A call that was believed lost comes through behind the next one's back: its ecash is restored."""
    request, token = await bench.request(), mint.token(21_000, wallet.lock_key)
    mint.fail("/v1/swap", MintFault.LOST)
    with pytest.raises(Unknown):
        await take(wallet, request, token)
    first = book.attempts(_digest(token))[0]
    book.try_otherwise(replace(first, number=2))
    await take(wallet, request, token)
    assert book.held() == {URL: 21_000}


def _digest(token: Token) -> str:
    return token.digest


@pytest.mark.case("F1")
async def test_the_same_token_pays_one_request_once(
    bench: EcashBench, wallet: EcashWallet, mint: ScriptedMint, book: Book
) -> None:
    """Handed in again it changes nothing, for another order it is refused, in part as well (F1)."""
    one, other = await bench.request("order-1"), await bench.request("order-2")
    token = mint.token(21_000, wallet.lock_key)
    await asyncio.gather(*(take(wallet, one, token) for _ in range(5)))
    assert await reason(take(wallet, other, token)) is TokenFault.ALREADY_USED
    half = replace(token, proofs=token.proofs[:2])
    assert await reason(take(wallet, other, half)) is TokenFault.ALREADY_USED
    assert len(swaps(mint)) == 1
    assert book.held() == {URL: 21_000}


@pytest.mark.case("F10")
async def test_a_token_that_was_spent_elsewhere_is_no_money(
    bench: EcashBench, wallet: EcashWallet, mint: ScriptedMint, book: Book
) -> None:
    """Given to two shops, or posted for all to see: the one who swaps first has it (F10)."""
    request, token = await bench.request(), mint.token(21_000)
    mint.spend(token)
    for _ in range(2):
        assert await reason(take(wallet, request, token)) is TokenFault.SPENT
    assert len(swaps(mint)) == 1
    assert (book.held(), (await bench.lookup(request)).gross_msat) == ({}, 0)


async def test_a_request_that_nobody_made_takes_nothing(wallet: EcashWallet, mint: ScriptedMint) -> None:
    """And its mint is not asked."""
    assert await reason(wallet.take(Reference("a" * 24), mint.token(1), timeout_s=1)) is TokenFault.UNKNOWN_REQUEST
    assert mint.calls == []


@pytest.mark.req("C-28")
async def test_no_more_lies_at_a_mint_than_its_cap(path: Path, mint: ScriptedMint, clock: Clock) -> None:
    """What would pass the cap is not accepted, what is being swapped counts, and taking ecash out makes room."""
    book = Book(path, SEED)
    wallet = wallet_of(mint, book, clock, cap_sats=1_000)
    bench = EcashBench(wallet, lambda _: asyncio.sleep(0), clock, clock.pass_time)
    with pytest.raises(Rejected):
        await bench.request("order-0", amount_msat=1_001_000)
    one, two = await bench.request("order-1", amount_msat=600_000), await bench.request("order-2", amount_msat=600_000)
    token = mint.token(600)
    mint.fail("/v1/swap", MintFault.BROKEN)
    with pytest.raises(Unknown):
        await take(wallet, one, token)
    other = mint.token(600)
    assert await reason(take(wallet, two, other)) is TokenFault.OVER_CAP
    await take(wallet, one, token)
    assert len(swaps(mint)) == 2
    assert await reason(take(wallet, two, other)) is TokenFault.OVER_CAP
    with pytest.raises(Retry):
        await bench.request("order-3", amount_msat=600_000)
    assert book.withdraw(URL, 0) is not None
    await take(wallet, two, other)
    assert book.held() == {URL: 600}
    await wallet.close()


async def test_what_was_taken_out_is_marked_before_it_is_shown_and_can_be_shown_again(
    bench: EcashBench, wallet: EcashWallet, book: Book, mint: ScriptedMint, path: Path
) -> None:
    """A crash between the two loses nothing, and nothing is given out twice."""
    await bench.pay((await bench.request()).text)
    taken = book.withdraw(URL, 7)
    assert taken is not None
    assert book.withdraw(URL, 8) is None
    assert book.held() == {}
    again = Book(path, SEED).withdrawal()
    assert again is not None
    assert (again.proofs, again.at) == (taken.proofs, 7)
    token = read_token(write_token(Token(URL, SAT, taken.proofs)))
    other = await bench.request("order-2")
    await take(wallet, other, token)
    assert book.held() == {URL: 21_000}


async def test_nothing_that_can_be_spent_stands_in_the_book_plainly(
    bench: EcashBench, wallet: EcashWallet, mint: ScriptedMint, path: Path
) -> None:
    """Neither what came in nor what it was swapped for; another home's key opens none of it."""
    request, token = await bench.request(), mint.token(21_000)
    mint.fail("/v1/swap", MintFault.LOST)
    with pytest.raises(Unknown):
        await take(wallet, request, token)
    await take(wallet, request, token)
    written = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert (path.stat().st_mode & 0o777) == 0o600
    held = Book(path, SEED).withdraw(URL, 0)
    assert held is not None
    for proof in (*token.proofs, *held.proofs):
        assert proof.secret.encode() not in written
        assert bytes.fromhex(proof.secret) not in written
        assert proof.signature.encode() not in written
    with pytest.raises(Retry):
        Book(path, b"y" * 32).withdrawal()


async def test_a_probe_says_what_a_mint_lacks(wallet: EcashWallet, mint: ScriptedMint) -> None:
    """Without restoring and locks, ecash could be lost or stolen on its way."""
    assert (await wallet.probe(timeout_s=1)).lacks == ()
    assert [(one.mint, one.sats, one.why) for one in await wallet.purses(timeout_s=1)] == [(URL, 0, "")]
    mint.keysets.clear()
    (lack,) = (await wallet.probe(timeout_s=1)).lacks
    assert "keyset in sats" in lack
    mint.fail("/v1/info", MintFault.DOWN)
    (purse,) = await wallet.purses(timeout_s=1)
    assert "not reached" in purse.why


async def test_a_cursor_of_another_kind_of_wallet_is_refused(wallet: EcashWallet) -> None:
    """It is a mistake of the caller, and not a place in this history."""
    with pytest.raises(Rejected):
        await wallet.scan(Cursor("no place"), timeout_s=1)


async def test_the_request_names_where_it_may_be_posted(path: Path, mint: ScriptedMint, clock: Clock) -> None:
    """Each its own address, so that what is posted finds its order."""
    wallet = EcashWallet(
        [Mint(mint.url, mint.transport)], Book(path, SEED), SEED, post_to="https://shop.example/ecash/ab", clock=clock
    )
    bench = EcashBench(wallet, lambda _: asyncio.sleep(0), clock, clock.pass_time)
    intent = await bench.intent()
    asked = read_request((await bench.ensure(intent)).text)
    assert asked.post_to == f"https://shop.example/ecash/ab/{intent.intent_id}"
    assert (asked.mints, asked.lock_key, asked.is_single_use) == ((URL,), wallet.lock_key, True)
    await wallet.close()


def test_a_token_of_the_most_proofs_is_swapped_in_one_call() -> None:
    """The limit on proofs is what a mint takes at once, and the limit on attempts is small."""
    assert PROOFS_MAX <= 1_000
    assert cashu_swap.ATTEMPTS_MAX < 10
