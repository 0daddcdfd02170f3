"""Whatever we hash, sign, verify, encrypt and unwrap, two other implementations see it the same.

Where they do not, the case has a name, and the name stands here with who says what and who is right by the NIP.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from schemas.nostr import nip44
from schemas.nostr.nip01 import EventRefused, IdForm, UnsignedEvent, id_form, read_event, to_json
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.nip44 import PayloadRefused
from schemas.nostr.nip59 import WrapRefused, make_wrap, open_wrap
from schemas.nostr.secp256k1 import KeyRefused, SecretKey, is_public_key
from tests.differential.cases import (
    CONTROLS,
    a_secret,
    a_text,
    an_event,
    event_cases,
    id_of,
    payload_cases,
    signed,
)
from tests.differential.peers import JavaScript, Refused, Rust, javascript
from tests.schemas.nostr.given import a_seal, a_wrap, payload_around

pytestmark = pytest.mark.real

IDS, VERDICTS, KEYS, TEXTS, WRAPS = 400, 900, 100, 120, 40
"""Together some 2,600 cases, most of them put to both peers."""
RUST = Rust()


@pytest.fixture(scope="module")
def tools() -> Iterator[JavaScript]:
    """nostr-tools for the whole module."""
    with javascript() as peer:
        yield peer


@pytest.mark.req("ID-02")
def test_three_implementations_give_one_id(tools: JavaScript) -> None:
    """For every text that NIP-01 and JSON write in one way: all planes, seven escapes, huge tags."""
    chance = Random(101)
    for _ in range(IDS):
        event = an_event(chance)
        ours = id_of(event)

        assert tools.hash(event) == ours
        assert RUST.is_id(event, ours)


def test_a_control_byte_has_two_ids_and_we_take_both(tools: JavaScript) -> None:
    r"""NIP-01 wants all but seven characters verbatim; both peers hash what JSON writes, as `\u0001`.

    By the letter ours is right and theirs is not; in the world theirs are the majority. So both are read,
    and we never sign a text with such a byte.
    """
    chance = Random(102)
    for control in set(CONTROLS) - set("\b\t\n\f\r"):
        event = {**an_event(chance), "content": a_text(chance, 10) + control}
        theirs = tools.hash(event)
        unsigned = UnsignedEvent(**event)

        assert RUST.is_id(event, theirs)
        assert not RUST.is_id(event, id_of(event))
        assert id_form(unsigned, theirs) is IdForm.JSON_ESCAPED
        assert id_form(unsigned, id_of(event)) is IdForm.VERBATIM


def test_half_a_character_has_an_id_in_javascript_only(tools: JavaScript) -> None:
    """NIP-01 hashes UTF-8, which half a character has none of: refusing it, as Rust and we do, is right."""
    event = {**an_event(Random(103)), "content": "\ud800"}

    assert len(tools.hash(event)) == 64
    assert not RUST.is_id(event, tools.hash(event))
    with pytest.raises(ValueError, match="no UTF-8"):
        id_of(event)


KNOWN_VERDICTS = {
    "the key in capitals": (
        (False, True, False),
        "NIP-01 says lower-case hex. Rust reads bytes, whatever their case; nobody who compares texts should.",
    ),
    "the id in capitals": (
        (False, True, False),
        "The same. An id in capitals would get past a set of ids that were seen.",
    ),
    "the signature in capitals": (
        (False, True, True),
        "The same; harmless, as nobody looks a signature up, but then two texts are one event. We stay strict.",
    ),
}
"""What was done to an event → whether we, nostr-sdk, nostr-tools accept it; and who is right."""


@pytest.mark.req("REL-06")
def test_three_implementations_give_one_verdict(tools: JavaScript) -> None:
    """On sound events, and on events spoiled in one of two dozen ways, but for those with a name above."""
    seen: dict[str, set[tuple[bool, bool, bool]]] = {}
    for case in event_cases(Random(104), VERDICTS):
        verdict = (_is_valid(case.text), RUST.is_valid(case.text), tools.is_valid(case.text))
        seen.setdefault(case.what, set()).add(verdict)

    disagreements = {what: found for what, found in seen.items() if found - {(True,) * 3, (False,) * 3}}
    assert disagreements == {what: {verdict} for what, (verdict, _) in KNOWN_VERDICTS.items()}
    assert seen["sound"] == seen["a field nobody knows"] == {(True, True, True)}
    assert len(seen) == 29


def test_three_implementations_share_a_key(tools: JavaScript) -> None:
    """From either side; what nostr-sdk encrypts with its own proves that it has the same."""
    chance = Random(105)
    for number in range(KEYS):
        one, other = a_secret(chance), a_secret(chance)
        key = nip44.conversation_key(one, other.public_key)

        assert tools.conversation_key(one.reveal(), other.public_key) == key
        assert tools.conversation_key(other.reveal(), one.public_key) == key
        words = f"words {number}"
        assert nip44.decrypt(RUST.encrypt(words, one.reveal(), other.public_key), key) == words


def test_a_point_off_the_curve_shares_no_key(tools: JavaScript) -> None:
    """All three refuse a public key that is none."""
    chance = Random(106)
    secret = a_secret(chance)
    refused = Counter[str]()
    for _ in range(KEYS):
        pubkey = chance.randbytes(32).hex()
        asked: dict[str, Callable[[], object]] = {
            "ours": lambda pubkey=pubkey: nip44.conversation_key(secret, pubkey),  # type: ignore[misc]
            "tools": lambda pubkey=pubkey: tools.conversation_key(secret.reveal(), pubkey),  # type: ignore[misc]
        }
        verdicts = {name: _refuses(ask) for name, ask in asked.items()}
        assert set(verdicts.values()) == {not is_public_key(pubkey)}
        refused.update(name for name, is_refused in verdicts.items() if is_refused)

    assert refused["ours"] > KEYS // 3


def test_one_nonce_gives_one_payload(tools: JavaScript) -> None:
    """The same text, key and nonce: byte for byte the same, and nostr-sdk reads it."""
    chance = Random(107)
    one, other = a_secret(chance), a_secret(chance)
    key = nip44.conversation_key(one, other.public_key)
    sizes = (1, 31, 32, 33, 64, 65, 255, 256, 257, 1_023, 1_025, 8_193, 65_535)
    texts = ["x" * size for size in sizes] + [a_text(chance, 200, CONTROLS) + "." for _ in range(TEXTS)]
    for text in texts:
        nonce = chance.randbytes(32)
        payload = nip44.encrypt(text, key, nonce)

        assert tools.encrypt(text, key, nonce) == payload
        assert tools.decrypt(payload, key) == text.removeprefix("\ufeff")  # see the test of the byte order mark
        assert RUST.decrypt(payload, other.reveal(), one.public_key) == text


def test_a_byte_order_mark_is_text(tools: JavaScript) -> None:
    """JavaScript's decoder drops one at the start. NIP-44 gives back the text that was encrypted: we and Rust do."""
    one, other = a_secret(Random(108)), a_secret(Random(109))
    key = nip44.conversation_key(one, other.public_key)
    payload = nip44.encrypt("\ufefftea", key, bytes(32))

    assert nip44.decrypt(payload, key) == RUST.decrypt(payload, other.reveal(), one.public_key) == "\ufefftea"
    assert tools.decrypt(payload, key) == "tea"


def test_a_spoiled_payload_is_refused_by_all(tools: JavaScript) -> None:
    """A bit anywhere, a byte more or less, a cut, a letter that is none: nobody reads it."""
    chance = Random(110)
    one, other = a_secret(chance), a_secret(chance)
    key = nip44.conversation_key(one, other.public_key)
    for _ in range(TEXTS // 2):
        payload = nip44.encrypt(a_text(chance, 80) + ".", key, chance.randbytes(32))
        for what, text in payload_cases(chance, payload):
            verdicts = (
                _refuses(lambda text=text: nip44.decrypt(text, key)),  # type: ignore[misc]
                _refuses(lambda text=text: RUST.decrypt(text, other.reveal(), one.public_key)),  # type: ignore[misc]
                _refuses(lambda text=text: tools.decrypt(text, key)),  # type: ignore[misc]
            )
            assert verdicts == ((what != "sound"),) * 3, what


@pytest.mark.req("ID-03")
def test_a_long_text_is_read_as_the_nip_of_today_writes_it(tools: JavaScript) -> None:
    """From 65,536 bytes on the length has six bytes, since June 2026; nostr-sdk of today's pin cannot read that yet.

    So we read it, up to our cap, and never write it.
    """
    one, other = a_secret(Random(120)), a_secret(Random(121))
    key = nip44.conversation_key(one, other.public_key)
    for size in (65_536, 65_537, 100_000):
        payload = tools.encrypt("é" * (size // 2), key, bytes(32))

        assert nip44.decrypt(payload, key) == "é" * (size // 2)
        assert _refuses(lambda payload=payload: RUST.decrypt(payload, other.reveal(), one.public_key))  # type: ignore[misc]
        assert _refuses(lambda size=size: nip44.encrypt("x" * size, key, bytes(32)))  # type: ignore[misc]


def _padded(length: int, size: int, filler: bytes = b"\0") -> bytes:
    return length.to_bytes(2) + b"x" * min(length, size) + filler * max(0, size - length)


PADDINGS = {
    # what it claims: (padded bytes, whether we, nostr-sdk, nostr-tools refuse it)
    "as it should be": (_padded(5, 32), (False, False, False)),
    "more than there is": (_padded(33, 32), (True, True, True)),
    "nothing": (_padded(0, 32), (True, True, True)),
    "a block too many": (_padded(5, 64), (True, True, True)),
    "a byte too few": (_padded(5, 31), (True, True, True)),
    "the long form of a short text": (b"\0\0" + (5).to_bytes(4) + b"xxxxx" + bytes(27), (True, True, True)),
    # NIP-44: the padding's size is checked, its bytes are not; there is nothing to gain behind a good MAC.
    "padding that is not zero": (_padded(5, 32, b"\1"), (False, False, False)),
    # Half of a character in UTF-8. The NIP encodes text and says nothing of bytes that are none; Rust and we
    # refuse, JavaScript puts replacement characters there, so that two peers would read different words.
    "bytes that are no text": ((2).to_bytes(2) + b"\xff\xfe" + bytes(30), (True, True, False)),
}


@pytest.mark.parametrize("what", PADDINGS)
def test_padding_under_a_good_mac(tools: JavaScript, what: str) -> None:
    """Only somebody with the key can make these, and still they must not be read in two ways."""
    one, other = a_secret(Random(111)), a_secret(Random(112))
    key = nip44.conversation_key(one, other.public_key)
    padded, expected = PADDINGS[what]
    payload = payload_around(padded, key, bytes(32))

    refused = (
        _refuses(lambda: nip44.decrypt(payload, key)),
        _refuses(lambda: RUST.decrypt(payload, other.reveal(), one.public_key)),
        _refuses(lambda: tools.decrypt(payload, key)),
    )
    assert refused == expected


async def test_a_wrap_of_ours_is_opened_by_all(tools: JavaScript) -> None:
    """The same rumor comes out, and the same sender."""
    chance = Random(113)
    for number in range(WRAPS):
        author, recipient = a_secret(chance), a_secret(chance)
        rumor = make_rumor(author.public_key, **_said(chance))
        text = to_json(make_wrap(rumor, author, recipient.public_key, f"effect {number}"))
        expected = json.loads(rumor.model_dump_json())

        assert tools.open(text, recipient.reveal()) == expected
        assert await RUST.open(text, recipient.reveal()) == (author.public_key, expected)


async def test_a_wrap_of_theirs_is_opened_by_us(tools: JavaScript) -> None:
    """What either peer makes, with keys and nonces of its own chance, says the same to us."""
    chance = Random(114)
    for _ in range(WRAPS):
        author, recipient = a_secret(chance), a_secret(chance)
        said = _said(chance)
        event = {**said, "pubkey": author.public_key}
        for text in (
            tools.wrap(said, author.reveal(), recipient.public_key),
            await RUST.wrap(event, author.reveal(), recipient.public_key),
        ):
            opened = open_wrap(read_event(text), recipient)

            assert opened.sender == author.public_key
            assert opened.rumor.id == id_of(event)
            assert opened.rumor.content == said["content"]


FORGERIES = {
    # what is wrong: whether we, nostr-sdk, nostr-tools refuse it
    "nothing": (False, False, False),
    "the rumor is another's": (True, True, True),
    "the seal's signature": (True, True, True),
    "the seal's id": (True, True, True),
    "the seal is of another kind": (True, False, True),
    "the seal has a tag": (True, False, False),
    "the rumor's id": (True, False, False),
    "the rumor is for somebody else's key": (True, True, True),
}


@pytest.mark.req("ID-05")
@pytest.mark.parametrize("what", FORGERIES)
async def test_a_forged_message_is_refused(tools: JavaScript, what: str) -> None:
    """We refuse whatever anybody refuses, and three things more that NIP-59 forbids.

    A seal is of kind 13 and has no tags ("tags MUST always be empty"), and an event's id is its hash (NIP-01):
    who accepts another id can be made to answer, or to drop, a message that is not there.
    """
    author, recipient, other = (a_secret(Random(number)) for number in (115, 116, 117))
    text = _forged(what, author, recipient, other)

    refused = (
        _refuses(lambda: open_wrap(read_event(text), recipient)),
        await _refuses_later(RUST.open(text, recipient.reveal())),
        _refuses(lambda: tools.open(text, recipient.reveal())),
    )
    assert refused == FORGERIES[what]


def _forged(what: str, author: SecretKey, recipient: SecretKey, other: SecretKey) -> str:
    rumor: dict[str, Any] = {"pubkey": author.public_key, "created_at": 1, "kind": 14, "tags": [], "content": "hello"}
    if what == "the rumor is another's":
        rumor["pubkey"] = other.public_key
    rumor["id"] = "0" * 64 if what == "the rumor's id" else id_of(rumor)
    sealed_to = other if what == "the rumor is for somebody else's key" else recipient
    changes: dict[str, Any] = {}
    if what == "the seal is of another kind":
        changes["kind"] = 14
    if what == "the seal has a tag":
        changes["tags"] = (("p", recipient.public_key),)
    seal = a_seal(json.dumps(rumor), author, sealed_to, **changes)
    if what == "the seal's signature":
        seal["sig"] = signed(an_event(Random(118)), author, Random(119))["sig"]
    if what == "the seal's id":
        seal["id"] = "0" * 64
    return to_json(a_wrap(json.dumps(seal), recipient))


def _said(chance: Random) -> dict[str, Any]:
    event = an_event(chance)
    tags = event["tags"][:20]
    return {"created_at": event["created_at"], "kind": 16, "tags": tags, "content": event["content"][:5_000]}


def _is_valid(text: str) -> bool:
    try:
        read_event(text)
    except EventRefused:
        return False
    return True


def _refuses(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except (Refused, KeyRefused, PayloadRefused, WrapRefused, EventRefused):
        return True
    return False


async def _refuses_later(asked: Any) -> bool:
    try:
        await asked
    except Refused:
        return True
    return False
