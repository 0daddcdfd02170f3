"""Reads what `ncc wallet add` is told into a credential; a secret comes from a file or the input, never from a word."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from schemas.cashu.tokens import mint_name
from schemas.lnurl import AddressRefused, read_address
from schemas.nostr.nip47 import ConnectionRefused, read_connection
from schemas.nostr.secp256k1 import SecretKey
from services.cli.output import fail
from services.payments.cashu import CAP_SATS
from services.payments.chain_keys import BadKey, read_account
from services.payments.cln_rune import BadRune, read_rune
from services.payments.credentials import (
    BTCPAY,
    CASHU,
    CHAIN,
    CLN,
    GAP_LIMIT,
    LNBITS,
    LND,
    LUD16,
    MANUAL,
    NWC,
    PHOENIXD,
    STRIPE,
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
)
from services.payments.http_calls import BadCertificate, BadWalletUrl, trust_in, wallet_url
from services.payments.lnd_macaroon import BadMacaroon, read_rights
from services.payments.manual import INSTRUCTIONS_MAX
from services.payments.wallets import KINDS, SIMULATED

KEY_CHARS_MAX = 128
PASSWORD_CHARS_MAX = 256
MINTS_MAX = 10
STRIPE_KEY = re.compile(r"(?:rk|sk)_(?:live|test)_[A-Za-z0-9]+", re.ASCII)
URL_CHARS_MAX = 2_000
INPUT = Path("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletOptions:
    """What was said, as `ncc wallet add --help` names it; None, empty or False where it was not."""

    url: str | None = None
    key_file: Path | None = None
    cert_file: Path | None = None
    address: str | None = None
    own_network: bool = False
    webhook_secret_file: Path | None = None
    called_at: str | None = None
    spend_key_file: Path | None = None
    store: str | None = None
    on_chain: bool = False
    may_refund: bool = False
    mint: tuple[str, ...] = ()
    cap_sats: int | None = None
    lock_key_file: Path | None = None
    xpub_file: Path | None = None
    indexer: str | None = None
    confirmations: int | None = None
    gap_limit: int | None = None
    instructions_file: Path | None = None
    success_url: str | None = None

    def given(self) -> set[str]:
        """The options that were said, by their names here."""
        return {one.name for one in fields(self) if getattr(self, one.name) not in (None, False, ())}


def credential_of(kind: str, said: WalletOptions) -> Credential | None:
    """What the options name, not tried yet; None for simulated money. Ends with a sentence where they do not fit."""
    if kind not in KINDS:
        fail(f"there is no kind of wallet called {kind}: it is one of {', '.join(KINDS)}", 2)
    read, known = READERS[kind]
    for name in sorted(said.given() - set(known.split())):
        option, whose = f"--{name.replace('_', '-')}", [one for one in KINDS if name in READERS[one][1].split()]
        fail(f"{option} is for {' and '.join(whose)}: a {kind} wallet does not know it", 2)
    return read(said)


def _simulated(said: WalletOptions) -> None:
    return None


def _lnbits(said: WalletOptions) -> Credential:
    if said.url is None or said.key_file is None:
        fail("an lnbits wallet needs --url https://HOST and --key-file FILE with its invoice key", 2)
    key = _lnbits_key(said.key_file, "the invoice key")
    spend_key = None if said.spend_key_file is None else _lnbits_key(said.spend_key_file, "the admin key")
    door = "" if said.called_at is None else _url(said.called_at, "--called-at")
    return LnbitsCredential(url=_url(said.url), key=key, called_at=door, spend_key=spend_key)


def _lnbits_key(key_file: Path, what: str) -> SecretStr:
    key = secret_in(key_file)
    if not (key.isascii() and key.isalnum() and len(key) <= KEY_CHARS_MAX):
        fail(f"{key_file} holds no key of an LNbits wallet: it needs one line, {what} from its API page", 2)
    return SecretStr(key)


def _nwc(said: WalletOptions) -> Credential:
    if said.key_file is None:
        fail("an nwc wallet needs --key-file FILE with the connection that the wallet shows", 2)
    text = secret_in(said.key_file)
    try:
        read_connection(text)
    except ConnectionRefused as refused:
        fail(f"{said.key_file} holds no wallet connection: {refused}", 2)
    return NwcCredential(connection=SecretStr(text), is_near=said.own_network)


def _lud16(said: WalletOptions) -> Credential:
    if said.address is None:
        fail("a lud16 wallet needs --address NAME@HOST", 2)
    try:
        return Lud16Credential(address=str(read_address(said.address)), is_near=said.own_network)
    except AddressRefused as refused:
        fail(f"--address {said.address}: {refused}", 2)


def _phoenixd(said: WalletOptions) -> Credential:
    if said.url is None or said.key_file is None:
        fail("a phoenixd needs --url http://HOST:9740 and --key-file FILE with its http-password-limited-access", 2)
    password = secret_in(said.key_file)
    if not (password.isascii() and password.isprintable() and 0 < len(password) <= PASSWORD_CHARS_MAX):
        fail(f"{said.key_file} holds no password: it needs one line, http-password-limited-access of phoenix.conf", 2)
    return PhoenixdCredential(
        url=_url(said.url), password=SecretStr(password), webhook_secret=_webhook_secret(said.webhook_secret_file)
    )


def _btcpay(said: WalletOptions) -> Credential:
    if said.url is None or said.store is None or said.key_file is None:
        fail(
            "a btcpay needs --url https://HOST, --store ID (its settings show it) and --key-file FILE with an API key",
            2,
        )
    if not (said.store.isascii() and said.store.isalnum() and len(said.store) <= KEY_CHARS_MAX):
        fail(f"--store {said.store[:60]}: a store's id has letters and digits only; its settings show it", 2)
    key = secret_in(said.key_file)
    if not (key.isascii() and key.isalnum() and len(key) <= KEY_CHARS_MAX):
        fail(f"{said.key_file} holds no API key: it needs one line, the key that the account's page made", 2)
    secret = _webhook_secret(said.webhook_secret_file)
    return BtcpayCredential(
        url=_url(said.url),
        store=said.store,
        key=SecretStr(key),
        webhook_secret=secret,
        is_on_chain=said.on_chain,
        may_refund=said.may_refund,
    )


def _lnd(said: WalletOptions) -> Credential:
    if said.url is None or said.key_file is None:
        fail("an lnd needs --url https://HOST:8080 and --key-file FILE, its invoice.macaroon", 2)
    raw = _bytes(said.key_file)
    with suppress(ValueError):  # the file that LND writes is not in hex
        raw = bytes.fromhex(raw.decode("ascii"))
    try:
        read_rights(raw)
    except BadMacaroon as bad:
        fail(f"{said.key_file} holds no macaroon: {bad}; it is the file invoice.macaroon, or the same in hex", 2)
    return LndCredential(url=_url(said.url), macaroon=SecretStr(raw.hex()), certificate=_certificate(said.cert_file))


def _cln(said: WalletOptions) -> Credential:
    if said.url is None or said.key_file is None:
        fail("a cln needs --url https://HOST:3010 and --key-file FILE with a rune for clnrest", 2)
    rune = secret_in(said.key_file)
    try:
        read_rune(rune)
    except BadRune as bad:
        fail(f"{said.key_file} holds no rune: {bad}; `lightning-cli createrune` makes one", 2)
    return ClnCredential(url=_url(said.url), rune=SecretStr(rune), certificate=_certificate(said.cert_file))


def _cashu(said: WalletOptions) -> Credential:
    if not said.mint or len(said.mint) > MINTS_MAX:
        fail(f"a cashu wallet needs --mint https://HOST for each mint whose ecash is taken, {MINTS_MAX} at most", 2)
    named = tuple(dict.fromkeys(mint_name(_url(mint, "--mint")) for mint in said.mint))
    lock_key = None if said.lock_key_file is None else _lock_key(said.lock_key_file)
    return CashuCredential(mints=named, cap_sats=said.cap_sats or CAP_SATS, lock_key=lock_key)


def _lock_key(file: Path) -> SecretStr:
    text = secret_in(file).lower()
    try:
        SecretKey.from_hex(text)
    except ValueError:
        fail(f"{file} holds no private key: it needs one line of 64 hex digits, whose public key the mint list has", 2)
    return SecretStr(text)


def _chain(said: WalletOptions) -> Credential:
    if said.indexer is None or said.xpub_file is None:
        fail("a chain wallet needs --xpub-file FILE, an account's public key or descriptor, and --indexer URL", 2)
    text = secret_in(said.xpub_file)
    try:
        read_account(text)
    except BadKey as bad:
        fail(f"{said.xpub_file}: {bad}", 2)
    try:
        url = wallet_url(said.indexer)
    except BadWalletUrl:
        fail(
            f"--indexer {said.indexer}: it needs the form https://HOST/api of an Esplora API; http only in your own"
            " network, since anybody on the way could tell of payments that never were",
            2,
        )
    gap_limit = GAP_LIMIT if said.gap_limit is None else said.gap_limit
    return ChainCredential(url=url, account=SecretStr(text), confirmations=said.confirmations, gap_limit=gap_limit)


def _manual(said: WalletOptions) -> Credential:
    if said.instructions_file is None:
        fail("a manual wallet needs --instructions-file FILE, which tells buyers where and how to pay", 2)
    text = secret_in(said.instructions_file)
    is_readable = all(line.isprintable() for line in text.splitlines())
    if not (text and is_readable and len(text) <= INSTRUCTIONS_MAX):
        fail(f"{said.instructions_file} needs some plain text, {INSTRUCTIONS_MAX} characters at most", 2)
    return ManualCredential(instructions=SecretStr(text))


def _stripe(said: WalletOptions) -> Credential:
    if said.key_file is None or said.success_url is None:
        fail(
            "a stripe account needs --key-file FILE with a restricted key, and --success-url https://HOST, where a"
            " buyer lands who has paid",
            2,
        )
    key = secret_in(said.key_file)
    if not (STRIPE_KEY.fullmatch(key) and len(key) <= PASSWORD_CHARS_MAX):
        fail(f"{said.key_file} holds no key of Stripe's: it needs one line that begins with rk_ or sk_", 2)
    parts = urlsplit(said.success_url)
    if (
        parts.scheme != "https"
        or not parts.hostname
        or not said.success_url.isprintable()
        or len(said.success_url) > URL_CHARS_MAX
    ):
        fail(f"--success-url {said.success_url[:60]}: it needs the form https://HOST, with a path if you like", 2)
    secret = _webhook_secret(said.webhook_secret_file)
    server = {} if said.url is None else {"url": _url(said.url)}
    return StripeCredential(key=SecretStr(key), success_url=said.success_url, webhook_secret=secret, **server)


def _url(url: str, option: str = "--url") -> str:
    try:
        return wallet_url(url)
    except BadWalletUrl as bad:
        fail(f"{option} {url}: {bad}", 2)


def _webhook_secret(file: Path | None) -> SecretStr | None:
    """What the vendor signs its calls with; None where that is not said, and then it cannot call."""
    if file is None:
        return None
    secret = secret_in(file)
    if not (secret.isprintable() and 0 < len(secret) <= PASSWORD_CHARS_MAX):
        fail(f"{file} holds no secret: it needs one line, what the vendor signs its webhooks with", 2)
    return SecretStr(secret)


def _certificate(cert_file: Path | None) -> str | None:
    if cert_file is None:
        return None
    try:
        text = cert_file.read_text()
        trust_in(text)
    except OSError as error:
        fail(f"the certificate {cert_file} cannot be read: {error.strerror}", 2)
    except (UnicodeDecodeError, BadCertificate):
        fail(f"{cert_file} holds no certificate: it needs the node's own in PEM form, as its tls.cert or ca.pem", 2)
    return text


def secret_in(key_file: Path) -> str:
    """The line that a file, or the standard input for `-`, holds; it is never shown."""
    try:
        return _bytes(key_file).decode().strip()
    except UnicodeDecodeError:
        return ""


def _bytes(key_file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if key_file == INPUT else key_file.read_bytes()
    except OSError as error:
        fail(f"the key file {key_file} cannot be read: {error.strerror}", 2)


READERS: Mapping[str, tuple[Callable[[WalletOptions], Credential | None], str]] = {
    SIMULATED: (_simulated, ""),
    LNBITS: (_lnbits, "url key_file called_at spend_key_file"),
    NWC: (_nwc, "key_file own_network"),
    LUD16: (_lud16, "address own_network"),
    PHOENIXD: (_phoenixd, "url key_file webhook_secret_file"),
    LND: (_lnd, "url key_file cert_file"),
    CLN: (_cln, "url key_file cert_file"),
    BTCPAY: (_btcpay, "url store key_file webhook_secret_file on_chain may_refund"),
    CASHU: (_cashu, "mint cap_sats lock_key_file"),
    CHAIN: (_chain, "xpub_file indexer confirmations gap_limit"),
    MANUAL: (_manual, "instructions_file"),
    STRIPE: (_stripe, "url key_file webhook_secret_file success_url"),
}
"""Each kind's reader, and the options it knows."""
