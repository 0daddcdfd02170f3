"""Derives a shop's addresses from what its owner's wallet shows of an account: an xpub or an output descriptor.

An account of one key is read: BIP-84 (`wpkh`), BIP-86 (`tr`), BIP-49 (`sh(wpkh)`), written as BIP-380 has it.
A key that could spend is refused and kept nowhere.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, assert_never

from embit import script
from embit.base import EmbitError
from embit.bip32 import HDKey
from embit.descriptor.checksum import checksum
from embit.networks import NETWORKS

from schemas.bolt11 import Network

INDEX_MAX: Final = 2**31 - 1
ACCOUNT_DEPTH: Final = 3
TEXT_MAX: Final = 500
_PARAMETERS: Final = {
    Network.BITCOIN: NETWORKS["main"],
    Network.TESTNET: NETWORKS["test"],
    Network.SIGNET: NETWORKS["signet"],
    Network.REGTEST: NETWORKS["regtest"],
}
_MAIN: Final = frozenset({Network.BITCOIN})
_TESTS: Final = frozenset(Network) - _MAIN
_KEY: Final = r"(?P<key>[1-9A-HJ-NP-Za-km-z]{20,120})"
_DESCRIPTOR: Final = re.compile(
    r"(?P<kind>wpkh|tr|sh\(wpkh)\((?:\[[0-9a-fA-F]{8}(?:/\d{1,10}[hH']?)*\])?"
    + _KEY
    + r"(?P<steps>(?:/\d{1,10})*)(?P<branches>/<0;1>|/\{0,1\})?/\*\){1,2}",
    re.ASCII,
)
_SEED_WORDS: Final = re.compile(r"[a-z]{3,8}( [a-z]{3,8}){11,23}", re.ASCII)
_PRIVATE: Final = re.compile(r"[a-zA-Z]prv[1-9A-HJ-NP-Za-km-z]{20,}|\b[5KLc9][1-9A-HJ-NP-Za-km-z]{50,51}\b", re.ASCII)


class BadKey(ValueError):
    """A text that no address may be derived from; the message is for the operator and quotes nothing of it."""


class Script(StrEnum):
    """What an address pays to, in the words of a descriptor."""

    WPKH = "wpkh"
    TR = "tr"
    SH_WPKH = "sh(wpkh"


_SCRIPTS_OF: Final = {
    "xpub": (Script.WPKH, _MAIN),
    "zpub": (Script.WPKH, _MAIN),
    "ypub": (Script.SH_WPKH, _MAIN),
    "tpub": (Script.WPKH, _TESTS),
    "vpub": (Script.WPKH, _TESTS),
    "upub": (Script.SH_WPKH, _TESTS),
}
"""What the letters before a key say of it (SLIP-132); those of several signers are refused."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account's public key, what it pays to, and the steps before an address's own number."""

    kind: Script
    key: Any
    steps: tuple[int, ...]
    networks: frozenset[Network]
    """What its letters are for."""

    def address(self, index: int, network: Network) -> str:
        """Address number `index`, from 0. Raises `BadKey` for a network that the key is not for."""
        if network not in self.networks:
            raise BadKey(f"this key is for {' or '.join(sorted(one.name.lower() for one in self.networks))}")
        assert 0 <= index <= INDEX_MAX, "an address's number is never hardened"
        child = self.key.derive([*self.steps, index])
        return str(_output(self.kind, child).address(_PARAMETERS[network]))

    @property
    def name(self) -> str:
        """The same for each way to write it: 16 hex digits."""
        network = min(self.networks)
        return hashlib.sha256(self.address(0, network).encode()).hexdigest()[:16]


def read_account(text: str) -> Account:
    """Read an account's key or descriptor. Raises `BadKey`."""
    text = text.strip()
    if _PRIVATE.search(text) or _SEED_WORDS.fullmatch(text):
        raise BadKey("it can spend: give the account's public key (xpub) and keep the private one where it is")
    if len(text) > TEXT_MAX:
        raise BadKey("it is too long for a key or a descriptor")
    body, _, said = text.partition("#")
    if said and said != _checksum(body):
        raise BadKey("the descriptor's checksum does not fit: a letter is wrong or missing")
    if "(" not in body:
        return _plain(body)
    found = _DESCRIPTOR.fullmatch(body)
    if found is None or body.count("(") != body.count(")"):
        raise BadKey("a descriptor of one key is needed that ends in /*: wpkh(…/0/*), tr(…/0/*) or sh(wpkh(…/0/*))")
    key, _, networks = _public(found["key"])
    steps = [int(step) for step in found["steps"].split("/")[1:]] + ([0] if found["branches"] else [])
    if any(step > INDEX_MAX for step in steps):
        raise BadKey("a step of the descriptor's path is no number that a public key can take")
    return Account(Script(found["kind"]), key, tuple(steps), networks)


def networks_of(address: str) -> frozenset[Network]:
    """The networks that an address is for; none for a text that is no address."""
    try:
        output = script.address_to_scriptpubkey(address)
        return frozenset(one for one, said in _PARAMETERS.items() if output.address(said) == address)
    except (EmbitError, ValueError, TypeError, AttributeError, IndexError):  # what it answers to letters that are none
        return frozenset()


def _plain(text: str) -> Account:
    """An account's key without a descriptor: its addresses for receiving are those of branch 0 (BIP-44)."""
    key, kind, networks = _public(text)
    if key.depth != ACCOUNT_DEPTH:
        raise BadKey("it is not the key of an account (m/84'/0'/0'): give that, or a descriptor")
    return Account(kind, key, (0,), networks)


def _public(text: str) -> tuple[Any, Script, frozenset[Network]]:
    if text[:4] not in _SCRIPTS_OF:
        raise BadKey("it is no public key of an account: that begins with xpub, zpub or ypub, or tpub, vpub, upub")
    try:
        key = HDKey.from_base58(text)
    except (EmbitError, ValueError, IndexError):
        raise BadKey("the key is not whole: a letter is wrong or missing") from None
    return key, *_SCRIPTS_OF[text[:4]]


def _checksum(body: str) -> str:
    try:
        return str(checksum(body))
    except EmbitError:
        raise BadKey("it has letters that no descriptor has") from None


def _output(kind: Script, key: Any) -> Any:
    match kind:
        case Script.WPKH:
            return script.p2wpkh(key)
        case Script.TR:
            return script.p2tr(key)
        case Script.SH_WPKH:
            return script.p2sh(script.p2wpkh(key))
        case _:
            assert_never(kind)
