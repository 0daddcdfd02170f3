"""What buyers, merchants and strangers say: texts of Nostr events, well meant and hostile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from schemas.dialects.contract import MessageFault
from schemas.market.reading import MarketFault
from schemas.nostr.nip01 import Event, EventFault, event_id, to_json
from schemas.nostr.nip59 import Rumor, WrapFault
from tests.simulation.clock import HERE_SINCE_S, START_S, Dice
from tests.simulation.signers import BAD_SIG, Crypto, cheap_event, quick

Tags = tuple[tuple[str, ...], ...]
GOODS = ("tea", "vase", "song", "gift", "gold")
ADDRESSES = ("Jane, 10115 Berlin, Germany", "Joe, Springfield, US", "somewhere")
WISHES = ("pending", "confirmed", "processing", "completed", "cancelled")
PARCELS = ("processing", "shipped", "delivered", "exception")


@dataclass(frozen=True, slots=True)
class People:
    """Everybody's words at one time; `at_s` is the speaker's own clock."""

    crypto: Crypto
    merchants: tuple[str, ...]
    at_s: int
    dice: Dice

    def key(self, name: str) -> str:
        """A person's public key."""
        return self.crypto.key(name)

    def private(
        self, author: str, merchant: str, kind: int, tags: Tags, content: str = "", fault: str = "", salt: str = ""
    ) -> str:
        """A rumor in a wrap to the merchant; the same words again are the same rumor."""
        pubkey = self.key(author)
        rumor = quick(
            Rumor,
            pubkey=pubkey,
            created_at=self.at_s,
            kind=kind,
            tags=tags,
            content=content,
            id=event_id(pubkey, self.at_s, kind, tags, content),
        )
        return to_json(self.crypto.wrap(rumor, author, self.key(merchant), salt, fault))

    # Buyers

    def order(self, merchant: str, buyer: str, order_id: str, goods: Sequence[str] = GOODS) -> str:
        """An order, mostly for something that is there."""
        dice, shop = self.dice, self.key(merchant)
        lines = tuple(self._line(shop, goods) for _ in range(1 + (dice.below(4) == 0)))
        tags: Tags = (("p", shop), ("type", "1"), ("order", order_id), ("amount", str(dice.below(50))), *lines)
        if dice.chance(50):
            tags += (("address", dice.one_of(ADDRESSES)),)
        if dice.chance(25):
            tags += (("shipping", f"30406:{shop}:{dice.one_of(('post', 'post', 'far'))}"),)
        if dice.chance(10):
            tags += (("l", dice.one_of(("de", "es", "tlh")), "ISO-639-1"),)
        note = "a note" if dice.chance(20) else ""
        kind, tags = spoken(dice.one_of(("gamma",) * 8 + ("k15", "k14")), tags)
        return self.private(buyer, merchant, kind, tags, note)

    def _line(self, shop: str, goods: Sequence[str]) -> tuple[str, ...]:
        dice = self.dice
        if dice.chance(7):
            where = dice.one_of((f"30402:{shop}:nothing", f"30402:{'ab' * 32}:tea"))
            return ("item", where, "1")
        good = dice.one_of(goods if dice.chance(95) else GOODS)
        quantity = (
            dice.one_of(("1", "1", "1", "1", "2", "2", "3")) if dice.chance(95) else dice.one_of(("0", "-1", "x"))
        )
        return ("item", f"30402:{shop}:{good}", quantity)

    def receipt(self, merchant: str, buyer: str, order_id: str) -> str:
        """A claim to have paid."""
        tags = (("p", self.key(merchant)), ("order", order_id), ("payment", "lightning", "x", "y"))
        return self.private(buyer, merchant, 17, tags)

    def proof(self, merchant: str, buyer: str, order_id: str, invoice: str, preimage: str) -> str:
        """A claim to have paid, with a preimage of this or another order's invoice; sometimes without the order."""
        tags: Tags = (("p", self.key(merchant)), ("payment", "lightning", invoice, preimage))
        if self.dice.chance(60):
            tags += (("order", order_id),)
        return self.private(buyer, merchant, 17, tags)

    def announced(self, merchant: str, buyer: str, order_id: str, where: tuple[str, ...]) -> str:
        """The buyer's own payment request: to our invoice, or to anybody."""
        sats = self.dice.one_of(("1", "100000", "100000"))
        head = (("p", self.key(merchant)), ("type", "2"), ("order", order_id), ("amount", sats))
        return self.private(buyer, merchant, 16, (*head, ("payment", *where)))

    def preferences(self, merchant: str, lock_key: str) -> tuple[str, ...]:
        """Versions of the events that say how the merchant wants to be paid: one, or two that belong together."""
        app = f"31990:{self.key(merchant)}:app"
        word = self.dice.one_of(("manual", "manual", "lud16", "ecash", "foo"))
        profile = (0, (("payment_preference", word),))
        mints = (10019, (("mint", "https://mint.example"), ("pubkey", lock_key)))
        recommended, handler = (31989, (("d", "30402"), ("a", app))), (31990, (("d", "app"), ("k", "30402")))
        ecash = (0, (("payment_preference", "ecash"),))
        none = (31989, (("d", "30402"),))
        said = self.dice.one_of(((profile,), (none,), (ecash, mints), (recommended, handler), (profile, recommended)))
        return tuple(self.public(merchant, kind, tags) for kind, tags in said)

    def status(self, merchant: str, author: str, buyer: str, order_id: str, status: str) -> str:
        """A buyer's or the merchant's own wish to move the order."""
        to = buyer if author == merchant else merchant
        tags = (("p", self.key(to)), ("type", "3"), ("order", order_id), ("status", status))
        return self.private(author, merchant, 16, tags)

    def parcel(self, merchant: str, buyer: str, order_id: str, status: str) -> str:
        """The merchant's own copy of where the parcel is."""
        tags: Tags = (("p", self.key(buyer)), ("type", "4"), ("order", order_id), ("status", status))
        if self.dice.chance(30):
            tags += (("tracking", f"T{self.dice.below(3)}"),)
        return self.private(merchant, merchant, 16, tags)

    def past(self, merchant: str, buyer: str) -> str:
        """Something about an order from before the shop came here: two months before, or a day."""
        is_recent = self.dice.chance(30)
        ago_s, name = (86_400, "recent") if is_recent else (60 * 86_400, "old")
        then = People(self.crypto, self.merchants, HERE_SINCE_S - ago_s + self.dice.below(5), self.dice)
        order_id, wish = f"{name}-{self.dice.below(2)}", self.dice.below(10)
        if wish < 4:
            return then.order(merchant, buyer, order_id)
        if wish == 4:
            return then.receipt(merchant, buyer, order_id)
        if wish == 5:
            return then.parcel(merchant, buyer, order_id, self.dice.one_of(PARCELS))
        if wish == 6:
            return then.request(merchant, buyer, order_id)
        return then.status(
            merchant, self.dice.one_of((merchant, merchant, buyer)), buyer, order_id, self.dice.one_of(WISHES)
        )

    def request(self, merchant: str, buyer: str, order_id: str) -> str:
        """The merchant's own copy of a payment request that another program made."""
        tags = (("p", self.key(buyer)), ("type", "2"), ("order", order_id), ("amount", "10"))
        return self.private(merchant, merchant, 16, tags)

    def letter(self, merchant: str, author: str, buyer: str, order_id: str, words: str) -> tuple[str, str]:
        """A person's message, about an order or none, and its rumor's id."""
        to = buyer if author == merchant else merchant
        tags: Tags = (("p", self.key(to)), *((("subject", order_id),) if order_id else ()))
        rumor_id = event_id(self.key(author), self.at_s, 14, tags, words)
        return self.private(author, merchant, 14, tags, words), rumor_id

    def unsay(self, merchant: str, author: str, buyer: str, rumor_id: str) -> str:
        """A message taken back, by whoever."""
        to = buyer if author == merchant else merchant
        return self.private(author, merchant, 5, (("p", self.key(to)), ("e", rumor_id)))

    def review(self, merchant: str, buyer: str, good: str) -> str:
        """A rating."""
        tags = (
            ("d", f"a:30402:{self.key(merchant)}:{good}"),
            ("rating", self.dice.one_of(("1", "0", "0.5")), "thumb"),
            ("rating", "0.8", "quality"),
        )
        return self.public(buyer, 31555, tags)

    def unreview(self, merchant: str, buyer: str, good: str) -> str:
        """A rating taken back."""
        product = f"30402:{self.key(merchant)}:{good}"
        return self.public(buyer, 5, (("a", f"31555:{self.key(buyer)}:a:{product}"),))

    # Merchants

    def public(self, author: str, kind: int, tags: Tags, at_s: int | None = None) -> str:
        """A public event."""
        return to_json(self.crypto.public(author, self.at_s if at_s is None else at_s, kind, tags))

    def listing(self, merchant: str, good: str, stock: int | None, visibility: str = "on-sale") -> str:
        """A version of a listing."""
        price = {"tea": ("10", "SATS"), "vase": ("20", "SATS"), "song": ("1", "SATS"), "gift": ("0", "SATS")}
        amount, currency = price.get(good, ("2", "USD"))
        format_ = "physical" if good == "vase" else "digital"
        tags: Tags = (
            ("d", good),
            ("title", good.title()),
            ("price", amount, currency),
            ("type", "simple", format_),
            ("visibility", visibility),
        )
        if stock is not None:
            tags += (("stock", str(stock)),)
        if good == "vase":
            tags += (("shipping_option", f"30406:{self.key(merchant)}:post", "1"),)
        return self.public(merchant, 30402, tags)

    def option(self, merchant: str, countries: tuple[str, ...]) -> str:
        """A version of a shipping option."""
        tags = (
            ("d", "post"),
            ("title", "Post"),
            ("price", "5", "SATS"),
            ("service", "standard"),
            ("country", *countries),
        )
        return self.public(merchant, 30406, tags)

    def deletion(self, merchant: str, address: str) -> str:
        """A deletion of the merchant's own."""
        return self.public(merchant, 5, (("a", address),))

    # Strangers

    def hostile(self, merchant: str, buyer: str, which: int) -> str:
        """One of `HOSTILE`'s."""
        return HOSTILE[which % len(HOSTILE)][1](self, merchant, buyer)


def spoken(dialect: str, tags: Tags) -> tuple[int, Tags]:
    """An order of the market spec as another client writes it: the kind and the tags."""
    subject = (("subject", "order-info"),)
    match dialect:
        case "k15":
            return 15, (*subject, *(tag for tag in tags if tag[0] != "type"))
        case "k14":
            return 14, (*subject, *tags)
        case _:
            return 16, tags


Hostile = Callable[[People, str, str], str]


def _edited(change: Callable[[dict[str, object]], object]) -> Hostile:
    """A well-formed public event that was changed afterwards."""

    def made(people: People, merchant: str, buyer: str) -> str:
        fields = orjson.loads(people.listing(merchant, "tea", 3))
        change(fields)
        return orjson.dumps(fields).decode()

    return made


def _bad_sig(people: People, merchant: str, buyer: str) -> str:
    fields = orjson.loads(people.listing(merchant, "tea", 3))
    fields["sig"] = BAD_SIG
    return orjson.dumps(fields).decode()


def _fault(fault: str) -> Hostile:
    return lambda people, merchant, buyer: people.private(buyer, merchant, 16, (), fault=fault, salt=fault)


def _public(author: str, kind: int, tags: Tags, ahead_s: int = 0) -> Hostile:
    def made(people: People, merchant: str, buyer: str) -> str:
        name = {"merchant": merchant, "buyer": buyer}.get(author, author)
        return people.public(name, kind, tags, people.at_s + ahead_s)

    return made


def _said(kind: int, *tags: tuple[str, ...], by: str = "buyer", at_s: int = 0, p: bool = True) -> Hostile:
    """A private message that makes no sense; `?` stands for the merchant's key."""

    def made(people: People, merchant: str, buyer: str) -> str:
        shop = people.key(merchant)
        to = people.key(buyer) if by == "merchant" else shop
        all_tags = ((("p", to),) if p else ()) + tuple(tuple(part.replace("?", shop) for part in tag) for tag in tags)
        speaker = People(people.crypto, people.merchants, people.at_s + at_s, people.dice)
        return speaker.private(merchant if by == "merchant" else buyer, merchant, kind, all_tags)

    return made


def _unaddressed(people: People, merchant: str, buyer: str) -> str:
    """A wrap whose address is nobody's here."""
    event: Event = cheap_event("cd" * 32, people.at_s, 1059, (("p", "ef" * 32),), "{}")
    return to_json(event)


_ORDER: Tags = (("type", "1"), ("order", "hostile"), ("amount", "1"))
_ITEM = ("item", "30402:?:tea", "1")

HOSTILE: tuple[tuple[str, Hostile], ...] = (
    (EventFault.BAD_JSON, lambda people, merchant, buyer: '{"id": NaN}'),
    (EventFault.BAD_JSON, lambda people, merchant, buyer: "not an event"),
    (EventFault.BAD_SHAPE, _edited(lambda fields: fields.update(tags="none"))),
    (EventFault.BAD_ID, _edited(lambda fields: fields.update(created_at=START_S + 1))),
    (EventFault.BAD_SIG, _bad_sig),
    (EventFault.TOO_BIG, lambda people, merchant, buyer: '{"content": "' + "x" * 140_000 + '"}'),
    *((fault, _fault(fault)) for fault in WrapFault if fault not in (WrapFault.WRONG_RECIPIENT, WrapFault.NOT_A_WRAP)),
    (MarketFault.NO_D, _public("merchant", 30402, (("title", "x"),))),
    (MarketFault.NO_TITLE, _public("merchant", 30402, (("d", "x"),))),
    (MarketFault.NO_PRICE, _public("merchant", 30402, (("d", "x"), ("title", "x")))),
    (
        MarketFault.FOREIGN_REVIEW,
        _public("buyer", 31555, (("d", "a:30402:" + "ab" * 32 + ":x"), ("rating", "1", "thumb"))),
    ),
    (MarketFault.NO_THUMB, _public("buyer", 31555, (("d", "a:30402:" + "ab" * 32 + ":x"),))),
    ("foreign_author", _public("buyer", 30402, (("d", "x"), ("title", "x"), ("price", "1", "SATS")))),
    ("future_dated", _public("merchant", 30402, (("d", "x"), ("title", "x"), ("price", "1", "SATS")), 50_000)),
    ("too_old", _said(16, *_ORDER, _ITEM, at_s=-10 * 86_400)),
    ("future_dated", _said(16, *_ORDER, _ITEM, at_s=90 * 86_400)),
    (MessageFault.UNKNOWN_KIND, _said(9)),
    ("unknown_kind", _public("merchant", 30404, (("d", "x"),))),
    (MessageFault.NO_TYPE, _said(16, ("order", "x"))),
    (MessageFault.NO_TYPE, _said(16, ("type", "9"), ("order", "x"))),
    (MessageFault.NO_ORDER, _said(16, ("type", "1"), _ITEM)),
    (MessageFault.NO_ITEM, _said(16, *_ORDER)),
    (MessageFault.AMBIGUOUS, _said(16, ("type", "1"), ("type", "3"), ("order", "x"))),
    (MessageFault.BAD_COORD, _said(16, *_ORDER, ("item", "30405:?:tea", "1"))),
    (MessageFault.BAD_STATUS, _said(16, ("type", "3"), ("order", "x"), ("status", "lost"))),
    (MessageFault.NO_PAYMENT, _said(17, ("order", "x"))),
    (MessageFault.NOT_ALLOWED, _said(16, ("type", "4"), ("order", "x"), ("status", "shipped"))),
    (MessageFault.NO_PAYMENT, _said(16, ("type", "2"), ("order", "x"))),
    (MessageFault.NOT_ALLOWED, _said(16, ("type", "2"), ("order", "x"), ("payment", "x"), by="merchant")),
    (MarketFault.NO_KIND, _public("merchant", 31989, (("d", "x"),))),
    (MessageFault.NOT_ALLOWED, _said(16, *_ORDER, _ITEM, by="merchant")),
    (MessageFault.RECIPIENT_MISMATCH, _said(16, *_ORDER, _ITEM, p=False)),
    (MessageFault.GROUP_ORDER, _said(16, ("p", "ee" * 32), *_ORDER, _ITEM)),
    (MessageFault.TOO_MANY_LINES, _said(16, *_ORDER, *(("item", f"30402:?:t{n}", "1") for n in range(101)))),
    (MessageFault.EMPTY_MESSAGE, _said(14)),
    (MessageFault.KNOWN_FOREIGN_DIALECT, _said(14, *_ORDER, _ITEM)),
    (MessageFault.KNOWN_FOREIGN_DIALECT, _said(15, *_ORDER, _ITEM)),
    (MessageFault.AMBIGUOUS, _said(15, ("subject", "order-info"), *_ORDER[1:], _ITEM, ("status", "cancelled"))),
    (MessageFault.NO_TYPE, _said(14, ("subject", "order-completed"), *_ORDER, _ITEM)),
    (MessageFault.BAD_SHAPE, _said(5)),
    (MessageFault.BAD_NUTZAP, _said(9321, ("u", "https://mint.example"))),
    ("wrong_recipient", _unaddressed),
)
"""Reason code expected in the quarantine, and the text that is to get it."""
