"""The shops of a run: what they sell is the benchmarks' mugs, and how long their requests live is their own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bench.shop import Shop as MugShop
from schemas.nostr.secp256k1 import SecretKey
from schemas.shops import ShopSettings

STEADY_TTL_S = 6 * 3_600
SHORT_TTL_S = 60
SHORT_GRACE_S = 5
SCARCE = 4


@dataclass(frozen=True, slots=True)
class Shop(MugShop):
    """A merchant of mugs, endless ones and scarce ones."""

    name: str
    ttl_s: int
    grace_s: int = 60

    @property
    def settings(self) -> ShopSettings:
        """Requests live as long as the shop says; a few keys stand for a crowd, so there are no limits."""
        own = {"request_ttl_s": self.ttl_s, "grace_s": self.grace_s}
        return ShopSettings().without_limits().model_copy(update=own)


def shops_of(seed: int) -> tuple[Shop, Shop]:
    """A steady one, and one whose requests live for a minute."""
    steady = Shop(a_secret(f"{seed} steady"), "steady", STEADY_TTL_S)
    return steady, Shop(a_secret(f"{seed} short"), "short", SHORT_TTL_S, SHORT_GRACE_S)


def a_secret(name: str) -> SecretKey:
    """A key that follows from a name; all money here is play money."""
    return SecretKey(hashlib.sha256(f"ncc chaos {name}".encode()).digest())
