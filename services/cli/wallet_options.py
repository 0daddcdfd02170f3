"""Reads what `ncc wallet add` is told into a credential; a secret comes from a file or the input, never from a word."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import SecretStr

from schemas.lnurl import AddressRefused, read_address
from schemas.nostr.nip47 import ConnectionRefused, read_connection
from services.cli.output import fail
from services.payments.credentials import (
    LNBITS,
    NWC,
    Credential,
    LnbitsCredential,
    Lud16Credential,
    NwcCredential,
)
from services.payments.http_calls import BadWalletUrl, wallet_url
from services.payments.wallets import KINDS, SIMULATED

LNBITS_KEY_CHARS_MAX = 128
INPUT = Path("-")


def credential_of(
    kind: str, url: str | None, key_file: Path | None, address: str | None, own_network: bool
) -> Credential | None:
    """What the options name, not tried yet; None for simulated money. Ends with a sentence where they do not fit."""
    if kind not in KINDS:
        fail(f"there is no kind of wallet called {kind}: it is one of {', '.join(KINDS)}", 2)
    if kind == SIMULATED:
        return None
    if kind == LNBITS:
        return _lnbits(url, key_file)
    if kind == NWC:
        return _nwc(key_file, own_network)
    return _lud16(address, own_network)


def _lnbits(url: str | None, key_file: Path | None) -> Credential:
    if url is None or key_file is None:
        fail("an lnbits wallet needs --url https://HOST and --key-file FILE with its invoice key", 2)
    key = _secret(key_file)
    if not (key.isascii() and key.isalnum() and len(key) <= LNBITS_KEY_CHARS_MAX):
        fail(f"{key_file} holds no key of an LNbits wallet: it needs one line, the invoice key from its API page", 2)
    try:
        return LnbitsCredential(url=wallet_url(url), key=SecretStr(key))
    except BadWalletUrl as bad:
        fail(f"--url {url}: {bad}", 2)


def _nwc(key_file: Path | None, own_network: bool) -> Credential:
    if key_file is None:
        fail("an nwc wallet needs --key-file FILE with the connection that the wallet shows", 2)
    text = _secret(key_file)
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


def _secret(key_file: Path) -> str:
    """The line that a file, or the standard input for `-`, holds; it is never shown."""
    try:
        return (sys.stdin.read() if key_file == INPUT else key_file.read_text()).strip()
    except OSError as error:
        fail(f"the key file {key_file} cannot be read: {error.strerror}", 2)
    except UnicodeDecodeError:
        return ""
