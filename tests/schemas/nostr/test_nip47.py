"""Nostr Wallet Connect: the NIP's own examples, nostr-sdk as the other side, and what is no message."""

import json
from typing import Any

import nostr_sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, UnsignedEvent, first_tag, read_event, sign_event, to_json
from schemas.nostr.nip44 import PayloadFault, PayloadRefused
from schemas.nostr.nip47 import (
    Connection,
    ConnectionRefused,
    Encryption,
    ErrorCode,
    MessageFault,
    MessageRefused,
    Method,
    decrypt,
    encrypt,
    read_connection,
    read_info,
    read_notification,
    read_response,
    request_event,
)
from schemas.nostr.secp256k1 import SecretKey
from tests.schemas.nostr.given import PLACED_AT, STEADY, STRANGER, a_key

# The example connection string of the NIP, as it stands there.
NIP_URI = (
    "nostr+walletconnect://b889ff5b1513b641e2a139f661a661364979c5beee91842f8f0ef42ab558e9d4"
    "?relay=wss%3A%2F%2Frelay.damus.io&secret=71a8c14c1407c113601079c4302dab36460f0ccd0ad506f1f2dc73b5100e4f3c"
)
NIP_WALLET = "b889ff5b1513b641e2a139f661a661364979c5beee91842f8f0ef42ab558e9d4"
NIP_SECRET = "71a8c14c1407c113601079c4302dab36460f0ccd0ad506f1f2dc73b5100e4f3c"

SERVICE, CLIENT = a_key("wallet service"), a_key("shop's connection")
CONNECTION = Connection(SERVICE.public_key, ("wss://relay.example",), CLIENT)
NONCE = bytes(range(32))
BOTH = pytest.mark.parametrize("encryption", list(Encryption))


def _said(
    kind: Kind,
    content: str,
    *tags: tuple[str, ...],
    author: SecretKey = SERVICE,
) -> Event:
    unsigned = UnsignedEvent(pubkey=author.public_key, created_at=PLACED_AT, kind=int(kind), tags=tags, content=content)
    return sign_event(unsigned, author)


def _response(
    said: object, encryption: Encryption = Encryption.NIP44, request: str = "ab" * 32, author: SecretKey = SERVICE
) -> Event:
    text = said if isinstance(said, str) else json.dumps(said)
    content = encrypt(text, author, CLIENT.public_key, encryption, NONCE)
    return _said(Kind.WALLET_RESPONSE, content, ("p", CLIENT.public_key), ("e", request), author=author)


def _fault(event: Event, encryption: Encryption = Encryption.NIP44) -> MessageFault:
    with pytest.raises(MessageRefused) as refused:
        read_response(CONNECTION, event, encryption)
    return refused.value.reason


def test_the_nips_example_connection_is_read() -> None:
    """Wallet, relay and secret are where the NIP puts them, and nostr-sdk reads the same."""
    connection = read_connection(NIP_URI)
    oracle = nostr_sdk.NostrWalletConnectUri.parse(NIP_URI)
    assert (connection.wallet, connection.relays) == (NIP_WALLET, ("wss://relay.damus.io",))
    assert connection.secret == SecretKey.from_hex(NIP_SECRET)
    assert connection.lud16 is None
    assert oracle.public_key().to_hex() == connection.wallet
    assert oracle.secret().to_hex() == connection.secret.reveal().hex()


@pytest.mark.parametrize(
    "uri",
    [
        NIP_URI.replace("nostr+walletconnect", "nostrwalletconnect"),
        NIP_URI.replace("nostr+walletconnect", "NOSTR+WALLETCONNECT"),
        NIP_URI.replace("://", ":"),
        NIP_URI.replace(NIP_WALLET, NIP_WALLET.upper()).replace(NIP_SECRET, NIP_SECRET.upper()),
        f"  {NIP_URI}\n",
        NIP_URI.replace("?", "/?"),
    ],
)
def test_the_ways_wallets_write_a_connection_are_read_alike(uri: str) -> None:
    """Older scheme, no slashes, other case, blanks from a copy: it is the same connection."""
    assert read_connection(uri) == read_connection(NIP_URI)


def test_more_relays_and_an_address_are_kept() -> None:
    """Relays in their order, the first few of them; the lightning address as it is."""
    more = "".join(f"&relay=wss://r{number}.example" for number in range(9))
    connection = read_connection(f"{NIP_URI}{more}&relay=https://no.example&lud16=shop@wallet.example")
    assert connection.relays[:2] == ("wss://relay.damus.io", "wss://r0.example")
    assert len(connection.relays) == 5
    assert connection.lud16 == "shop@wallet.example"


@pytest.mark.parametrize(
    ("uri", "lack"),
    [
        ("", "begins with"),
        ("https://wallet.example", "begins with"),
        (NIP_URI + "&x=" + "x" * 5_000, "begins with"),
        (NIP_URI.replace(NIP_WALLET, "npub1hello"), "public key"),
        (NIP_URI.replace(NIP_WALLET, "05".rjust(64, "0")), "public key"),
        (NIP_URI.replace("relay=wss", "relay=https"), "relay"),
        (NIP_URI.replace("relay=", "r="), "relay"),
        (NIP_URI.replace("secret=", "s="), "secret"),
        (NIP_URI[:-1], "secret"),
        (NIP_URI.replace(NIP_SECRET, "0" * 64), "secret"),
    ],
)
def test_a_connection_that_lacks_something_says_what(uri: str, lack: str) -> None:
    """In one sentence that repeats neither the secret nor any other part of it."""
    with pytest.raises(ConnectionRefused, match=lack) as refused:
        read_connection(uri)
    assert NIP_SECRET[:16] not in str(refused.value)


def test_a_connection_does_not_print_its_secret() -> None:
    """Not in its own text, nor in one that holds it."""
    connection = read_connection(NIP_URI)
    for said in (repr(connection), str(connection), f"{[connection]}"):
        assert NIP_SECRET[:16] not in said


@given(st.text(max_size=200))
@STEADY
def test_no_text_breaks_the_reading_of_a_connection(text: str) -> None:
    """It is refused, whatever stands in it."""
    for uri in (text, f"nostr+walletconnect://{text}", f"nostr+walletconnect://{NIP_WALLET}?{text}"):
        with pytest.raises(ConnectionRefused):
            read_connection(uri)


@pytest.mark.parametrize(
    ("tags", "encryption"),
    [
        ((("encryption", "nip44_v2 nip04"),), Encryption.NIP44),
        ((("encryption", "nip04 nip44_v2"),), Encryption.NIP44),
        ((("encryption", "nip44_v2", "nip04"),), Encryption.NIP44),
        ((("encryption", "nip04"),), Encryption.NIP04),
        ((), Encryption.NIP04),
        ((("encryption", "nip99"),), None),
    ],
)
def test_the_best_common_encryption_is_chosen(tags: tuple[tuple[str, ...], ...], encryption: Encryption | None) -> None:
    """NIP-44 where the service knows it, NIP-04 where it says nothing (NIP-47), none where it knows neither."""
    assert read_info(CONNECTION, _said(Kind.WALLET_INFO, "get_info", *tags)).encryption is encryption


def test_an_info_event_tells_methods_and_notifications() -> None:
    """The example of the NIP."""
    event = _said(
        Kind.WALLET_INFO,
        "pay_invoice get_balance make_invoice lookup_invoice list_transactions get_info notifications",
        ("encryption", "nip44_v2 nip04"),
        ("notifications", "payment_received payment_sent"),
    )
    info = read_info(CONNECTION, event)
    assert {Method.MAKE_INVOICE, Method.LIST_TRANSACTIONS, "pay_invoice"} <= info.methods
    assert info.notifications == {"payment_received", "payment_sent"}


def test_another_wallets_info_is_refused() -> None:
    """Anybody can publish one."""
    for event in (_said(Kind.WALLET_INFO, "x", author=STRANGER), _said(Kind.WALLET_RESPONSE, "x")):
        with pytest.raises(MessageRefused) as refused:
            read_info(CONNECTION, event)
        assert refused.value.reason is MessageFault.FOREIGN


@BOTH
def test_a_request_is_what_the_nip_says(encryption: Encryption) -> None:
    """Kind, tags and signature; the content opens with the service's key to method and params."""
    params = {"amount": 5_500, "description": "Two mugs ☕"}
    event = request_event(
        CONNECTION, "make_invoice", params, encryption, created_at=PLACED_AT, expires_at=PLACED_AT + 9, nonce32=NONCE
    )
    assert read_event(to_json(event)) == event
    assert (event.kind, event.pubkey, event.created_at) == (23_194, CLIENT.public_key, PLACED_AT)
    assert first_tag(event, "p") == ("p", SERVICE.public_key)
    assert first_tag(event, "expiration") == ("expiration", str(PLACED_AT + 9))
    assert first_tag(event, "encryption") == (("encryption", "nip44_v2") if encryption is Encryption.NIP44 else None)
    said = json.loads(decrypt(event.content, SERVICE, CLIENT.public_key, encryption))
    assert said == {"method": "make_invoice", "params": params}


@BOTH
def test_nostr_sdk_opens_what_we_encrypt(encryption: Encryption) -> None:
    """A content of ours is read by another implementation, with the service's key."""
    event = request_event(
        CONNECTION, "get_info", {}, encryption, created_at=PLACED_AT, expires_at=PLACED_AT, nonce32=NONCE
    )
    secret = nostr_sdk.SecretKey.parse(SERVICE.reveal().hex())
    client = nostr_sdk.PublicKey.parse(CLIENT.public_key)
    opener = nostr_sdk.nip44_decrypt if encryption is Encryption.NIP44 else nostr_sdk.nip04_decrypt
    assert json.loads(opener(secret, client, event.content)) == {"method": "get_info", "params": {}}


def test_a_request_that_no_message_can_hold_is_refused() -> None:
    """NIP-44 carries 65,535 bytes."""
    with pytest.raises(PayloadRefused) as refused:
        request_event(
            CONNECTION,
            "make_invoice",
            {"description": "x" * 70_000},
            Encryption.NIP44,
            created_at=1,
            expires_at=2,
            nonce32=NONCE,
        )
    assert refused.value.reason is PayloadFault.SIZE


@BOTH
def test_a_result_is_read(encryption: Encryption) -> None:
    """With the request it answers."""
    event = _response({"result_type": "get_balance", "error": None, "result": {"balance": 10_000}}, encryption)
    response = read_response(CONNECTION, event, encryption)
    assert (response.request_id, response.method) == ("ab" * 32, "get_balance")
    assert (response.result, response.error, response.created_at) == ({"balance": 10_000}, None, PLACED_AT)


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_error_code_is_read(code: ErrorCode) -> None:
    """By its own name."""
    said = {"result_type": "pay_invoice", "error": {"code": code.value, "message": "words"}, "result": None}
    error = read_response(CONNECTION, _response(said), Encryption.NIP44).error
    assert error is not None
    assert (error.code, error.message) == (code, "words")


@pytest.mark.parametrize("error", [{"code": "MADE_UP"}, {"code": 7}, {}])
def test_an_unknown_error_is_other(error: dict[str, Any]) -> None:
    """An error it stays."""
    found = read_response(CONNECTION, _response({"result_type": "x", "error": error}), Encryption.NIP44).error
    assert found is not None
    assert found.code is ErrorCode.OTHER


@pytest.mark.parametrize(
    "said",
    [
        "no JSON at all",
        "[1,2]",
        {"result": {}},
        {"result_type": "x"},
        {"result_type": "x", "result": 7},
        {"result_type": "x", "error": "NOT_FOUND"},
        {"result_type": 7, "result": {}},
        "[" * 3_000,
    ],
)
def test_a_content_of_another_shape_is_refused(said: object) -> None:
    """It is neither a result nor an error."""
    assert _fault(_response(said)) is MessageFault.SHAPE


def test_a_response_of_somebody_else_is_refused() -> None:
    """Another author, another addressee, another kind, or no request named."""
    said = {"result_type": "x", "result": {}}
    content = encrypt(json.dumps(said), SERVICE, CLIENT.public_key, Encryption.NIP44, NONCE)
    request = ("e", "ab" * 32)
    assert _fault(_response(said, author=STRANGER)) is MessageFault.FOREIGN
    for event in (
        _said(Kind.WALLET_RESPONSE, content, ("p", STRANGER.public_key), request),
        _said(Kind.WALLET_REQUEST, content, ("p", CLIENT.public_key), request),
        _said(Kind.WALLET_RESPONSE, content, ("p", CLIENT.public_key)),
        _said(Kind.WALLET_RESPONSE, content, ("p", CLIENT.public_key), ("e",)),
    ):
        assert _fault(event) is MessageFault.FOREIGN


def test_a_content_that_does_not_open_is_refused() -> None:
    """A changed one, and one that is encrypted otherwise than the request was."""
    event = _response({"result_type": "x", "result": {}})
    changed = _said(Kind.WALLET_RESPONSE, event.content[:-8] + "AAAAAAA=", *event.tags)
    assert _fault(changed) is MessageFault.CONTENT
    assert _fault(event, Encryption.NIP04) is MessageFault.CONTENT


@pytest.mark.parametrize(
    ("kind", "encryption"),
    [(Kind.WALLET_NOTIFICATION, Encryption.NIP44), (Kind.WALLET_NOTIFICATION_NIP04, Encryption.NIP04)],
)
def test_a_notification_is_read_in_its_kinds_encryption(kind: Kind, encryption: Encryption) -> None:
    """23197 is NIP-44 and 23196 is NIP-04, whatever the requests were."""
    said = {"notification_type": "payment_received", "notification": {"payment_hash": "cd" * 32}}
    content = encrypt(json.dumps(said), SERVICE, CLIENT.public_key, encryption, NONCE)
    found = read_notification(CONNECTION, _said(kind, content, ("p", CLIENT.public_key)))
    assert (found.kind, found.fields) == ("payment_received", {"payment_hash": "cd" * 32})


def test_what_is_no_notification_is_refused() -> None:
    """A response, and a content of another shape."""
    with pytest.raises(MessageRefused):
        read_notification(CONNECTION, _response({"result_type": "x", "result": {}}))
    content = encrypt('{"notification_type":"x"}', SERVICE, CLIENT.public_key, Encryption.NIP44, NONCE)
    with pytest.raises(MessageRefused):
        read_notification(CONNECTION, _said(Kind.WALLET_NOTIFICATION, content))
