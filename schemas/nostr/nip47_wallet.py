"""What a wallet says of one invoice or payment, as it stands in NIP-47's results and notifications."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

from schemas.bolt11 import AMOUNT_MSAT_MAX, Network

_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SECONDS_MAX: Final = 2**53
_NETWORKS: Final = {
    "mainnet": Network.BITCOIN,
    "bitcoin": Network.BITCOIN,
    "testnet": Network.TESTNET,
    "signet": Network.SIGNET,
    "regtest": Network.REGTEST,
}


class TransactionRefused(ValueError):
    """A transaction that does not say what every one must; the message quotes nothing."""


class TransactionState(StrEnum):
    """How a transaction stands; a wallet may leave it out."""

    PENDING = "pending"
    SETTLED = "settled"
    ACCEPTED = "accepted"  # a hold invoice whose payment waits
    EXPIRED = "expired"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Transaction:
    """One invoice or payment; amounts in msat, times in unix seconds.

    There is no preimage in it, though wallets may send one, paid or not: whoever holds it could claim to have paid.
    `digest` is the SHA-256 of all that was said but for the preimage.
    """

    payment_hash: str
    is_incoming: bool
    state: TransactionState | None
    amount_msat: int
    fees_msat: int
    created_at: int
    expires_at: int | None
    settled_at: int | None
    invoice: str | None
    description: str
    metadata: Mapping[str, Any]
    digest: str


def read_transaction(fields: Mapping[str, Any]) -> Transaction:
    """Read a transaction; what may be left out may also be null. Raises `TransactionRefused`."""
    payment_hash = fields.get("payment_hash")
    if not isinstance(payment_hash, str) or not _HASH.fullmatch(payment_hash.lower()):
        raise TransactionRefused("a transaction has a payment_hash of 64 hex digits")
    state, invoice, metadata = fields.get("state"), fields.get("invoice"), fields.get("metadata")
    return Transaction(
        payment_hash=payment_hash.lower(),
        is_incoming=fields.get("type", "incoming") == "incoming",
        state=TransactionState(state) if isinstance(state, str) and state in set(TransactionState) else None,
        amount_msat=_number(fields, "amount", AMOUNT_MSAT_MAX) or 0,
        fees_msat=_number(fields, "fees_paid", AMOUNT_MSAT_MAX) or 0,
        created_at=_number(fields, "created_at", _SECONDS_MAX) or 0,
        # Zero is how some wallets write "none".
        expires_at=_number(fields, "expires_at", _SECONDS_MAX) or None,
        settled_at=_number(fields, "settled_at", _SECONDS_MAX) or None,
        invoice=invoice if isinstance(invoice, str) and invoice else None,
        description=str(fields.get("description") or ""),
        metadata=metadata if isinstance(metadata, dict) else {},
        digest=_digest(fields),
    )


def read_network(fields: Mapping[str, Any]) -> Network | None:
    """The network named in a `get_info` result; None where it is not named or nobody knows it."""
    name = fields.get("network")
    return _NETWORKS.get(name.lower()) if isinstance(name, str) else None


def _number(fields: Mapping[str, Any], name: str, most: int) -> int | None:
    said = fields.get(name)
    if said is None:
        return None
    if isinstance(said, float) and said.is_integer():  # JSON has one kind of number, and some writers show it
        said = int(said)
    if isinstance(said, bool) or not isinstance(said, int) or not 0 <= said <= most:
        raise TransactionRefused(f"a transaction's {name} is a whole number from 0 to {most}")
    return said


def _digest(fields: Mapping[str, Any]) -> str:
    said = {name: value for name, value in fields.items() if name != "preimage"}
    try:
        return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()
    except orjson.JSONEncodeError:
        raise TransactionRefused("a transaction is nested less deeply") from None
