"""What people paste, type and configure: invoices, keys and pointers, queries, rates, relay addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from unittest.mock import patch

from schemas import bolt11
from schemas.bolt11 import InvoiceRefused
from schemas.ciphers import scrypt
from schemas.nostr import bech32, nip19, nip49
from schemas.nostr.coordinates import Coordinate, CoordinateRefused
from schemas.nostr.nip01 import UnsignedEvent
from schemas.nostr.nip17 import read_inbox_relays
from schemas.nostr.nip19 import Nip19Refused
from schemas.nostr.nip49 import Nip49Refused
from schemas.nostr.nip65 import read_relay_list, relay_list_tags
from schemas.nostr.relay_urls import is_relay_url, keep_relay_urls
from services.metrics.gate import admit, has_parameters
from services.metrics.port import BadQuery
from services.rates.fixed import BadRates, FixedRates
from services.relays import BadRelayUrl
from services.relays.urls import host_and_port, normalise_relay_url, relays_named_by_stranger
from tests.fuzz.tagged import read_tags, written
from tests.fuzz.target import MARK, Tape, Target, with_choices
from tests.schemas.bolt11_examples import READABLE
from tests.schemas.bolt11_tools import CHARSET, chars_of, checked, resigned
from tests.schemas.nostr.given import BUYER, MERCHANT, PLACED_AT


def read_any_invoice(data: bytes) -> None:
    """A text, the same with a right checksum, or any fields under a signature that recovers some key."""
    tape = Tape(data)
    match tape.choice(4):
        case 0:
            invoice = bolt11.decode(tape.text())
        case 1:
            text = _of_charset(tape.text())
            invoice = bolt11.decode(checked(f"{text}qqqqqq") if "1" in text else text)
        case 2:
            prefix, _, fields = tape.text().partition("1")
            ascii_prefix = prefix.encode("ascii", "ignore").decode().lower() or "lnbc"
            invoice = bolt11.decode(resigned(ascii_prefix, _of_charset(fields).replace("1", "q")))
        case _:
            body = tape.rest()
            kind = CHARSET[tape.choice(32)]
            chars = chars_of(body)[:1_023]
            field = f"{kind}{CHARSET[len(chars) >> 5]}{CHARSET[len(chars) & 31]}{chars}"
            invoice = bolt11.decode(resigned("lnbc20m", _NEEDED + field))
    assert invoice.amount_msat is None or 0 < invoice.amount_msat <= bolt11.AMOUNT_MSAT_MAX
    assert len(bytes.fromhex(invoice.payment_hash)) == len(bytes.fromhex(invoice.payment_secret)) == 32
    assert invoice.expires_at >= invoice.timestamp


_NEEDED = "pp5" + "q" * 52 + "sp5" + "q" * 52
_ALLOWED = frozenset(CHARSET + "1")


def _of_charset(text: str) -> str:
    """Every letter made one that bech32 may hold, so that the search is not spent on the alphabet."""
    return "".join(char if char in _ALLOWED else CHARSET[ord(char) % 32] for char in text)


def _invoices() -> Iterator[bytes]:
    for text, *_ in READABLE[:6]:
        yield with_choices(text, 0)
        yield with_choices(text[:-6], 1)
    yield with_choices("lnbc2500u1" + _NEEDED + "dqq", 2)
    yield with_choices("lnbcrt1p1" + _NEEDED + "xqpu9q8pqqqqq", 2)
    yield with_choices("ln" + MARK.lower() + "1", 2)
    for kind in "dhxcfrnm9":
        yield with_choices(bytes([CHARSET.index(kind)]) + MARK.encode(), 3)


def _retyped(name: str) -> tuple[Callable[[str], Any], str]:
    return getattr(nip19, f"decode_{name}"), name


_NIP19 = tuple(_retyped(name) for name in ("npub", "note", "nprofile", "nevent", "naddr"))


def read_any_pasted_text(data: bytes) -> None:
    """Keys and pointers, as pasted or with their checksum put right; none of the errors repeats a secret."""
    tape = Tape(data)
    which, is_checked = tape.choice(8), tape.choice(2)
    body, text = tape.rest()[:600], tape.text()[:1_000]
    if which < 5:
        decode, prefix = _NIP19[which]
        decode(bech32.encode(prefix, body) if is_checked else text)
    elif which == 5:
        assert MARK not in repr(nip19.read_secret_key(bech32.encode("nsec", body) if is_checked else text))
    elif which == 6:
        nip19.read_public_key(text)
        str(nip19.read_coordinate(text))
    else:
        # How much work a pass-phrase is, is its owner's choice: here it is always little.
        with patch.object(nip49, "scrypt", lambda password, salt, log_n: scrypt(password, salt, min(log_n, 1))):
            nip49.decrypt_key(bech32.encode("ncryptsec", body) if is_checked else text, MARK)


def _pasted_texts() -> Iterator[bytes]:
    pubkey = bytes.fromhex(MERCHANT.public_key)
    part = bytes([0, 32]) + pubkey
    relay = b"\x01\x0fwss://r.example"
    for which, body in enumerate((pubkey, pubkey, part + relay, part + b"\x02\x20" + pubkey + b"\x03\x04\0\0\0\1")):
        yield with_choices(body, which, 1)
    yield with_choices(b"\x00\x03tea" + relay + b"\x02\x20" + pubkey + b"\x03\x04\0\0\x76\xc2", 4, 1)
    yield with_choices(bytes(32), 5, 1)
    yield with_choices(BUYER.reveal(), 5, 1)
    yield with_choices(nip19.encode_nsec(BUYER), 5, 0)
    yield with_choices(BUYER.reveal().hex(), 5, 0)
    yield with_choices(nip19.encode_npub(MERCHANT.public_key), 0, 0)
    yield with_choices(nip19.encode_npub(MERCHANT.public_key).upper(), 6, 0)
    yield with_choices(f"30402:{MERCHANT.public_key}:{MARK}", 6, 0)
    yield with_choices(nip19.encode_naddr(Coordinate(30402, MERCHANT.public_key, "tea")), 6, 0)
    locked = nip49.encrypt_key(BUYER, MARK, 1, bytes(16), bytes(24))
    yield with_choices(locked, 7, 0)
    yield with_choices(bech32.decode(locked, 200)[1], 7, 1)
    yield with_choices(f"nsec1{MARK}", 5, 0)


def admit_any_statement(data: bytes) -> None:
    """A statement is refused with a sentence, or admitted in a form that is admitted again as it stands."""
    admitted = admit(data.decode("utf-8", "replace"))
    assert "".join(admit(admitted).split()) == "".join(admitted.split()), "what was admitted stays what it is"
    has_parameters(admitted)


def _statements() -> Iterator[bytes]:
    yield from (
        b"SELECT * FROM orders_now WHERE ref = {ref:String} ORDER BY placed_at DESC LIMIT 10;",
        b"WITH a AS (SELECT 1) SELECT count() /* c */ FROM a -- end",
        b"SELECT \"a\", `b`, 'it''s \\' ' FROM orders_now",
        b"select toDateTime({at:DateTime64(3, 'UTC')}) % 2 = 1",
        b"SELECT * FROM file('/etc/passwd')",
        b"SELECT 1 INTO OUTFILE 'x' FORMAT CSV SETTINGS a = 1",
        b"SELECT * FROM system.processes; SELECT 2",
        b"SELECT {x:Identifier}, format('{}', 1)",
        b"SELECT '" + b"''" * 1_500,
        b"SELECT " + b"(" * 1_500,
        b"SELECT /*" + b"/*" * 1_500,
        "SELECT 'é\u2028' \u00a0 \u212a".encode(),
        b"SELECT \x00 1",
    )


def read_any_setting(data: bytes) -> None:
    """Rates, relay addresses and coordinates as somebody configured or published them."""
    tape = Tape(data)
    which = tape.choice(5)
    if which == 4:
        _read_any_list(tape)
        return
    text = tape.text()
    match which:
        case 0:
            FixedRates.parse(text).now(1_700_000_000_000)
        case 1:
            url = normalise_relay_url(text)
            assert normalise_relay_url(url) == url, "a normal form is its own"
            host_and_port(url)
        case 2:
            lines = text.split("\n")
            assert all(is_relay_url(url) for url in keep_relay_urls(lines))
            relays_named_by_stranger(lines)
        case _:
            coordinate = Coordinate.parse(text)
            assert Coordinate.parse(str(coordinate)) == coordinate


def _read_any_list(tape: Tape) -> None:
    """A relay list or inbox list keeps a few addresses, each of which is a relay's or is refused when it is dialled."""
    kind = (10_002, 10_050)[tape.choice(2)]
    tags, content = read_tags(tape)
    event = UnsignedEvent(pubkey=BUYER.public_key, created_at=PLACED_AT, kind=kind, tags=tags, content=content)
    relays = read_relay_list(event)
    again = read_relay_list(event.model_copy(update={"tags": relay_list_tags(relays)}))
    if kind == 10_002:
        assert (set(again.read), set(again.write)) == (set(relays.read), set(relays.write)), "a list is written as read"
    for url in (*relays.read, *relays.write, *read_inbox_relays(event)):
        with suppress(BadRelayUrl):
            host_and_port(normalise_relay_url(url))


def _settings() -> Iterator[bytes]:
    yield with_choices("USD=1000,EUR=1100.5", 0)
    yield with_choices("USD=NaN, EUR=-1,=,GBP=1e999999", 0)
    yield with_choices("USD=sNaN", 0)
    for url in _URLS:
        yield with_choices(url, 1)
    yield with_choices("\n".join(_URLS), 2)
    listed = tuple(("r", url, use) for url, use in zip(_URLS, ("read", "write", "", MARK) * 3, strict=True))
    yield with_choices(written(listed), 4, 0, 0)
    yield with_choices(written((*listed, ("r", "wss://r#.example"))), 4, 0, 3)
    yield with_choices(written(tuple(("relay", url) for url in _URLS)), 4, 1, 0)
    yield with_choices(f"30402:{MERCHANT.public_key}:{MARK}:x", 3)
    yield with_choices(f"065536:{MERCHANT.public_key}:", 3)


_URLS = (
    "WSS://R1.example:443/Path/?a=b",
    "ws://127.0.0.1:7777",
    "ws://[::1]:80/",
    "wss://b\u00fccher.example./",
    "wss://u:p@r.example",
    "wss://r.example:99999",
    "wss://xn--a.example",
    "wss://\u2100.example",
    "wss://[::1%25eth0]/",
    "wss://1.2.3.4.",
    "wss://a..b",
    "wss://r.example#f",
)

_SQL_WORDS = ("SELECT ", "WITH ", "FROM ", "{a:String}", "/*", "*/", "--", "''", "INTO ", "FORMAT ", "system.")

TARGETS = (
    Target("invoice", read_any_invoice, _invoices, (InvoiceRefused,), ("lnbc", "lntb", "1", "lightning:"), False),
    Target(
        "pasted",
        read_any_pasted_text,
        _pasted_texts,
        (Nip19Refused, Nip49Refused, CoordinateRefused),
        ("npub1", "nsec1", "naddr1", "nprofile1", "ncryptsec1"),
    ),
    Target("sql", admit_any_statement, _statements, (BadQuery,), _SQL_WORDS, False),
    Target(
        "setting",
        read_any_setting,
        _settings,
        (BadRates, BadRelayUrl, CoordinateRefused),
        ("wss://", "ws://[", "://", "USD=", "30402:", "%", "xn--"),
        False,
    ),
)
