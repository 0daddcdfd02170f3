"""One name for one relay: normalised addresses, and which of them strangers may make us dial.

Sources: NIP-01 (one socket per relay), NIP-65 and NIP-17 (relay lists).
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from schemas import limits
from services.relays.errors import BadRelayUrl

RELAY_URL_CHARS_MAX = limits.RELAY_URL.most
STRANGER_RELAYS_MAX = limits.FOREIGN_RELAYS.most
"""A list seen in the wild had 9,025 entries; nobody needs more than these to be reached."""

_DEFAULT_PORTS = {"ws": 80, "wss": 443}
_INNER_NAMES = ("localhost", "local", "internal", "lan", "home", "arpa", "onion", "test", "invalid")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def normalise_relay_url(text: str) -> str:
    """Return the one spelling of a relay's address: `WSS://R1.example:443/` → `wss://r1.example`.

    Scheme and host are lower-cased, the default port, a host's final dot and trailing slashes are dropped;
    path and query keep their case.
    Raises `BadRelayUrl` for other schemes, user-info, fragments, blanks inside and bad ports.
    """
    text = text.strip()
    if not text or len(text) > RELAY_URL_CHARS_MAX:
        raise BadRelayUrl(f"a relay address has 1 to {RELAY_URL_CHARS_MAX} characters, this one {len(text)}")
    # urlsplit silently drops tabs and line ends, which would let two texts name one relay.
    if any(character.isspace() or not character.isprintable() for character in text):
        raise BadRelayUrl("a relay address has no blanks or control characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        # Neither the text nor the library's words are repeated: a password may stand in both.
        raise BadRelayUrl("a relay address is scheme://host or scheme://host:port, this one is not") from None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise BadRelayUrl(f"a relay address begins with ws:// or wss://, this one with {scheme!r}")
    if "@" in parts.netloc or parts.fragment:
        raise BadRelayUrl("a relay address has no user name, password or fragment")
    host = _normal_host(parts.hostname or "")
    where = f"{scheme}://{host}"
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        where += f":{port}"
    where += parts.path.rstrip("/")
    return f"{where}?{parts.query}" if parts.query else where


def host_and_port(url: str) -> tuple[str, int]:
    """Return host (no brackets) and port of a normalised address."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]


def relays_named_by_stranger(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the first five distinct addresses of a stranger's list that we are willing to look up.

    The rest is dropped without a word: a stranger's list is a hint, not a request.
    The addresses behind the names are checked when they are dialled, see `is_public_address`.
    """
    chosen: dict[str, None] = {}
    for text in texts:
        try:
            url = normalise_relay_url(text)
        except BadRelayUrl:
            continue
        if is_fit_for_strangers(url):
            chosen[url] = None
        if len(chosen) == STRANGER_RELAYS_MAX:
            break
    return tuple(chosen)


def is_fit_for_strangers(url: str) -> bool:
    """Return whether a normalised address is `wss` to a public-looking name (no address literals)."""
    host, _ = host_and_port(url)
    if not url.startswith("wss://") or ":" in host or "." not in host:
        return False
    last = host.rsplit(".", 1)[-1]
    # A name whose last label is a number is an IPv4 address in one of its many spellings.
    return last not in _INNER_NAMES and not last[0].isdigit()


def is_public_address(address: str) -> bool:
    """Return whether an IP address is global unicast; the forms that wrap an IPv4 address are not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and (
        parsed.ipv4_mapped or parsed.sixtofour or parsed.teredo or parsed in _NAT64
    ):
        return False
    return parsed.is_global and not parsed.is_multicast


def _normal_host(host: str) -> str:
    host = host.rstrip(".").lower()
    if not host:
        raise BadRelayUrl("a relay address names a host")
    if ":" in host:
        try:
            return f"[{ipaddress.IPv6Address(host)}]"
        except ValueError:
            raise BadRelayUrl(f"{host!r} is no IPv6 address") from None
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise BadRelayUrl(f"{host!r} is no host name") from None
