"""Events: ids as the world computes them, and three gates that strangers' text has to pass."""

import json
from typing import Any

import nostr_sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr import nip01
from schemas.nostr.nip01 import Event, EventFault, EventRefused, IdForm, UnsignedEvent
from tests.schemas.nostr.given import (
    BUYER,
    MERCHANT,
    OFF_CURVE,
    PLACED_AT,
    STEADY,
    a_key,
    an_event,
    an_unsigned_event,
    as_fields,
    hashed,
    signed_as,
)


def signed_by_them(event: UnsignedEvent) -> Any:
    """Let nostr-sdk read the buyer's event, compute its id and sign it."""
    unsigned = nostr_sdk.UnsignedEvent.from_json(event.model_dump_json())
    assert unsigned.id() is None
    return unsigned.sign_with_keys(nostr_sdk.Keys.parse(BUYER.reveal().hex()))


def their_id(event: UnsignedEvent) -> str:
    """Let nostr-sdk compute an event's id."""
    return str(signed_by_them(event).id().to_hex())


def our_id(event: UnsignedEvent) -> str:
    """Compute an event's id here."""
    return nip01.event_id(event.pubkey, event.created_at, event.kind, event.tags, event.content)


def refusal(text: bytes | str) -> EventFault:
    """Read text that must be refused, and give the reason."""
    with pytest.raises(EventRefused) as refused:
        nip01.read_event(text)
    return refused.value.reason


def spoiled(**changes: Any) -> str:
    """Give a valid event's JSON with some fields replaced."""
    return json.dumps(as_fields(an_event()) | changes)


@pytest.mark.req("ID-02")
@pytest.mark.parametrize(
    "text",
    [
        "two tins of 🍵, please",
        "line\u2028separator and \u2029 paragraph",
        "https://shop.example/a/b",
        'all seven: \n \r \t \b \f " \\',
        "\\u0041 is not an escape, nor is \\n",
        "delete \x7f and no-break \xa0 space",
        "",
    ],
)
def test_an_id_is_the_one_that_nostr_sdk_computes(text: str) -> None:
    """Emoji, separators, slashes and the seven escapes hash alike in content and in tags."""
    event = an_unsigned_event(content=text, tags=(("subject", text), ("d", text, "x")))
    assert our_id(event) == their_id(event)


@pytest.mark.req("ID-02")
@STEADY
@given(
    content=st.text(st.characters(exclude_categories=("Cs", "Cc"))),
    tags=st.lists(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"))), min_size=1, max_size=3)),
    created_at=st.integers(0, 2**53),
    kind=st.integers(0, 65_535),
)
def test_any_text_has_the_id_that_nostr_sdk_computes(
    content: str, tags: list[list[str]], created_at: int, kind: int
) -> None:
    """Whatever is written without control bytes has one id everywhere."""
    frozen = tuple(tuple(tag) for tag in tags)
    event = an_unsigned_event(content=content, tags=frozen, created_at=created_at, kind=kind)
    assert our_id(event) == their_id(event)


@pytest.mark.req("ID-02")
def test_a_control_byte_is_hashed_verbatim() -> None:
    """NIP-01 escapes seven characters and no other; the bytes to hash hold the byte itself."""
    written = nip01.serialise("ab", 1, 2, (("t\x01", 'q"'),), "a\x02\\u0002\n")
    assert written == b'[0,"ab",1,2,[["t\x01","q\\""]],"a\x02\\\\u0002\\n"]'


def test_the_slow_and_the_fast_writer_agree_on_every_other_character() -> None:
    """A control byte switches writers, and nothing else changes but that byte."""
    text = "".join(chr(code) for code in range(0x300) if code >= 0x20 or chr(code) in "\n\r\t\b\f")
    fast = nip01.serialise("ab", 1, 2, ((text,),), text)
    slow = nip01.serialise("ab", 1, 2, ((text,),), text + "\x01")
    assert slow == fast[:-2] + b'\x01"]'


@pytest.mark.parametrize("code", [code for code in range(0x20) if chr(code) not in "\n\r\t\b\f"])
def test_an_event_with_a_control_byte_is_read_in_either_form_and_never_written(code: int) -> None:
    """NIP-01's verbatim hash and the escaped one of common encoders both pass; we sign neither."""
    unsigned = an_unsigned_event(content=f"tea{chr(code)}")
    escaped_id = their_id(unsigned)
    assert escaped_id != our_id(unsigned)
    assert nip01.id_form(unsigned, our_id(unsigned)) is IdForm.VERBATIM
    assert nip01.id_form(unsigned, escaped_id) is IdForm.JSON_ESCAPED
    assert nip01.id_form(unsigned, "00" * 32) is None
    assert nip01.read_event(signed_by_them(unsigned).as_json()).content == f"tea{chr(code)}"
    with pytest.raises(ValueError, match="control byte"):
        nip01.sign_event(unsigned, BUYER)


def test_a_control_byte_in_a_tag_is_not_written_either() -> None:
    """Tags are hashed like content."""
    with pytest.raises(ValueError, match="control byte"):
        nip01.sign_event(an_unsigned_event(tags=(("t", "a\x00"),)), BUYER)


def test_a_strangers_words_can_be_made_writable() -> None:
    """Only the bytes without an agreed form are dropped."""
    assert nip01.writable("tea\x00\n\t\x1b[31m\x7f\u2028") == "tea\n\t[31m\x7f\u2028"


def test_an_event_signed_here_verifies_in_nostr_sdk() -> None:
    """Id and signature hold in the other implementation, and the text survives the trip."""
    event = an_event(content='🍵 / \u2028 \\ " \n')
    theirs = nostr_sdk.Event.from_json(nip01.to_json(event))
    assert theirs.verify()
    assert nip01.read_event(theirs.as_json()) == event


def test_an_event_signed_by_nostr_sdk_is_read_here() -> None:
    """Text as bytes or as str gives the same event."""
    text = signed_by_them(an_unsigned_event()).as_json()
    assert nip01.read_event(text) == nip01.read_event(text.encode())
    assert nip01.read_event(text).content == "Two tins, please"


def test_odd_key_order_spaces_and_unknown_fields_do_not_matter() -> None:
    """Relays may write an event in any way that means the same."""
    event = an_event()
    fields = dict(reversed(as_fields(event).items())) | {"seen_on": {"relays": ["wss://r1.example"]}}
    assert nip01.read_event(json.dumps(fields, indent=2)) == event


def test_json_within_content_is_no_duplicate_key() -> None:
    """A profile's content is JSON itself, and its keys are only text."""
    event = an_event(kind=0, content='{"name":"Tea","name":"Tea","kind":1}')
    assert nip01.read_event(nip01.to_json(event)) == event


@pytest.mark.req("REL-06")
@pytest.mark.parametrize("content", ['{"a":1}', 'a \\" : b', '\\"', '"": ""', '\\\\":'])
def test_a_key_given_twice_is_found_behind_any_content(content: str) -> None:
    """Quotes and backslashes within a text neither make a duplicate nor hide one."""
    event = an_event(kind=0, content=content)
    text = nip01.to_json(event)
    assert nip01.read_event(text) == event
    with pytest.raises(nip01.EventRefused) as refused:
        nip01.parse_event(text[:-1] + ',"kind":0}')
    assert refused.value.reason is nip01.EventFault.BAD_JSON


@pytest.mark.req("REL-06")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "tea",
        "{",
        b'{"a":"\xff"}',
        '{"a":"\\ud800"}',
        '{"a":"\ud800"}',
        '{"a":"\x01"}',
        '{"a":NaN}',
        '{"a":1e400}',
        '{"a":01}',
        "\ufeff{}",
        '{"kind":1,"kind":1}',
        '{"kind":1,"kin\\u0064" : 1}',
        '{"x":{"a":1,"a":1}}',
        '{"x":[{"a":1,"b":{},"a":1}]}',
    ],
)
def test_text_that_is_not_strict_json_is_bad_json(text: bytes | str) -> None:
    """Broken text, broken UTF-8, lone surrogates, NaN and keys that occur twice are refused."""
    assert refusal(text) is EventFault.BAD_JSON


@pytest.mark.req("REL-06")
def test_a_duplicate_of_any_field_is_bad_json() -> None:
    """A second value for any key, before or behind the true one, is refused however it is spaced."""
    text = nip01.to_json(an_event())
    for name, value in as_fields(an_event()).items():
        pair = f'"{name}"\n:{json.dumps(value)}'
        assert refusal("{" + pair + "," + text[1:]) is EventFault.BAD_JSON
        assert refusal(text[:-1] + "," + pair + "}") is EventFault.BAD_JSON


@pytest.mark.req("REL-06")
@pytest.mark.parametrize(
    "changes",
    [
        {"kind": 70_000},
        {"kind": -1},
        {"kind": 1.0},
        {"kind": True},
        {"kind": "1"},
        {"kind": None},
        {"created_at": -1},
        {"created_at": 2**53 + 1},
        {"created_at": 10**30},
        {"created_at": 1.5},
        {"created_at": False},
        {"created_at": str(PLACED_AT)},
        {"tags": {}},
        {"tags": "t"},
        {"tags": ["t"]},
        {"tags": [[]]},
        {"tags": [["t", 1]]},
        {"tags": [["t", None]]},
        {"tags": [["t", ["x"]]]},
        {"tags": [["t"]] * (nip01.TAGS_MAX + 1)},
        {"tags": [["t"] * (nip01.TAG_ELEMENTS_MAX + 1)]},
        {"content": None},
        {"content": 5},
        {"pubkey": BUYER.public_key.upper()},
        {"pubkey": BUYER.public_key[:-1]},
        {"pubkey": BUYER.public_key + "\n"},
        {"pubkey": "０" + BUYER.public_key[1:]},
        {"id": "AB" * 32},
        {"id": None},
        {"sig": "ab" * 63},
        {"sig": "AB" * 64},
        {"sig": " " + "ab" * 63 + "a"},
        {"extra": [[[[[[[[1]]]]]]]]},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_a_field_of_the_wrong_shape_is_bad_shape(changes: dict[str, Any]) -> None:
    """Numbers, hex and tags are exactly what NIP-01 says; nothing is converted."""
    assert refusal(spoiled(**changes)) is EventFault.BAD_SHAPE


@pytest.mark.req("REL-06")
@pytest.mark.parametrize("name", ["id", "pubkey", "created_at", "kind", "tags", "content", "sig"])
def test_a_missing_field_is_bad_shape(name: str) -> None:
    """All seven fields are needed."""
    fields = as_fields(an_event())
    del fields[name]
    assert refusal(json.dumps(fields)) is EventFault.BAD_SHAPE


@pytest.mark.parametrize("text", ["[]", "1", '"text"', "null", "[" * 500 + "]" * 500])
def test_json_that_is_no_object_is_bad_shape(text: str) -> None:
    """An event is an object."""
    assert refusal(text) is EventFault.BAD_SHAPE


@pytest.mark.req("ID-10")
def test_an_npub_in_a_p_tag_is_bad_shape() -> None:
    """On the wire keys are hex, whatever the sender's client shows (NIP-19)."""
    fields = signed_as(BUYER, created_at=1, kind=1, content="", tags=(("p", "npub1" + "q" * 58),))
    assert refusal(json.dumps(fields)) is EventFault.BAD_SHAPE


@pytest.mark.req("REL-06")
def test_the_limits_themselves_are_still_allowed() -> None:
    """Tags, elements, kind, time, depth and size pass at their limits."""
    full = an_event(
        tags=(("t",) * nip01.TAG_ELEMENTS_MAX,) + (("t",),) * (nip01.TAGS_MAX - 1),
        kind=65_535,
        created_at=nip01.CREATED_AT_MAX,
    )
    assert nip01.read_event(nip01.to_json(full)) == full
    deep = json.dumps(as_fields(an_event()) | {"extra": [[[[[[[1]]]]]]]})
    assert nip01.read_event(deep) == an_event()
    padded = nip01.to_json(an_event()).ljust(nip01.EVENT_SIZE_MAX)
    assert nip01.read_event(padded) == an_event()


@pytest.mark.req("REL-06")
def test_one_byte_above_the_size_limit_is_too_big() -> None:
    """Bytes count, not characters."""
    text = nip01.to_json(an_event())
    assert refusal(text.ljust(nip01.EVENT_SIZE_MAX + 1)) is EventFault.TOO_BIG
    assert refusal(text.encode().ljust(nip01.EVENT_SIZE_MAX + 1)) is EventFault.TOO_BIG
    wide = text.replace("please", "é" * (nip01.EVENT_SIZE_MAX // 2))
    assert len(wide) < nip01.EVENT_SIZE_MAX
    assert refusal(wide) is EventFault.TOO_BIG


@pytest.mark.req("REL-06")
def test_an_id_that_is_not_the_hash_is_bad_id() -> None:
    """One wrong nibble in the id, or any other content, fails the second gate."""
    event = an_event()
    wrong = ("1" if event.id[0] == "0" else "0") + event.id[1:]
    assert refusal(spoiled(id=wrong)) is EventFault.BAD_ID
    others: list[dict[str, Any]] = [{"content": "x"}, {"kind": 2}, {"created_at": 1}, {"tags": []}]
    for changes in (*others, {"pubkey": a_key("x").public_key}):
        assert refusal(spoiled(**changes)) is EventFault.BAD_ID


@pytest.mark.req("REL-06")
def test_a_good_id_with_a_wrong_signature_is_bad_sig() -> None:
    """A signature of something else, of someone else, or of no one fails the third gate."""
    other = an_event(MERCHANT)
    assert refusal(spoiled(sig=other.sig)) is EventFault.BAD_SIG
    assert refusal(spoiled(sig="00" * 64)) is EventFault.BAD_SIG
    fields = as_fields(an_event()) | {"pubkey": OFF_CURVE}
    assert refusal(json.dumps(fields | {"id": hashed(fields)})) is EventFault.BAD_SIG


@pytest.mark.req("REL-06")
def test_the_gates_come_in_order() -> None:
    """With everything wrong the shape is named first, then the id."""
    assert refusal(spoiled(kind=70_000, id="00" * 32, sig="00" * 64)) is EventFault.BAD_SHAPE
    assert refusal(spoiled(id="00" * 32, sig="00" * 64)) is EventFault.BAD_ID


def test_a_refusal_quotes_no_content() -> None:
    """What the event says stays out of the error, whichever gate refuses it."""
    for changes in ({"kind": "x"}, {"id": "00" * 32}, {"sig": "00" * 64}, {"content": ["Two tins, please"]}):
        with pytest.raises(EventRefused) as refused:
            nip01.read_event(spoiled(**changes))
        assert "tins" not in str(refused.value)


def test_an_event_is_signed_by_its_author_only() -> None:
    """Another's key raises before anything is signed."""
    with pytest.raises(ValueError, match="author's key"):
        nip01.sign_event(an_unsigned_event(BUYER), MERCHANT)


def test_text_without_utf8_has_no_id() -> None:
    """A lone surrogate raises ValueError, not an encoder's own error."""
    with pytest.raises(ValueError, match="UTF-8"):
        nip01.event_id(BUYER.public_key, 1, 1, (), "\ud800")


@STEADY
@given(st.text(st.characters(exclude_categories=("Cs", "Cc"))), st.integers(0, 2**53))
def test_what_is_written_is_read_back(content: str, created_at: int) -> None:
    """Writing and reading is a round trip through all three gates."""
    event = an_event(content=content, created_at=created_at)
    assert nip01.read_event(nip01.to_json(event)) == event


@STEADY
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=20))
def test_whatever_a_stranger_sends_the_answer_is_a_refusal(value: Any) -> None:
    """Any JSON at any place of an event raises EventRefused and nothing else."""
    for name in as_fields(an_event()):
        fields = as_fields(an_event())
        if json.dumps(value) != json.dumps(fields[name]):
            assert refusal(json.dumps(fields | {name: value})) in set(EventFault)


def test_tags_are_found_by_their_name() -> None:
    """The first tag comes whole; values come without the tags that have none."""
    event = an_event(tags=(("p", "a", "wss://r"), ("t",), ("p", "b"), ("p",), ("t", "tea")))
    assert nip01.first_tag(event, "p") == ("p", "a", "wss://r")
    assert nip01.first_tag(event, "e") is None
    assert nip01.tag_values(event, "p") == ("a", "b")
    assert nip01.tag_values(event, "t") == ("tea",)


def test_events_cannot_be_changed() -> None:
    """A checked event stays what was checked."""
    event: Any = an_event()
    with pytest.raises(ValueError, match="frozen"):
        event.content = "something else"
    assert isinstance(event, Event)
    assert hash(event) == hash(an_event())
