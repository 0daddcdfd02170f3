"""Which wallet each merchant is paid into: the configuration names its kind, this home keeps its credential.

A credential is read again when its file changes, so a wallet that is added is used at the next call, without a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Final, NoReturn, assert_never

from schemas.bolt11 import Network
from schemas.nostr.secp256k1 import SecretKey
from services.payments import lud16, nwc
from services.payments.btcpay import BtcpayStore
from services.payments.btcpay_ways import CHAIN_WAY, LIGHTNING_WAY
from services.payments.btcpay_words import btcpay_calls
from services.payments.cashu import EcashWallet
from services.payments.cashu_book import Book as EcashBook
from services.payments.cashu_mint import Mint
from services.payments.chain import ChainConfig, ChainWallet
from services.payments.cln import ClnNode
from services.payments.cln_words import cln_calls
from services.payments.credentials import (
    BTCPAY,
    CASHU,
    CHAIN,
    CLN,
    LNBITS,
    LND,
    LUD16,
    MANUAL,
    NWC,
    PHOENIXD,
    STRIPE,
    BadCredential,
    BtcpayCredential,
    CashuCredential,
    ChainCredential,
    ClnCredential,
    Credential,
    LnbitsCredential,
    LndCredential,
    Lud16Credential,
    ManualCredential,
    NwcCredential,
    PhoenixdCredential,
    StripeCredential,
    WalletStore,
    spare_of,
)
from services.payments.esplora import Esplora, esplora_calls
from services.payments.http_calls import BadCertificate
from services.payments.lnbits import LnbitsAccount
from services.payments.lnbits_calls import lnbits_calls
from services.payments.lnd import LndNode
from services.payments.lnd_words import lnd_calls
from services.payments.lud16 import LightningAddress, Lud16Config
from services.payments.manual import ByHand
from services.payments.notices import hook_url
from services.payments.nwc import NwcConfig, NwcWallet
from services.payments.phoenixd import PhoenixdNode, phoenixd_calls
from services.payments.port import (
    BackendRef,
    Capabilities,
    Cursor,
    Hint,
    Intent,
    Observation,
    PaymentBackend,
    PaymentRequest,
    Probe,
    Refund,
    Refunded,
    Rejected,
    Scan,
    Unauthorized,
)
from services.payments.simulated import SimulatedWallet
from services.payments.stripe import StripeAccount
from services.payments.stripe_words import stripe_calls

SIMULATED: Final = "simulated"
KINDS: Final = (SIMULATED, LNBITS, NWC, LUD16, PHOENIXD, LND, CLN, BTCPAY, CASHU, CHAIN, MANUAL, STRIPE)
"""What a merchant's configuration may name."""

CHAIN_BOOK: Final = "chain.db"
"""One for all shops of a home: two that are paid into one account share its numbers."""

CALLED: Final = frozenset({LNBITS, PHOENIXD, BTCPAY, STRIPE})
"""Those whose vendor may call us (PAY-16)."""

OpenWallet = (
    LnbitsAccount
    | NwcWallet
    | LightningAddress
    | PhoenixdNode
    | LndNode
    | ClnNode
    | BtcpayStore
    | EcashWallet
    | ChainWallet
    | ByHand
    | StripeAccount
)
"""Back-ends that hold connections, which somebody has to close."""


class Wallets:
    """Every merchant's payment back-end, as configuration and store say at the moment."""

    def __init__(
        self,
        kind_of: Callable[[str], str | None],
        store: WalletStore,
        simulated: SimulatedWallet | None,
        notify: Callable[[str], None] = lambda _: None,
        spare_kind_of: Callable[[str], str | None] = lambda _: None,
        token_of: Callable[[str, str], str] = lambda _name, _kind: "",
        door: str | None = None,
        profile_of: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """`kind_of` gives a merchant's kind, None for one that is not known yet; `notify` shows the operator
        a sentence as long as a wallet is missing; `spare_kind_of` is None for a merchant without a spare wallet.

        Without `simulated` nobody asks for play money; `token_of` is `hook_token` for a wallet's place and its kind;
        `door` is where buyers may post ecash, and `profile_of` whom they may send it to (an nprofile)."""
        self._spare_kind_of = spare_kind_of
        self._kind_of, self._store, self._simulated, self._notify = kind_of, store, simulated, notify
        self._token_of, self._door, self._profile_of = token_of, door, profile_of
        self._made: dict[str, tuple[tuple[str | None, int], PaymentBackend]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def backend_of(self, merchant: str) -> PaymentBackend:
        """The merchant's back-end; the same one until its configuration or credential changes.

        Raises `Retry` where what it keeps here is busy.
        """
        return self._of(merchant, merchant, self._kind_of(merchant))

    def spare_of(self, merchant: str) -> PaymentBackend | None:
        """The one that stands in for it; None for a merchant without."""
        kind = self._spare_kind_of(merchant)
        return None if kind is None else self._of(spare_of(merchant), merchant, kind)

    def _of(self, name: str, merchant: str, kind: str | None) -> PaymentBackend:
        """The back-end that is kept under a name."""
        state = (kind, self._store.version(name))
        known = self._made.get(name)
        if known is not None and known[0] == state:
            return known[1]
        backend = self._make(name, merchant, kind)
        self._made[name] = (state, backend)
        if known is not None:
            self._close(known[1])
        missing = [f"{name[:8]}…: {one.why}" for name, (_, one) in self._made.items() if isinstance(one, NoWallet)]
        self._notify(f"payment requests wait: {'; '.join(missing)}" if missing else "")
        return backend

    async def close(self) -> None:
        """Let go of every connection."""
        for _, backend in self._made.values():
            self._close(backend)
        await asyncio.gather(*self._closing)

    def _make(self, name: str, merchant: str, kind: str | None) -> PaymentBackend:
        if kind is None:
            return NoWallet("this shop is not configured (`ncc merchant list`)")
        if kind == SIMULATED and self._simulated is not None:
            return self._simulated.account(merchant)
        try:
            credential = self._store.get(name)
        except BadCredential as bad:
            return NoWallet(str(bad))
        if credential is None or credential.kind != kind:
            return NoWallet(f"this home has no {kind} wallet for it (`ncc wallet add`)")
        try:
            post_to = None if self._door is None else f"{self._door.rstrip('/')}/ecash/{merchant}"
            book, token = self._store.book(name), self._token_of(name, kind)
            seed, nostr_to = self._store.seed(name), self._profile_of(merchant)
            return open_wallet(credential, book, token, seed=seed, post_to=post_to, nostr_to=nostr_to)
        except (Rejected, Unauthorized, BadCertificate) as error:
            return NoWallet(str(error))

    def _close(self, backend: PaymentBackend) -> None:
        if isinstance(backend, OpenWallet):
            task = asyncio.ensure_future(backend.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def open_wallet(
    credential: Credential,
    book: Path,
    token: str = "",
    *,
    seed: bytes | None = None,
    post_to: str | None = None,
    nostr_to: str | None = None,
) -> OpenWallet:
    """The back-end that a credential opens, to be closed by whoever opens it; `book` is used where one is kept.

    `token` stands in the address where its vendor calls (`hook_token`).
    For ecash, `seed` is the merchant's own (`WalletStore.seed`), `post_to` where it may be posted, and `nostr_to` whom
    it may be sent to.

    Raises `BackendError` or `BadCertificate` for a credential that opens nothing.
    """
    network = credential.network or Network.BITCOIN
    match credential:
        case LnbitsCredential():
            webhook = hook_url(credential.called_at, token) if credential.called_at and token else ""
            calls = lnbits_calls(credential.url, credential.key)
            spender = lnbits_calls(credential.url, credential.spend_key) if credential.spend_key else None
            return LnbitsAccount(calls, network, token=token, webhook=webhook, spender=spender)
        case PhoenixdCredential():
            calls = phoenixd_calls(credential.url, credential.password)
            return PhoenixdNode(calls, network, webhook_secret=credential.webhook_secret)
        case BtcpayCredential():
            calls = btcpay_calls(credential.url, credential.key)
            secret, may_refund = credential.webhook_secret, credential.may_refund
            way = CHAIN_WAY if credential.is_on_chain else LIGHTNING_WAY
            return BtcpayStore(
                calls, credential.store, credential.network, way=way, may_refund=may_refund, webhook_secret=secret
            )
        case StripeCredential():
            stripe, secret = stripe_calls(credential.key, credential.url), credential.webhook_secret
            return StripeAccount(stripe, credential.success_url, network, webhook_secret=secret)
        case LndCredential():
            return LndNode(lnd_calls(credential.url, credential.macaroon, credential.certificate), network)
        case ClnCredential():
            return ClnNode(cln_calls(credential.url, credential.rune, credential.certificate), network)
        case ChainCredential():
            chain = ChainConfig(
                credential.account.get_secret_value(),
                book.with_name(CHAIN_BOOK),
                book.name,
                credential.network,
                credential.confirmations,
                credential.gap_limit,
            )
            return ChainWallet(chain, Esplora(esplora_calls(credential.url)))
        case NwcCredential():
            is_near = credential.is_near
            config = NwcConfig(
                credential.connection.get_secret_value(),
                network=network,
                is_trusted_relay=lambda _: is_near,
            )
            return nwc.account_from(config)
        case Lud16Credential():
            own = credential.address.partition("@")[2] if credential.is_near else None
            return lud16.account_from(
                Lud16Config(credential.address, book, credential.network, is_trusted=lambda netloc: netloc == own)
            )
        case CashuCredential():
            assert seed is not None, "ecash is opened with the merchant's seed"
            mints, kept = [Mint(url) for url in credential.mints], EcashBook(ecash_book(book), seed)
            said, cap_sats = credential.lock_key, credential.cap_sats
            lock_key = None if said is None else SecretKey.from_hex(said.get_secret_value())
            return EcashWallet(
                mints, kept, seed, lock_key=lock_key, cap_sats=cap_sats, post_to=post_to, nostr_to=nostr_to
            )
        case ManualCredential():
            return ByHand(credential.instructions.get_secret_value(), book, network)
        case _:
            assert_never(credential)


def ecash_book(book: Path) -> Path:
    """Where a merchant's ecash stands, beside the book of other kinds; it outlives a credential, since it is money."""
    return book.with_suffix(".ecash.db")


class NoWallet:
    """Stands where a merchant's wallet is missing: every call is `Unauthorized`, so what is owed waits for one."""

    capabilities: Final = Capabilities(methods=frozenset(), amount_step_msat=1)
    network: Final = Network.BITCOIN

    def __init__(self, why: str) -> None:
        self.why = why

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Refuse."""
        self._refuse()

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Refuse."""
        self._refuse()

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """Refuse."""
        self._refuse()

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Refuse."""
        self._refuse()
        yield

    async def parse_notice(self, path_token: str, headers: Mapping[str, str], raw: bytes) -> tuple[Hint, ...]:
        """Refuse."""
        self._refuse()

    async def cancel(self, ref: BackendRef, *, timeout_s: float) -> None:
        """Refuse."""
        self._refuse()

    async def refund(self, wish: Refund, *, timeout_s: float) -> Refunded:
        """Refuse."""
        self._refuse()

    async def probe(self, *, timeout_s: float) -> Probe:
        """Refuse."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise Unauthorized(self.why)
