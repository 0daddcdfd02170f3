"""Relay addresses: one spelling for one relay, and no way for strangers to make us dial inwards."""

import pytest

from services.relays.errors import BadRelayUrl
from services.relays.urls import (
    host_and_port,
    is_fit_for_strangers,
    is_public_address,
    normalise_relay_url,
    relays_named_by_stranger,
)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("WSS://R1.example:443/", "wss://r1.example"),
        ("wss://r1.example", "wss://r1.example"),
        (" wss://r1.example. ", "wss://r1.example"),
        ("ws://r1.example:80", "ws://r1.example"),
        ("wss://r1.example:7777//", "wss://r1.example:7777"),
        ("wss://r1.example/Inbox/", "wss://r1.example/Inbox"),
        ("wss://r1.example?a=B", "wss://r1.example?a=B"),
        ("ws://[0:0::1]:8080", "ws://[::1]:8080"),
        ("wss://bücher.example", "wss://xn--bcher-kva.example"),
    ],
)
def test_a_relay_has_one_spelling(text: str, url: str) -> None:
    """Case, default port, final dot and trailing slashes do not make another relay."""
    assert normalise_relay_url(text) == url


def test_normalising_twice_changes_nothing() -> None:
    """The normal form is its own normal form."""
    once = normalise_relay_url("WSS://Relay.Example:443/a/")
    assert normalise_relay_url(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://r1.example",
        "r1.example",
        "wss://",
        "wss://user:word@r1.example",
        "wss://r1.example#part",
        "wss://r1.exa\tmple",
        "wss://r1.example/a b",
        "wss://r1.example:99999",
        "wss://[::zz]",
        "wss://" + "a" * 600,
        "wss://" + "a" * 80 + ".example",
    ],
)
def test_what_is_no_relay_address_is_refused(text: str) -> None:
    """Other schemes, user names, fragments, blanks and impossible hosts and ports are refused."""
    with pytest.raises(BadRelayUrl):
        normalise_relay_url(text)


def test_the_default_port_is_known_by_the_scheme() -> None:
    """A dialler gets host and port of every normal form."""
    assert host_and_port("wss://r1.example") == ("r1.example", 443)
    assert host_and_port("ws://[::1]") == ("::1", 80)


@pytest.mark.parametrize(
    "url",
    [
        "ws://relay.example.com",
        "wss://10.0.0.1",
        "wss://8.8.8.8",
        "wss://[2606:4700::1]",
        "wss://localhost",
        "wss://printer.local",
        "wss://db.internal",
        "wss://abc.onion",
        "wss://0x7f.1",
        "wss://intranet",
    ],
)
def test_a_stranger_cannot_name_an_inner_address(url: str) -> None:
    """Only wss to a public-looking name is dialled for a stranger."""
    assert not is_fit_for_strangers(url)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.168.1.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "fc00::1",
        "::ffff:8.8.8.8",
        "2002:808:808::1",
        "64:ff9b::808:808",
        "ff02::1",
        "nonsense",
    ],
)
def test_private_and_disguised_addresses_are_not_public(address: str) -> None:
    """Private, shared, multicast and IPv4-wrapping addresses count as inner ones."""
    assert not is_public_address(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111"])
def test_global_addresses_are_public(address: str) -> None:
    """An ordinary global address may be dialled."""
    assert is_public_address(address)


def test_a_stranger_gets_five_relays_at_most() -> None:
    """Nine thousand addresses in one list make five look-ups, spellings of one relay counted once."""
    texts = ["wss://r0.example.org/", "WSS://R0.example.org", "ws://10.0.0.1", "junk"]
    texts += [f"wss://r{number}.example.org" for number in range(1, 9_000)]
    assert relays_named_by_stranger(texts) == tuple(f"wss://r{number}.example.org" for number in range(5))
