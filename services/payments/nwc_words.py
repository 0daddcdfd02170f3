"""Says a wallet's words in the port's: errors, states, invoices and cursors (NIP-47)."""

import re
from collections.abc import Mapping
from typing import Any, Final

from schemas.bolt11 import InvoiceRefused, decode
from schemas.nostr.nip47 import ErrorCode, WalletError, WalletInfo
from schemas.nostr.nip47_wallet import Transaction, TransactionRefused, TransactionState, read_transaction
from schemas.payments import BackendState
from services.payments import asking
from services.payments.nwc_marks import DESCRIPTION_BYTES_MAX, INTENT_KEY, mark_of
from services.payments.port import (
    BackendError,
    BackendRef,
    Cursor,
    Intent,
    Observation,
    PaymentRequest,
    Rejected,
    Retry,
    Unauthorized,
    Unknown,
    Unsupported,
)
from services.relays.reports import plain

RATE_LIMIT_PAUSE_S: Final = 5.0
QUOTA_PAUSE_S: Final = 60.0
CURSOR_MARK_CHARS: Final = 12

_CURSOR: Final = re.compile(r"([0-9]{1,12})((?:,[0-9a-f]{12})*)", re.ASCII)
_NODE: Final = re.compile(r"0[23][0-9a-f]{64}", re.ASCII)


def refuse_impossible(intent: Intent) -> None:
    """Raise `Unsupported` or `Rejected` for an intent that no wallet needs to be asked about."""
    asking.refuse_impossible(intent, "a wallet connection")
    size = len(intent.memo.encode())
    if size > DESCRIPTION_BYTES_MAX:
        raise Rejected(f"the memo of {intent.reference} has {size} bytes, at most {DESCRIPTION_BYTES_MAX}")


def is_definite(code: ErrorCode) -> bool:
    """Whether the error proves that nothing was made; a failure inside the wallet proves nothing."""
    return code not in {ErrorCode.INTERNAL, ErrorCode.OTHER}


def port_error(error: WalletError, *, is_act: bool) -> BackendError:
    """The port's error for a wallet's; `is_act` says that the request would have made something."""
    words = f"the wallet says {error.code}: {plain(error.message)}"
    match error.code:
        case ErrorCode.RATE_LIMITED:
            return Retry(words, RATE_LIMIT_PAUSE_S)
        case ErrorCode.QUOTA_EXCEEDED:
            return Retry(words, QUOTA_PAUSE_S)
        case ErrorCode.UNSUPPORTED_ENCRYPTION:
            return Retry(words)
        case ErrorCode.NOT_IMPLEMENTED:
            return Unsupported(words)
        case ErrorCode.RESTRICTED | ErrorCode.UNAUTHORIZED:
            return Unauthorized(words)
        case _ if not is_act:
            return Retry(words)
        case ErrorCode.INTERNAL | ErrorCode.OTHER:
            return Unknown(words)
        case ErrorCode.BAD_REQUEST | ErrorCode.INSUFFICIENT_BALANCE | ErrorCode.NOT_FOUND | ErrorCode.PAYMENT_FAILED:
            return Rejected(words)


def transaction_of(fields: object) -> Transaction:
    """A transaction out of an answer to a question; raise `Retry` for one that cannot be read."""
    if not isinstance(fields, Mapping):
        raise Retry("the wallet answered with something else than a transaction")
    try:
        return read_transaction(fields)
    except TransactionRefused as refused:
        raise Retry(f"the wallet's answer cannot be read: {refused}") from None


def state_of(transaction: Transaction, now_s: int) -> BackendState:
    """How an invoice stands; a preimage proves nothing, since some wallets give it before it is paid."""
    if not transaction.is_incoming:
        return BackendState.UNKNOWN
    match transaction.state:
        case TransactionState.SETTLED:
            return BackendState.SETTLED
        case TransactionState.ACCEPTED:
            return BackendState.HELD
        case TransactionState.EXPIRED:
            return BackendState.EXPIRED
        case TransactionState.FAILED:
            return BackendState.CANCELLED
        case TransactionState.PENDING:
            is_settled = False
        case None:
            is_settled = transaction.settled_at is not None
    if is_settled:
        return BackendState.SETTLED
    expires_at = transaction.expires_at
    return BackendState.EXPIRED if expires_at is not None and now_s >= expires_at else BackendState.OPEN


def observation(transaction: Transaction, now_s: int) -> Observation:
    """What a look-up or a scan found."""
    state = state_of(transaction, now_s)
    is_settled = state is BackendState.SETTLED
    return Observation(
        backend_ref=BackendRef(transaction.payment_hash),
        reference=mark_of(transaction),
        state=state,
        gross_msat=transaction.amount_msat if is_settled else 0,
        fee_msat=transaction.fees_msat if is_settled else 0,
        settled_at=transaction.settled_at if is_settled else None,
        expires_at=transaction.expires_at,
        evidence=f"bolt11:{transaction.payment_hash}" if is_settled else "",
        raw_digest=transaction.digest,
    )


def request_of(intent: Intent, transaction: Transaction) -> PaymentRequest:
    """The request that a wallet's transaction is; raise `Rejected` for one that is not what was asked for.

    Wallets that take whole sats only cut the rest off without a word, so the amount is read off the text.
    """
    said_intent = transaction.metadata.get(INTENT_KEY, intent.intent_id)
    if said_intent != intent.intent_id:
        raise Rejected(f"reference {intent.reference} already stands for another intent")
    if transaction.invoice is None:
        raise Unknown("the wallet has the invoice and does not say its text")
    try:
        invoice = decode(transaction.invoice)
    except InvoiceRefused as refused:
        raise Rejected(f"the wallet's invoice cannot be used: {refused}") from None
    if invoice.amount_msat != intent.amount_msat:
        raise Rejected(f"request {intent.reference} asks for another amount: {invoice.amount_msat} msat")
    if invoice.payment_hash != transaction.payment_hash:
        raise Rejected(f"request {intent.reference} has another payment hash than the wallet says")
    return asking.bolt11_request(intent, invoice.payment_hash, transaction.invoice, invoice.expires_at)


def read_cursor(cursor: Cursor) -> tuple[int, frozenset[str]]:
    """The second a scan came to, and the hashes' beginnings that were given of the minute before it."""
    found = _CURSOR.fullmatch(cursor or "0")
    if found is None:
        raise Rejected("this is no cursor of a wallet connection")
    return int(found[1]), frozenset(found[2].split(",")[1:])


def write_cursor(up_to_s: int, given: list[str]) -> Cursor:
    """The cursor that `read_cursor` reads."""
    return Cursor(",".join((str(up_to_s), *given)))


def node_key(info: Mapping[str, Any]) -> str | None:
    """The node's key in a `get_info` result, if it is one."""
    said = info.get("pubkey")
    return said if isinstance(said, str) and _NODE.fullmatch(said) else None


def allowed(info: WalletInfo, said: Mapping[str, Any]) -> frozenset[str]:
    """What this connection may do: the info event speaks of the wallet, `get_info` of the connection, if it tells."""
    methods = said.get("methods")
    if not isinstance(methods, list | tuple):
        return info.methods
    return info.methods & {method for method in methods if isinstance(method, str)}
