"""What the shops of a run sell, and how their keys, listings and settings come to be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, UnsignedEvent, sign_event
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.nip59 import Rumor
from schemas.nostr.secp256k1 import SecretKey
from schemas.shops import ShopSettings

STEADY_TTL_S = 6 * 3_600
SHORT_TTL_S = 60
SHORT_GRACE_S = 5
STOCK = 1_000_000
SCARCE = 4
ADDRESS = "Jane Doe\n1 Example Street\n10115 Berlin\nGermany"


@dataclass(frozen=True, slots=True)
class Shop:
    """A merchant who sells mugs, endless ones and scarce ones, and sends them by post."""

    name: str
    secret: SecretKey
    ttl_s: int
    grace_s: int = 60

    @property
    def merchant(self) -> str:
        """The public key."""
        return self.secret.public_key

    @property
    def settings(self) -> ShopSettings:
        """Requests live as long as the shop says; a few keys stand for a crowd, so there are no limits."""
        own = {"request_ttl_s": self.ttl_s, "grace_s": self.grace_s}
        return ShopSettings().without_limits().model_copy(update=own)

    @property
    def shipping(self) -> str:
        """The post's address."""
        return f"{int(Kind.SHIPPING_OPTION)}:{self.merchant}:post"

    def product(self, d: str) -> str:
        """A listing's address."""
        return f"{int(Kind.PRODUCT)}:{self.merchant}:{d}"

    def post(self, now_s: int) -> Event:
        """The shipping option."""
        tags = (
            ("d", "post"),
            ("title", "Standard post"),
            ("price", "5.99", "USD"),
            ("country", "DE"),
            ("service", "standard"),
            ("price-weight", "0.75", "kg"),
        )
        return self.signed(Kind.SHIPPING_OPTION, tags, now_s)

    def mug(self, d: str, stock: int, now_s: int) -> Event:
        """A listing."""
        tags = (
            ("d", d),
            ("title", "Enamel mug"),
            ("price", "10.99", "USD"),
            ("type", "simple", "physical"),
            ("visibility", "on-sale"),
            ("stock", str(stock)),
            ("weight", "0.4", "kg"),
            ("shipping_option", self.shipping, "1.00"),
        )
        return self.signed(Kind.PRODUCT, tags, now_s, "A mug that survives the camp fire.")

    def order(self, buyer: str, order_id: str, d: str, quantity: int, now_s: int) -> Rumor:
        """A buyer's order (market spec §4, message 1)."""
        tags = (
            ("p", self.merchant),
            ("subject", "order-info"),
            ("type", "1"),
            ("order", order_id),
            ("amount", str(price_sats(quantity))),
            ("item", self.product(d), str(quantity)),
            ("shipping", self.shipping),
            ("address", ADDRESS),
        )
        return make_rumor(buyer, now_s, Kind.ORDER, tags, "Please wrap it well.")

    def signed(self, kind: int, tags: tuple[tuple[str, ...], ...], now_s: int, content: str = "") -> Event:
        """A public event of the merchant's."""
        return signed(self.secret, kind, tags, now_s, content)


def price_sats(quantity: int) -> int:
    """Mugs with post to Berlin, at 1,000 sats a dollar: 5.99 once; 10.99, 1.00 and 0.4 kg of 0.75 each."""
    return 5_990 + 12_290 * quantity


def shops_of(seed: int) -> tuple[Shop, Shop]:
    """A steady one, and one whose requests live for a minute."""
    steady = Shop("steady", a_secret(f"{seed} steady"), STEADY_TTL_S)
    return steady, Shop("short", a_secret(f"{seed} short"), SHORT_TTL_S, SHORT_GRACE_S)


def a_secret(name: str) -> SecretKey:
    """A key that follows from a name; all money here is play money."""
    return SecretKey(hashlib.sha256(f"ncc chaos {name}".encode()).digest())


def signed(secret: SecretKey, kind: int, tags: tuple[tuple[str, ...], ...], now_s: int, content: str = "") -> Event:
    """A public event."""
    unsigned = UnsignedEvent(pubkey=secret.public_key, created_at=now_s, kind=kind, tags=tags, content=content)
    return sign_event(unsigned, secret)
