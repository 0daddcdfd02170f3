"""Lightning addresses that are served here: their names, what they say of themselves, the answers (LUD-06, -16, -21).

A shop's address is `name@host`; an order's own is `name.ref@host`, where `ref` is the order's reference.
Everything here is pure, so that the decider, the payments role and the door say the same to the byte.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Final, NamedTuple

import orjson
from pydantic import AfterValidator

_ADDRESS: Final = re.compile(r"[a-z0-9_-]{1,31}@[a-z0-9.-]{1,253}(:[0-9]{1,5})?", re.ASCII)
_NAME: Final = re.compile(r"([a-z0-9_-]{1,31})(?:\.([0-9a-f]{32}))?", re.ASCII)
_NEAR: Final = re.compile(r"(localhost|127\.0\.0\.1|.*\.onion)(:[0-9]+)?", re.ASCII)


def _served(text: str) -> str:
    if text and not _ADDRESS.fullmatch(text):
        raise ValueError(
            "a lightning address is written like name@host; the name has a-z, 0-9, - and _, and 31 at most"
        )
    return text


ServedAddress = Annotated[str, AfterValidator(_served)]
"""A shop's own address, or nothing. The name has no dot: what comes after one is an order's reference."""


class Called(NamedTuple):
    """Whom a path names: a shop's name, and an order's reference where it is an order's own address."""

    name: str
    ref: str | None


def called(name: str) -> Called | None:
    """Read the last part of `/.well-known/lnurlp/…`; None for what is no name of ours."""
    found = _NAME.fullmatch(name)
    return None if found is None else Called(found[1], found[2])


def order_address(address: str, ref: str) -> str:
    """An order's own address, which leads to its payment request."""
    name, _, host = address.partition("@")
    return f"{name}.{ref}@{host}"


def order_memo(ref: str) -> str:
    """What a payer reads of an order's request."""
    return f"Order {ref}"


def shop_memo(address: str) -> str:
    """What a payer reads at a shop's own address."""
    return f"To {address}"


def metadata(address: str, text: str) -> str:
    """What an address says of itself; an invoice commits to this very text (LUD-06, LUD-16)."""
    return orjson.dumps([["text/plain", text], ["text/identifier", address]]).decode()


def description_hash(said: str) -> str:
    """What an invoice commits to, 64 hex digits."""
    return hashlib.sha256(said.encode()).hexdigest()


def order_description_hash(address: str, ref: str) -> str:
    """What the request of an order commits to, where its shop's address is served here."""
    return description_hash(metadata(order_address(address, ref), order_memo(ref)))


def base_url(address: str) -> str:
    """Where an address is served; without TLS only on this machine and as an onion service (LUD-16)."""
    host = address.partition("@")[2]
    return f"{'http' if _NEAR.fullmatch(host) else 'https'}://{host}"


def terms(callback: str, min_msat: int, max_msat: int, said: str, zapped: str | None = None) -> dict[str, Any]:
    """The first answer (LUD-06). It asks the payer for nothing (LUD-18).

    `zapped` is the key that signs zap receipts (NIP-57); None where none are given.
    """
    zaps = {} if zapped is None else {"allowsNostr": True, "nostrPubkey": zapped}
    return zaps | {
        "tag": "payRequest",
        "callback": callback,
        "minSendable": min_msat,
        "maxSendable": max_msat,
        "metadata": said,
        "commentAllowed": 0,
    }


def made(text: str, verify: str) -> dict[str, Any]:
    """The callback's answer: an invoice, and where its state can be asked for (LUD-06, LUD-21)."""
    return {"pr": text, "routes": [], "verify": verify, "disposable": False}


def verified(text: str, *, is_settled: bool) -> dict[str, Any]:
    """How an invoice stands (LUD-21). The preimage stays with the payer and the wallet: nobody here has it."""
    return {"status": "OK", "settled": is_settled, "preimage": None, "pr": text}


def refusal(reason: str) -> dict[str, Any]:
    """An error as wallets read it (LUD-06)."""
    return {"status": "ERROR", "reason": reason}
