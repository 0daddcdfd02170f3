"""A wallet of ecash keeps to the shop's mint list (10019): whose ecash it asks for, locked to which key (PAY-11)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.cashu.faults import TokenFault
from schemas.cashu.requests import read_request, write_request
from schemas.cashu.tokens import Token
from schemas.ecash import EcashTerms
from schemas.nostr.secp256k1 import SecretKey
from schemas.payments import BackendState
from services.payments.cashu import EcashWallet, check_ecash_request
from services.payments.cashu_book import Book
from services.payments.cashu_mint import Mint
from services.payments.port import PaymentRequest, RequestFault, RequestRefused, Unauthorized
from tests.services.payments.contract import TIMEOUT_S
from tests.services.payments.ecash_laws import SEED, Clock, EcashBench, bench_of
from tests.services.payments.scripted_ecash import reason, take
from tests.support.scripted_mint import ScriptedMint

ONE, TWO, THREE = (f"https://{name}.example" for name in ("one", "two", "three"))
STRANGER = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"


class Shop:
    """A wallet of two mints, and what the shop's mint list says."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.folder = Clock(), folder
        self.mints = {url: ScriptedMint(url) for url in (ONE, TWO, THREE)}
        self.wallet = self.opened()
        self.bench: EcashBench = bench_of(self.wallet, self._mint, self.clock)

    def opened(self, lock_key: SecretKey | None = None) -> EcashWallet:
        ours = [Mint(url, self.mints[url].transport) for url in (ONE, TWO)]
        return EcashWallet(ours, Book(self.folder / "ecash.db", SEED), SEED, lock_key=lock_key, clock=self.clock)

    async def _mint(self, sats: int, lock_key: str | None) -> Token:
        return self.mints[ONE].token(sats, lock_key)

    async def asked(self, terms: EcashTerms | None) -> PaymentRequest:
        """The request of an order that came under these terms."""
        return await self.bench.ensure(replace(await self.bench.intent(), ecash=terms))


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    await shop.wallet.close()


def terms_of(*mints: str, key: str | None = None) -> EcashTerms:
    return EcashTerms(mints=mints, lock_key=key)


@pytest.mark.parametrize(
    ("listed", "named"),
    [
        (None, [ONE, TWO]),
        (EcashTerms(), [ONE, TWO]),
        (terms_of(TWO, THREE, ONE), [TWO, ONE]),
        (terms_of(f"{TWO}/"), [TWO]),
    ],
)
async def test_a_request_names_the_listed_mints_in_the_lists_order(
    shop: Shop, listed: EcashTerms | None, named: list[str]
) -> None:
    """Those of them that the operator allowed; without a list, or an empty one, all that the operator allowed."""
    request = read_request((await shop.asked(listed)).text)
    assert list(request.mints) == named
    assert request.lock_key == shop.wallet.lock_key


@pytest.mark.case("F8")
async def test_a_token_of_a_mint_that_the_list_has_not_is_not_swapped(shop: Shop) -> None:
    """Though the wallet knows that mint: it is not even asked. A restart changes nothing in that."""
    request = await shop.asked(terms_of(TWO))
    shop.mints[ONE].calls.clear()
    for wallet in (shop.wallet, shop.opened()):
        assert await reason(take(wallet, request, shop.mints[ONE].token(21_000))) is TokenFault.FOREIGN_MINT
    assert shop.mints[ONE].calls == []
    await take(shop.wallet, request, shop.mints[TWO].token(21_000))
    assert (await shop.bench.lookup(request)).state is BackendState.SETTLED


@pytest.mark.case("F9", "F10")
async def test_a_token_has_to_be_locked_to_the_listed_key(shop: Shop) -> None:
    """One that anybody may spend is refused, as is one for somebody else; nothing of either is swapped."""
    assert shop.wallet.lock_key[:2] == "02"
    request, mint = await shop.asked(terms_of(ONE, key=shop.wallet.lock_key)), shop.mints[ONE]
    assert read_request(request.text).lock_key == shop.wallet.lock_key
    assert await reason(take(shop.wallet, request, mint.token(21_000))) is TokenFault.NOT_LOCKED
    assert await reason(take(shop.wallet, request, mint.token(21_000, STRANGER))) is TokenFault.FOREIGN_LOCK
    assert not any(path == "/v1/swap" for path, _ in mint.calls)
    await take(shop.wallet, request, mint.token(21_000, shop.wallet.lock_key))
    assert (await shop.bench.lookup(request)).state is BackendState.SETTLED


@pytest.mark.req("PAY-11")
async def test_a_wallet_that_was_given_the_listed_key_takes_what_is_locked_to_it(shop: Shop) -> None:
    """A key that was made elsewhere; what was locked to the wallet's own before is taken as well, and no other's."""
    own, key = shop.wallet.lock_key, SecretKey(bytes([7] * 32))
    listed, mint = terms_of(ONE, key=f"02{key.public_key}"), shop.mints[ONE]
    with pytest.raises(Unauthorized, match="has another key than this wallet's"):
        await shop.asked(listed)
    wallet = shop.opened(key)
    assert wallet.lock_key == listed.lock_key != own
    bench = bench_of(wallet, shop._mint, shop.clock)
    for number, lock in enumerate((wallet.lock_key, own)):
        request = await bench.ensure(replace(await bench.intent(f"order-{number}"), ecash=listed))
        assert read_request(request.text).lock_key == listed.lock_key
        assert await reason(take(wallet, request, mint.token(21_000, STRANGER))) is TokenFault.FOREIGN_LOCK
        await take(wallet, request, mint.token(21_000, lock))
        assert (await bench.lookup(request)).state is BackendState.SETTLED
    assert (await wallet.probe(timeout_s=TIMEOUT_S)).payee == listed.lock_key
    await wallet.close()


@pytest.mark.parametrize("listed", [None, terms_of(ONE)])
async def test_without_a_listed_key_a_token_need_not_be_locked(shop: Shop, listed: EcashTerms | None) -> None:
    """It is asked for all the same; what anybody may spend is swapped at once."""
    request = await shop.asked(listed)
    assert read_request(request.text).lock_key == shop.wallet.lock_key
    await take(shop.wallet, request, shop.mints[ONE].token(21_000))


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        (terms_of(THREE), "names none of this wallet's mints"),
        (terms_of(), "names none of this wallet's mints"),
        (terms_of(ONE, key=STRANGER), "has another key than this wallet's"),
    ],
)
async def test_a_list_that_the_wallet_cannot_keep_to_lets_requests_wait(
    shop: Shop, listed: EcashTerms, why: str
) -> None:
    """Nobody is shown a request whose ecash could not be taken; the operator reads which of the two to change."""
    with pytest.raises(Unauthorized, match=why):
        await shop.asked(listed)
    assert read_request((await shop.asked(None)).text).mints == (ONE, TWO)


async def test_a_request_that_does_not_keep_to_the_list_is_shown_to_nobody(shop: Shop) -> None:
    """Whatever the wallet gives is held against what the list says (PAY-08)."""
    intent = replace(await shop.bench.intent(), ecash=terms_of(TWO, key=shop.wallet.lock_key))
    good = await shop.bench.ensure(intent)
    assert not isinstance(check_ecash_request(intent, good.text), RequestRefused)
    said = read_request(good.text)
    for other in (replace(said, mints=(TWO, ONE)), replace(said, lock_key=STRANGER)):
        refused = check_ecash_request(intent, write_request(other))
        assert isinstance(refused, RequestRefused)
        assert refused.reason is RequestFault.PAYEE
