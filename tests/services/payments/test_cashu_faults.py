"""Ecash of a mint that fails and lies on command, and of payers who try what can be tried (F1, F8, F9, F10)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.cashu.faults import TokenFault
from schemas.cashu.keysets import Keyset
from schemas.cashu.tokens import Dleq, Token, read_token, write_token
from schemas.payments import BackendState
from services.payments.cashu import EcashWallet
from services.payments.cashu_book import Book
from services.payments.cashu_mint import Mint
from services.payments.port import FROM_THE_START, Reference, Retry, Unknown
from tests.services.payments.contract import PaymentBackendContract
from tests.services.payments.ecash_laws import SEED, Clock, EcashBench, EcashLaws
from tests.services.payments.scripted_ecash import reason, swaps, take, wallet_of
from tests.support.contract_table import SCRIPTED
from tests.support.scripted_mint import URL, MintFault, ScriptedMint

STRANGER = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"


class TestScriptedMint(EcashLaws, PaymentBackendContract):
    """The contract, with a mint of the tests'."""

    back_end, peer = "cashu", SCRIPTED


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
