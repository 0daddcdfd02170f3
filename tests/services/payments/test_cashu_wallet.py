"""What lies in a wallet of ecash: how much may, how it is taken out, and that nobody else can read it (C-28)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from schemas.cashu.faults import TokenFault
from schemas.cashu.requests import read_request
from schemas.cashu.tokens import PROOFS_MAX, SAT, Token, read_token, write_token
from services.payments import cashu_swap
from services.payments.cashu import EcashWallet
from services.payments.cashu_book import Book
from services.payments.cashu_mint import Mint
from services.payments.port import Cursor, Rejected, Retry, Unknown
from tests.services.payments.contract import TIMEOUT_S
from tests.services.payments.ecash_laws import SEED, Clock, EcashBench
from tests.services.payments.scripted_ecash import reason, swaps, take, wallet_of
from tests.support.scripted_mint import URL, MintFault, ScriptedMint


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


async def test_ecash_for_no_order_is_kept_and_counts_for_none(
    wallet: EcashWallet, book: Book, mint: ScriptedMint
) -> None:
    """A gift: once, though it is kept twice; an order is not paid with it, and what an order has is not kept."""
    gift, spent = mint.token(21, wallet.lock_key), mint.token(21_000, wallet.lock_key)
    for _ in range(2):
        await wallet.keep(gift, timeout_s=TIMEOUT_S)
    assert (book.held(), len(swaps(mint))) == ({URL: 21}, 1)
    bench = EcashBench(wallet, lambda _: asyncio.sleep(0), Clock(), lambda _: asyncio.sleep(0))
    request = await bench.request()
    assert await reason(take(wallet, request, gift)) is TokenFault.ALREADY_USED
    await take(wallet, request, spent)
    assert await reason(wallet.keep(spent, timeout_s=TIMEOUT_S)) is TokenFault.ALREADY_USED
    assert book.held() == {URL: 21_021}
