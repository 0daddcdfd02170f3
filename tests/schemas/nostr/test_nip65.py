"""Relay lists: where someone reads and where they write."""

from schemas.nostr.nip65 import RelayList, read_relay_list, relay_list_tags
from tests.schemas.nostr.given import an_event

A, B, C = "wss://a.example", "wss://b.example", "wss://c.example"


def test_an_unmarked_relay_serves_both_uses() -> None:
    """A marker narrows it to one; an unknown marker to none."""
    tags = (
        ("r", A),
        ("r", B, "read"),
        ("r", C, "write"),
        ("r", "wss://d.example", "tea"),
        ("r",),
        ("r", A, ""),
    )
    assert read_relay_list(an_event(kind=10_002, tags=tags)) == RelayList(read=(A, B), write=(A, C))


def test_a_written_list_is_read_back() -> None:
    """Each URL stands once, marked only when it has one use."""
    relays = RelayList(read=(A, B), write=(A, C))
    tags = relay_list_tags(relays)
    assert tags == (("r", A), ("r", C, "write"), ("r", B, "read"))
    assert read_relay_list(an_event(kind=10_002, tags=tags)) == relays


def test_a_list_of_thousands_is_cut_to_a_few_of_each() -> None:
    """The limit counts each use by itself."""
    tags = tuple(("r", f"wss://{number}.example", ("read", "write")[number % 2]) for number in range(2_000))
    relays = read_relay_list(an_event(kind=10_002, tags=tags))
    assert (len(relays.read), len(relays.write)) == (5, 5)


def test_another_kind_is_no_relay_list() -> None:
    """Only 10002 counts."""
    assert read_relay_list(an_event(kind=1, tags=(("r", A),))) == RelayList()
