"""What benchmarks and chaos sell and order: mugs with post, and the messages that buyers send."""

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
    """A merchant with mugs and one way to send them."""

    secret: SecretKey

    @property
    def merchant(self) -> str:
        """The public key."""
        return self.secret.public_key

    @property
    def product(self) -> str:
        """The mug's address."""
        return self.listing("mug")

    @property
    def shipping(self) -> str:
        """The post's address."""
        return f"{int(Kind.SHIPPING_OPTION)}:{self.merchant}:post"

    def listing(self, d: str) -> str:
        """The address of any mug."""
        return f"{int(Kind.PRODUCT)}:{self.merchant}:{d}"

    def catalogue(self, now_s: int) -> tuple[Event, Event]:
        """The shipping option and the listing, signed."""
        return self.post(now_s), self.mug(now_s)

    def post(self, now_s: int) -> Event:
        """The shipping option, signed."""
        tags = (
            ("d", "post"),
            ("title", "Standard post"),
            ("price", "5.99", "USD"),
            ("country", "DE", "US", "GB"),
            ("service", "standard"),
            ("price-weight", "0.75", "kg"),
        )
        return signed(self.secret, Kind.SHIPPING_OPTION, tags, now_s)

    def mug(self, now_s: int, d: str = "mug", stock: int = STOCK) -> Event:
        """A listing, signed."""
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
        return signed(self.secret, Kind.PRODUCT, tags, now_s, "A mug that survives the camp fire.")

    def order(self, buyer: str, order_id: str, now_s: int, d: str = "mug", quantity: int = QUANTITY) -> Rumor:
        """A buyer's order of mugs, sent home by post (market spec §4, message 1)."""
        tags = (
            ("p", self.merchant),
            ("subject", "order-info"),
            ("type", "1"),
            ("order", order_id),
            ("amount", str(price_sats(quantity))),
            ("item", self.listing(d), str(quantity)),
            ("shipping", self.shipping),
            ("address", ADDRESS),
        )
        return make_rumor(buyer, now_s, Kind.ORDER, tags, "Please wrap it well.")


def price_sats(quantity: int) -> int:
    """Mugs with post to Berlin, at 1,000 sats a dollar: 5.99 once; 10.99, 1.00 and 0.4 kg of 0.75 each."""
    return 5_990 + 12_290 * quantity


def a_secret(name: str) -> SecretKey:
    """A key that follows from a name; the benchmarks' money is play money."""
    return SecretKey(hashlib.sha256(f"ncc bench {name}".encode()).digest())


def signed(secret: SecretKey, kind: int, tags: tuple[tuple[str, ...], ...], now_s: int, content: str = "") -> Event:
    """A public event."""
    unsigned = UnsignedEvent(pubkey=secret.public_key, created_at=now_s, kind=kind, tags=tags, content=content)
    return sign_event(unsigned, secret)
