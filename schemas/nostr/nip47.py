"""Nostr Wallet Connect: what a client and a wallet service say to each other over a relay (NIP-47).

The connection URI, the service's info event, requests, responses and notifications; see `nip47_wallet`
for what stands in a result. A client that only wants to be paid needs no more than is here.
Everything is between two keys: that of the connection, which is the client's secret, and the service's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

from schemas.nostr import nip04, nip44
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, UnsignedEvent, first_tag, sign_event
from schemas.nostr.relay_urls import keep_relay_urls
from schemas.nostr.secp256k1 import KeyRefused, SecretKey, is_public_key

URI_CHARS_MAX: Final = 4_096
_SCHEMES: Final = ("nostr+walletconnect:", "nostrwalletconnect:")
"""The second one is what wallets wrote before the NIP had its name."""


class Encryption(StrEnum):
    """How contents are encrypted, by the word of the `encryption` tag."""

    NIP44 = "nip44_v2"
    NIP04 = "nip04"


class Method(StrEnum):
    """The commands of a wallet that a shop needs."""

    GET_INFO = "get_info"
    MAKE_INVOICE = "make_invoice"
    LOOKUP_INVOICE = "lookup_invoice"
    LIST_TRANSACTIONS = "list_transactions"


PAYMENT_RECEIVED: Final = "payment_received"
SPENDING: Final = frozenset({"pay_invoice", "multi_pay_invoice", "pay_keysend", "multi_pay_keysend"})
"""Methods by which whoever holds the connection can take money out."""


class ErrorCode(StrEnum):
    """Why a service did not do it; a code that nobody knows is `OTHER`."""

    RATE_LIMITED = "RATE_LIMITED"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    RESTRICTED = "RESTRICTED"
    UNAUTHORIZED = "UNAUTHORIZED"
    INTERNAL = "INTERNAL"
    UNSUPPORTED_ENCRYPTION = "UNSUPPORTED_ENCRYPTION"
    NOT_FOUND = "NOT_FOUND"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    BAD_REQUEST = "BAD_REQUEST"  # not the NIP's, but the largest wallet's
    OTHER = "OTHER"


class ConnectionRefused(ValueError):
    """A text that is no usable connection URI; the message says what is missing and quotes nothing."""


class MessageFault(StrEnum):
    """Why an event is no message of this connection."""

    FOREIGN = "nwc_foreign"
    CONTENT = "nwc_content"
    SHAPE = "nwc_shape"


class MessageRefused(ValueError):
    """An event that says nothing to this connection; the message quotes no content."""

    def __init__(self, reason: MessageFault, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection URI, read: whoever holds `secret` may do what the wallet allows this client."""

    wallet: str
    """The service's public key, 64 lower-case hex digits."""
    relays: tuple[str, ...]
    secret: SecretKey = field(repr=False)
    lud16: str | None = None

    @property
    def client(self) -> str:
        """The public key by which the service knows this client."""
        return self.secret.public_key


@dataclass(frozen=True, slots=True)
class WalletInfo:
    """What a service says it can do (kind 13194)."""

    methods: frozenset[str]
    notifications: frozenset[str]
    encryptions: frozenset[str]

    @property
    def encryption(self) -> Encryption | None:
        """The best scheme both sides know; None where there is none."""
        return next((one for one in Encryption if one in self.encryptions), None)


@dataclass(frozen=True, slots=True)
class WalletError:
    """A service's refusal; its words are for people and may say anything."""

    code: ErrorCode
    message: str


@dataclass(frozen=True, slots=True)
class Response:
    """An answer to one request: a result, or an error."""

    request_id: str
    method: str
    result: Mapping[str, Any]
    error: WalletError | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Notification:
    """Something happened in the wallet; a hint, since nobody repeats it to those who were away."""

    kind: str
    fields: Mapping[str, Any]


def read_connection(uri: str) -> Connection:
    """Read `nostr+walletconnect://<service's key>?relay=…&secret=…`; raise `ConnectionRefused`."""
    text = uri.strip()
    scheme = next((one for one in _SCHEMES if text[: len(one)].lower() == one), None)
    if scheme is None or len(text) > URI_CHARS_MAX:
        raise ConnectionRefused("a wallet connection begins with nostr+walletconnect://")
    wallet, _, query = text[len(scheme) :].removeprefix("//").partition("?")
    wallet = wallet.strip("/").lower()
    if not is_public_key(wallet):
        raise ConnectionRefused("a wallet connection names the wallet's public key, 64 hex digits, after the //")
    parameters = parse_qs(query)
    relays = keep_relay_urls(parameters.get("relay", ()))
    if not relays:
        raise ConnectionRefused("a wallet connection names one relay at least, as relay=wss://…")
    try:
        secret = SecretKey.from_hex(parameters.get("secret", [""])[0].lower())
    except KeyRefused:
        raise ConnectionRefused("a wallet connection holds a secret of 64 hex digits, as secret=…") from None
    return Connection(wallet, relays, secret, next(iter(parameters.get("lud16", ())), None))


def read_info(connection: Connection, event: Event) -> WalletInfo:
    """Read the service's info event; one without an `encryption` tag speaks NIP-04 only (NIP-47)."""
    if event.kind != Kind.WALLET_INFO or event.pubkey != connection.wallet:
        raise MessageRefused(MessageFault.FOREIGN, "not this wallet's info event")
    return WalletInfo(
        methods=frozenset(event.content.split()),
        notifications=frozenset(_words(event, "notifications", "")),
        encryptions=frozenset(_words(event, "encryption", Encryption.NIP04)),
    )


def request_event(
    connection: Connection,
    method: str,
    params: Mapping[str, object],
    encryption: Encryption,
    *,
    created_at: int,
    expires_at: int,
    nonce32: bytes,
) -> Event:
    """Write a request (kind 23194); a service that hears of it after `expires_at` is to ignore it.

    The nonce is never used twice with one connection; of NIP-04's initial vector it gives the first half.
    Raises `PayloadRefused` for parameters of more than 65,535 bytes.
    """
    text = orjson.dumps({"method": method, "params": dict(params)}).decode()
    # Services that speak NIP-04 alone are older than the tag that would say so.
    scheme = () if encryption is Encryption.NIP04 else (("encryption", encryption.value),)
    unsigned = UnsignedEvent(
        pubkey=connection.client,
        created_at=created_at,
        kind=int(Kind.WALLET_REQUEST),
        tags=(("p", connection.wallet), *scheme, ("expiration", str(expires_at))),
        content=encrypt(text, connection.secret, connection.wallet, encryption, nonce32),
    )
    return sign_event(unsigned, connection.secret)


def read_response(connection: Connection, event: Event, encryption: Encryption) -> Response:
    """Read a response (kind 23195) to a request that was encrypted so; raise `MessageRefused`.

    The event's id and signature have been checked by the caller.
    """
    request = first_tag(event, "e")
    if event.kind != Kind.WALLET_RESPONSE or request is None or len(request) < 2:
        raise MessageRefused(MessageFault.FOREIGN, "not a response")
    fields = _open(connection, event, encryption)
    method, result, error = fields.get("result_type"), fields.get("result"), fields.get("error")
    if not isinstance(method, str) or not isinstance(result, dict | None) or not isinstance(error, dict | None):
        raise MessageRefused(MessageFault.SHAPE, "a response has a result_type, and a result or an error")
    if result is None and error is None:
        raise MessageRefused(MessageFault.SHAPE, "a response without result and error")
    return Response(request[1], method, result or {}, _error(error), event.created_at)


def read_notification(connection: Connection, event: Event) -> Notification:
    """Read a notification (kind 23197, or 23196 in NIP-04); raise `MessageRefused`."""
    encryption = {
        int(Kind.WALLET_NOTIFICATION): Encryption.NIP44,
        int(Kind.WALLET_NOTIFICATION_NIP04): Encryption.NIP04,
    }.get(event.kind)
    if encryption is None:
        raise MessageRefused(MessageFault.FOREIGN, "not a notification")
    said = _open(connection, event, encryption)
    kind, fields = said.get("notification_type"), said.get("notification")
    if not isinstance(kind, str) or not isinstance(fields, dict):
        raise MessageRefused(MessageFault.SHAPE, "a notification has a notification_type and a notification")
    return Notification(kind, fields)


def encrypt(text: str, secret: SecretKey, other: str, encryption: Encryption, nonce32: bytes) -> str:
    """Encrypt a content for the other side; the same from either side's key."""
    if encryption is Encryption.NIP44:
        return nip44.encrypt(text, nip44.conversation_key(secret, other), nonce32)
    return nip04.encrypt(text, secret, other, nonce32[:16])


def decrypt(content: str, secret: SecretKey, other: str, encryption: Encryption) -> str:
    """Read a content from the other side; raise `MessageRefused` (`nwc_content`)."""
    try:
        if encryption is Encryption.NIP44:
            return nip44.decrypt(content, nip44.conversation_key(secret, other))
        return nip04.decrypt(content, secret, other)
    except (nip44.PayloadRefused, nip04.ContentRefused, KeyRefused) as refused:
        raise MessageRefused(MessageFault.CONTENT, str(refused)) from None


def _open(connection: Connection, event: Event, encryption: Encryption) -> dict[str, Any]:
    addressee = first_tag(event, "p")
    if event.pubkey != connection.wallet or (addressee is not None and addressee[1:2] != (connection.client,)):
        raise MessageRefused(MessageFault.FOREIGN, "not from this wallet to this client")
    try:
        fields = orjson.loads(decrypt(event.content, connection.secret, connection.wallet, encryption))
    except orjson.JSONDecodeError:  # its error carries the whole text
        raise MessageRefused(MessageFault.SHAPE, "the content is not JSON") from None
    if not isinstance(fields, dict):
        raise MessageRefused(MessageFault.SHAPE, "the content is not an object")
    return fields


def _error(fields: dict[str, Any] | None) -> WalletError | None:
    if fields is None:
        return None
    code = fields.get("code")
    known = ErrorCode(code) if isinstance(code, str) and code in set(ErrorCode) else ErrorCode.OTHER
    return WalletError(known, str(fields.get("message", "")))


def _words(event: Event, name: str, default: str) -> list[str]:
    tag = first_tag(event, name)
    # Some services write one element a word instead of one element with spaces.
    return " ".join(tag[1:]).split() if tag is not None else default.split()
