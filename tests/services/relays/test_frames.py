"""Frames: routed when they can be, and the event's text is never touched."""

import json

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from services.relays.frames import (
    AuthFrame,
    BadFrame,
    ClosedFrame,
    CountFrame,
    EoseFrame,
    EventFrame,
    NoticeFrame,
    OkFrame,
    event_message,
    prefix_of,
    read_frame,
    req_message,
)

ID = "0a" * 32
ODD = '{ "sig" : "x\\u005d,]}", "tags":[["a","b]"],[ ]],\t"new":{"deep":[1.50,{}]}, "id":"' + ID + '"\n}'


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('["EOSE","s"]', EoseFrame("s")),
        (' [ "EOSE" , "s" ] \n', EoseFrame("s")),
        (f'["OK","{ID}",true,""]', OkFrame(ID, True, "")),
        (f'["OK","{ID}",false]', OkFrame(ID, False, "")),
        ('["CLOSED","s","error: x"]', ClosedFrame("s", "error: x")),
        ('["NOTICE","hello"]', NoticeFrame("hello")),
        ('["AUTH","challenge"]', AuthFrame("challenge")),
        ('["COUNT","s",{"count":7}]', CountFrame("s", 7)),
    ],
)
def test_each_kind_of_frame_is_read(text: str, frame: object) -> None:
    """The seven frames a relay sends become values, blanks or not."""
    assert read_frame(text.encode()) == frame


@pytest.mark.parametrize("before", ["", " ", "\r\n\t"])
@pytest.mark.parametrize("event", [ODD, '{"id":"short","created_at":"soon"}', "{}"])
def test_the_events_text_is_cut_out_untouched(before: str, event: str) -> None:
    """Odd blanks, key order, unknown fields and brackets in strings come out as they went in."""
    frame = read_frame(f'{before}[{before}"EVENT"{before},{before}"s"{before},{before}{event}{before}]'.encode())
    assert isinstance(frame, EventFrame)
    assert frame.text == event


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=8,
)


@seed(7)
@given(
    event=st.dictionaries(st.text(), _JSON, max_size=5),
    indent=st.sampled_from([None, 0, 3]),
    is_ascii=st.booleans(),
)
def test_any_event_survives_the_cut(event: dict[str, object], indent: int | None, is_ascii: bool) -> None:
    """Whatever JSON an event is, its text is the very slice of the frame."""
    text = json.dumps(event, indent=indent, ensure_ascii=is_ascii)
    if not is_ascii and any("\ud800" <= c <= "\udfff" for c in text):
        return
    frame = read_frame(f'["EVENT", "s", {text} ]'.encode())
    assert isinstance(frame, EventFrame)
    assert frame.text == text


def test_an_event_tells_what_it_claims() -> None:
    """The claimed id and time come along, and nothing comes of claims of a wrong shape."""
    good = read_frame(f'["EVENT","s",{{"id":"{ID}","created_at":5}}]'.encode())
    assert isinstance(good, EventFrame)
    assert (good.event_id, good.created_at) == (ID, 5)
    wrong = read_frame(b'["EVENT","s",{"id":"XYZ","created_at":true}]')
    assert isinstance(wrong, EventFrame)
    assert (wrong.event_id, wrong.created_at) == ("", None)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an array"),
        (b'{"a":1}', "not an array"),
        (b"[", "not JSON"),
        (b'["EOSE","s"', "not JSON"),
        (b'["EOSE" "s"]', "not JSON"),
        (b'["EOSE","s"] x', "words after the array"),
        (b'["EVENT","s",{"created_at":NaN}]', "not JSON"),
        (b'["EVENT","s",{"a":' + b"9" * 10_000 + b"}]", "not JSON"),
        (b'["EVENT","s",' + b"[" * 100_000, "nested too deeply"),
        (b'["EVENT","s","no object"]', "EVENT of a wrong shape"),
        (b'["EVENT",5,{}]', "EVENT of a wrong shape"),
        (b'["OK","x","yes"]', "OK of a wrong shape"),
        (b'["AUTH",""]', "AUTH of a wrong shape"),
        (b'["AUTH","' + b"x" * 2_000 + b'"]', "AUTH of a wrong shape"),
        (b'["HELLO"]', "unknown type"),
        (b"[1]", "unknown type"),
        (b"[" + b"1," * 100 + b"1]", "too many parts"),
        (b'["NOTICE","\xff"]', "not UTF-8"),
        (b'["NOTICE","\\ud800"]', "half a character"),
        (b'["AUTH","\\uDFFF"]', "half a character"),
        (b'["OK","\\ude00\\ud83d",true,""]', "half a character"),
    ],
)
def test_a_broken_frame_is_a_value(data: bytes, reason: str) -> None:
    """What cannot be routed comes back with reason and size, and raises nothing."""
    assert read_frame(data) == BadFrame(reason, len(data))


def test_an_escaped_pair_is_one_character() -> None:
    """Only a half without its other half is refused."""
    assert read_frame(b'["NOTICE","\\ud83d\\ude00"]') == NoticeFrame("\U0001f600")


@seed(11)
@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    """Reading is total."""
    read_frame(data)


def test_what_we_send_is_compact_and_exact() -> None:
    """A published event is the caller's text; a REQ has no blanks."""
    assert event_message(ODD) == f'["EVENT",{ODD}]'
    assert req_message("s", [{"kinds": [1]}, {"#t": ["é"]}]) == '["REQ","s",{"kinds":[1]},{"#t":["é"]}]'


@pytest.mark.parametrize(
    ("message", "prefix"),
    [("rate-limited: slow", "rate-limited"), ("Blocked : x", "blocked"), ("no colon", ""), ("", "")],
)
def test_the_prefix_is_the_word_before_the_colon(message: str, prefix: str) -> None:
    """Machines read the first word, humans the rest."""
    assert prefix_of(message) == prefix
