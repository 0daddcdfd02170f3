"""Relay URLs in lists that others wrote: a few, and plain ones."""

import pytest

from schemas.nostr.relay_urls import URL_SIZE_MAX, is_relay_url, keep_relay_urls


@pytest.mark.parametrize(
    "url", ["wss://relay.example", "ws://127.0.0.1:7777/", "WSS://R1.example:443/inbox?a=b", "wss://[::1]:80"]
)
def test_a_plain_websocket_url_is_kept(url: str) -> None:
    """Host, port, path and query may be anything a relay has."""
    assert is_relay_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "relay.example",
        "https://relay.example",
        "wss://",
        "wss:///path",
        "wss://user:pass@relay.example",
        "wss://relay.example:99999",
        "wss://relay.example:tea",
        "wss://[::1",
        "wss://relay.example/ x",
        " wss://relay.example",
        "wss://relay.example\n",
        "wss://rеlay.example",
        "wss://" + "a" * URL_SIZE_MAX,
        "javascript:alert(1)",
    ],
)
def test_anything_else_is_no_relay_url(url: str) -> None:
    """Other schemes, users, spaces, odd letters and endless text are left out."""
    assert not is_relay_url(url)


def test_the_first_few_different_urls_are_kept() -> None:
    """Five by default, in their order, once each."""
    urls = [
        "https://no.example",
        "wss://a.example",
        "wss://a.example",
        *(f"wss://{n}.example" for n in range(9_025)),
    ]
    assert keep_relay_urls(urls) == ("wss://a.example", *(f"wss://{n}.example" for n in range(4)))
    assert keep_relay_urls(urls, keep=1) == ("wss://a.example",)
