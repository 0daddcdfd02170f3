"""Reads what `ncc wallet add` is told into a credential; a secret comes from a file or the input, never from a word."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
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


def credential_of(
    kind: str,
    url: str | None,
    key_file: Path | None,
    address: str | None,
    own_network: bool,
    cert_file: Path | None = None,
    webhook_secret_file: Path | None = None,
    called_at: str | None = None,
    store: str | None = None,
    mints: list[str] | None = None,
    cap_sats: int | None = None,
    *,
    lock_key_file: Path | None = None,
    xpub_file: Path | None = None,
    indexer: str | None = None,
    confirmations: int | None = None,
    gap_limit: int | None = None,
    instructions_file: Path | None = None,
    success_url: str | None = None,
    on_chain: bool = False,
    may_refund: bool = False,
    spend_key_file: Path | None = None,
) -> Credential | None:
    """What the options name, not tried yet; None for simulated money. Ends with a sentence where they do not fit."""
    if kind not in KINDS:
        fail(f"there is no kind of wallet called {kind}: it is one of {', '.join(KINDS)}", 2)
    if kind == SIMULATED:
        return None
    if kind == LNBITS:
        return _lnbits(url, key_file, called_at, spend_key_file)
    if spend_key_file is not None:
        fail(f"--spend-key-file is for lnbits: a {kind} wallet pays nothing out here", 2)
    if kind == NWC:
        return _nwc(key_file, own_network)
    if kind == PHOENIXD:
        return _phoenixd(url, key_file, webhook_secret_file)
    if kind == LND:
        return _lnd(url, key_file, cert_file)
    if kind == CLN:
        return _cln(url, key_file, cert_file)
    if kind == BTCPAY:
        made = _btcpay(url, store, key_file, webhook_secret_file)
        return made.model_copy(update={"is_on_chain": on_chain, "may_refund": may_refund})
    if kind == CASHU:
        return _cashu(mints or [], cap_sats, lock_key_file)
    if kind == CHAIN:
        return _chain(indexer, xpub_file, confirmations, gap_limit)
    if kind == MANUAL:
        return _manual(instructions_file)
    if kind == STRIPE:
        return _stripe(url, key_file, webhook_secret_file, success_url)
    return _lud16(address, own_network)


def _lnbits(url: str | None, key_file: Path | None, called_at: str | None, spend_key_file: Path | None) -> Credential:
    if url is None or key_file is None:
        fail("an lnbits wallet needs --url https://HOST and --key-file FILE with its invoice key", 2)
    key = _lnbits_key(key_file, "the invoice key")
    spend_key = None if spend_key_file is None else _lnbits_key(spend_key_file, "the admin key")
    door = "" if called_at is None else _url(called_at, "--called-at")
    return LnbitsCredential(url=_url(url), key=key, called_at=door, spend_key=spend_key)


def _lnbits_key(key_file: Path, what: str) -> SecretStr:
    key = secret_in(key_file)
    if not (key.isascii() and key.isalnum() and len(key) <= KEY_CHARS_MAX):
        fail(f"{key_file} holds no key of an LNbits wallet: it needs one line, {what} from its API page", 2)
    return SecretStr(key)


def _nwc(key_file: Path | None, own_network: bool) -> Credential:
    if key_file is None:
        fail("an nwc wallet needs --key-file FILE with the connection that the wallet shows", 2)
    text = secret_in(key_file)
    try:
        read_connection(text)
    except ConnectionRefused as refused:
        fail(f"{key_file} holds no wallet connection: {refused}", 2)
    return NwcCredential(connection=SecretStr(text), is_near=own_network)


def _lud16(address: str | None, own_network: bool) -> Credential:
    if address is None:
        fail("a lud16 wallet needs --address NAME@HOST", 2)
    try:
        return Lud16Credential(address=str(read_address(address)), is_near=own_network)
    except AddressRefused as refused:
        fail(f"--address {address}: {refused}", 2)


def _phoenixd(url: str | None, key_file: Path | None, webhook_secret_file: Path | None) -> Credential:
    if url is None or key_file is None:
        fail("a phoenixd needs --url http://HOST:9740 and --key-file FILE with its http-password-limited-access", 2)
    password = secret_in(key_file)
    if not (password.isascii() and password.isprintable() and 0 < len(password) <= PASSWORD_CHARS_MAX):
        fail(f"{key_file} holds no password: it needs one line, http-password-limited-access of phoenix.conf", 2)
    return PhoenixdCredential(
        url=_url(url), password=SecretStr(password), webhook_secret=_webhook_secret(webhook_secret_file)
    )


def _btcpay(url: str | None, store: str | None, key_file: Path | None, webhook_secret_file: Path | None) -> Credential:
    if url is None or store is None or key_file is None:
        fail(
            "a btcpay needs --url https://HOST, --store ID (its settings show it) and --key-file FILE with an API key",
            2,
        )
    if not (store.isascii() and store.isalnum() and len(store) <= KEY_CHARS_MAX):
        fail(f"--store {store[:60]}: a store's id has letters and digits only; the store's settings show it", 2)
    key = secret_in(key_file)
    if not (key.isascii() and key.isalnum() and len(key) <= KEY_CHARS_MAX):
        fail(f"{key_file} holds no API key: it needs one line, the key that the account's page made", 2)
    secret = _webhook_secret(webhook_secret_file)
    return BtcpayCredential(url=_url(url), store=store, key=SecretStr(key), webhook_secret=secret)


def _lnd(url: str | None, key_file: Path | None, cert_file: Path | None) -> Credential:
    if url is None or key_file is None:
        fail("an lnd needs --url https://HOST:8080 and --key-file FILE, its invoice.macaroon", 2)
    raw = _bytes(key_file)
    with suppress(ValueError):  # the file that LND writes is not in hex
        raw = bytes.fromhex(raw.decode("ascii"))
    try:
        read_rights(raw)
    except BadMacaroon as bad:
        fail(f"{key_file} holds no macaroon: {bad}; it is the file invoice.macaroon, or the same in hex", 2)
    return LndCredential(url=_url(url), macaroon=SecretStr(raw.hex()), certificate=_certificate(cert_file))


def _cln(url: str | None, key_file: Path | None, cert_file: Path | None) -> Credential:
    if url is None or key_file is None:
        fail("a cln needs --url https://HOST:3010 and --key-file FILE with a rune for clnrest", 2)
    rune = secret_in(key_file)
    try:
        read_rune(rune)
    except BadRune as bad:
        fail(f"{key_file} holds no rune: {bad}; `lightning-cli createrune` makes one", 2)
    return ClnCredential(url=_url(url), rune=SecretStr(rune), certificate=_certificate(cert_file))


def _cashu(mints: list[str], cap_sats: int | None, lock_key_file: Path | None) -> Credential:
    if not mints or len(mints) > MINTS_MAX:
        fail(f"a cashu wallet needs --mint https://HOST for each mint whose ecash is taken, {MINTS_MAX} at most", 2)
    named = tuple(dict.fromkeys(mint_name(_url(mint, "--mint")) for mint in mints))
    lock_key = None if lock_key_file is None else _lock_key(lock_key_file)
    return CashuCredential(mints=named, cap_sats=cap_sats or CAP_SATS, lock_key=lock_key)


def _lock_key(file: Path) -> SecretStr:
    text = secret_in(file).lower()
    try:
        SecretKey.from_hex(text)
    except ValueError:
        fail(f"{file} holds no private key: it needs one line of 64 hex digits, whose public key the mint list has", 2)
    return SecretStr(text)


def _chain(indexer: str | None, xpub_file: Path | None, confirmations: int | None, gap_limit: int | None) -> Credential:
    if indexer is None or xpub_file is None:
        fail("a chain wallet needs --xpub-file FILE, an account's public key or descriptor, and --indexer URL", 2)
    text = secret_in(xpub_file)
    try:
        read_account(text)
    except BadKey as bad:
        fail(f"{xpub_file}: {bad}", 2)
    try:
        url = wallet_url(indexer)
    except BadWalletUrl:
        fail(
            f"--indexer {indexer}: it needs the form https://HOST/api of an Esplora API; http only in your own network,"
            " since anybody on the way could tell of payments that never were",
            2,
        )
    gap_limit = GAP_LIMIT if gap_limit is None else gap_limit
    return ChainCredential(url=url, account=SecretStr(text), confirmations=confirmations, gap_limit=gap_limit)


def _manual(instructions_file: Path | None) -> Credential:
    if instructions_file is None:
        fail("a manual wallet needs --instructions-file FILE, which tells buyers where and how to pay", 2)
    text = secret_in(instructions_file)
    is_readable = all(line.isprintable() for line in text.splitlines())
    if not (text and is_readable and len(text) <= INSTRUCTIONS_MAX):
        fail(f"{instructions_file} needs some plain text, {INSTRUCTIONS_MAX} characters at most", 2)
    return ManualCredential(instructions=SecretStr(text))


def _stripe(
    url: str | None, key_file: Path | None, webhook_secret_file: Path | None, success_url: str | None
) -> Credential:
    if key_file is None or success_url is None:
        fail(
            "a stripe account needs --key-file FILE with a restricted key, and --success-url https://HOST, where a"
            " buyer lands who has paid",
            2,
        )
    key = secret_in(key_file)
    if not (STRIPE_KEY.fullmatch(key) and len(key) <= PASSWORD_CHARS_MAX):
        fail(f"{key_file} holds no key of Stripe's: it needs one line that begins with rk_ or sk_", 2)
    parts = urlsplit(success_url)
    if (
        parts.scheme != "https"
        or not parts.hostname
        or not success_url.isprintable()
        or len(success_url) > URL_CHARS_MAX
    ):
        fail(f"--success-url {success_url[:60]}: it needs the form https://HOST, with a path if you like", 2)
    secret = _webhook_secret(webhook_secret_file)
    server = {} if url is None else {"url": _url(url)}
    return StripeCredential(key=SecretStr(key), success_url=success_url, webhook_secret=secret, **server)


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
