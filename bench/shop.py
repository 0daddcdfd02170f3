"""What the benchmarks sell and order: one mug with post, and the messages that buyers send."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, UnsignedEvent, sign_event
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.nip59 import Rumor
from schemas.nostr.secp256k1 import SecretKey

RATES = "USD=1000"
STOCK = 1_000_000
QUANTITY = 2
ADDRESS = "Jane Doe\n1 Example Street\n10115 Berlin\nGermany"


@dataclass(frozen=True, slots=True)
class Shop:
    """A merchant with one product and one way to send it."""

    secret: SecretKey

    @property
    def merchant(self) -> str:
        """The public key."""
        return self.secret.public_key

    @property
    def product(self) -> str:
        """The mug's address."""
        return f"{int(Kind.PRODUCT)}:{self.merchant}:mug"

    @property
    def shipping(self) -> str:
        """The post's address."""
        return f"{int(Kind.SHIPPING_OPTION)}:{self.merchant}:post"

    def catalogue(self, now_s: int) -> tuple[Event, Event]:
        """The shipping option and the listing, signed."""
        post = (
            ("d", "post"),
            ("title", "Standard post"),
            ("price", "5.99", "USD"),
            ("country", "DE", "US", "GB"),
            ("service", "standard"),
            ("price-weight", "0.75", "kg"),
        )
        mug = (
            ("d", "mug"),
            ("title", "Enamel mug"),
            ("price", "10.99", "USD"),
            ("type", "simple", "physical"),
            ("visibility", "on-sale"),
            ("stock", str(STOCK)),
            ("weight", "0.4", "kg"),
            ("shipping_option", self.shipping, "1.00"),
        )
        option = signed(self.secret, Kind.SHIPPING_OPTION, post, now_s)
        return option, signed(self.secret, Kind.PRODUCT, mug, now_s, "A mug that survives the camp fire.")

    def order(self, buyer: str, order_id: str, now_s: int) -> Rumor:
        """A buyer's order of two mugs, sent home by post (market spec §4, message 1)."""
        tags = (
            ("p", self.merchant),
            ("subject", "order-info"),
            ("type", "1"),
            ("order", order_id),
            ("amount", "30570"),
            ("item", self.product, str(QUANTITY)),
            ("shipping", self.shipping),
            ("address", ADDRESS),
        )
        return make_rumor(buyer, now_s, Kind.ORDER, tags, "Please wrap it well.")


def a_secret(name: str) -> SecretKey:
    """A key that follows from a name; the benchmarks' money is play money."""
    return SecretKey(hashlib.sha256(f"ncc bench {name}".encode()).digest())


def signed(secret: SecretKey, kind: int, tags: tuple[tuple[str, ...], ...], now_s: int, content: str = "") -> Event:
    """A public event."""
    unsigned = UnsignedEvent(pubkey=secret.public_key, created_at=now_s, kind=kind, tags=tags, content=content)
    return sign_event(unsigned, secret)
