"""What merchants' own events say about where to listen and for what, and the filters that follow from it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from typing import Any

from schemas import limits
from schemas.market.mints import read_mints
from schemas.nostr.coordinates import Coordinate, CoordinateRefused
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, tag_values
from schemas.nostr.nip17 import read_inbox_relays
from schemas.nostr.nip65 import read_relay_list
from services.relays.frames import Filter

OWN_KINDS = (
    Kind.METADATA,
    Kind.DELETION,
    Kind.RELAY_LIST,
    Kind.DRAFT_RELAYS,
    Kind.NUTZAP_INFO,
    Kind.INBOX_RELAYS,
    Kind.STALL,
    Kind.STALL_PRODUCT,
    Kind.MARKETPLACE_UI,
    Kind.AUCTION,
    Kind.PRODUCT,
    Kind.PRODUCT_DRAFT,
    Kind.COLLECTION,
    Kind.SHIPPING_OPTION,
    Kind.DRAFT_WRAP,
    Kind.APP_RECOMMENDATION,
)
"""What a merchant publishes that a shop is made of, or that is at least counted (REL-08)."""

OPEN_KINDS = (Kind.CHAT_MESSAGE, Kind.ORDER, Kind.PAYMENT_RECEIPT)
"""Order messages that some clients publish for everybody to read; reposts and reactions to pages share their kinds."""

OFFER_KINDS = frozenset({Kind.COLLECTION, Kind.SHIPPING_OPTION})
"""What a listing may point at though somebody else wrote it (SHP-12)."""

FOLLOWED_KINDS = frozenset(
    {
        Kind.RELAY_LIST,
        Kind.INBOX_RELAYS,
        Kind.NUTZAP_INFO,
        Kind.PRODUCT,
        Kind.COLLECTION,
        Kind.REVIEW,
        Kind.APP_RECOMMENDATION,
    }
)
"""Kinds that say what else to follow."""

REVIEWERS_MAX = limits.REVIEWERS.most
"""Authors of reviews whose deletions are followed, per merchant; the least recent is forgotten."""
OFFERS_MAX = limits.FOREIGN_OFFERS.most
"""Addresses of others that are followed, per merchant; the least recent is forgotten."""


class Topic(StrEnum):
    """What is asked of a relay, each in filters of its own."""

    INBOX = "inbox"
    DIRECT = "direct"
    OPEN = "open"
    NUTZAPS = "nutzaps"
    CATALOGUE = "catalogue"
    REVIEWS = "reviews"
    REVIEWERS = "reviewers"
    OFFERS = "offers"


class Followed:
    """One merchant's: lists, products, those who reviewed them, and in use of others: options, collections, apps."""

    def __init__(self) -> None:
        self.lists: dict[int, Event] = {}
        self.products: set[str] = set()
        self.reviewers: OrderedDict[str, None] = OrderedDict()
        self.offers: OrderedDict[Coordinate, None] = OrderedDict()

    def learn(self, event: Event) -> bool:
        """Take a verified event of the merchant's in; True where what to listen to has changed."""
        match event.kind:
            case Kind.PRODUCT:
                new = tag_values(event, "d")[:1]
                changed = not self.products.issuperset(new)
                self.products.update(new)
                return self.learn_offers(event, event.pubkey) or changed
            case Kind.COLLECTION:
                return self.learn_offers(event, event.pubkey)
            case Kind.APP_RECOMMENDATION:
                return self._learn_all(tag_values(event, "a"), (Kind.APP_HANDLER,))
        known = self.lists.get(event.kind)
        if known is not None and (event.created_at, known.id) <= (known.created_at, event.id):
            return False
        self.lists[event.kind] = event
        return True

    def learn_offers(self, event: Event, merchant: str) -> bool:
        """Follow what a listing or a collection points at and the merchant did not write; True where that is new."""
        texts = (*tag_values(event, "shipping_option"), *tag_values(event, "shipping"))
        return self._learn_all(texts, OFFER_KINDS, merchant)

    def _learn_all(self, texts: Iterable[str], kinds: Collection[int], but_of: str = "") -> bool:
        new = False
        for text in texts:
            try:
                offer = Coordinate.parse(text)
            except CoordinateRefused:
                continue
            if offer.kind in kinds and offer.pubkey != but_of:
                new |= offer not in self.offers
                _remember(self.offers, offer, OFFERS_MAX)
        return new

    def learn_reviewer(self, author: str) -> bool:
        """Follow a reviewer's deletions; True where they are new."""
        new = author not in self.reviewers
        _remember(self.reviewers, author, REVIEWERS_MAX)
        return new

    def relays(self) -> list[str]:
        """The relays the merchant names: inboxes (10050), read and write relays (10002), those of nutzaps (10019)."""
        urls: list[str] = []
        if inbox := self.lists.get(Kind.INBOX_RELAYS):
            urls.extend(read_inbox_relays(inbox))
        if listed := self.lists.get(Kind.RELAY_LIST):
            relays = read_relay_list(listed)
            urls.extend((*relays.read, *relays.write))
        if mints := self.lists.get(Kind.NUTZAP_INFO):
            urls.extend(read_mints(mints).relays)
        return urls


def targets_of(topic: Topic, merchant: str, followed: Followed) -> set[str]:
    """What is asked for one merchant's sake: keys of people, or addresses (REL-07…09)."""
    match topic:
        case Topic.INBOX | Topic.DIRECT | Topic.OPEN | Topic.NUTZAPS | Topic.CATALOGUE:
            return {merchant}
        case Topic.REVIEWS:
            return {f"{int(Kind.PRODUCT)}:{merchant}:{d}" for d in followed.products}
        case Topic.REVIEWERS:
            return set(followed.reviewers)
        case Topic.OFFERS:
            return {str(offer) for offer in followed.offers}


def filters_of(topic: Topic, targets: Collection[str]) -> tuple[Filter, ...]:
    """What to ask a relay for some targets at once; there is at least one."""
    wanted = sorted(targets)
    match topic:
        case Topic.INBOX:
            return ({"kinds": [int(Kind.GIFT_WRAP)], "#p": wanted},)
        case Topic.DIRECT:  # apart from wraps, which some relays show to nobody who asks for more than them
            return ({"kinds": [int(Kind.ENCRYPTED_DIRECT_MESSAGE)], "#p": wanted},)
        case Topic.OPEN:
            return ({"kinds": [int(kind) for kind in OPEN_KINDS], "#p": wanted},)
        case Topic.NUTZAPS:  # of any mint: one that is not on the shop's list is refused with a word to the buyer
            return ({"kinds": [int(Kind.NUTZAP)], "#p": wanted},)
        case Topic.CATALOGUE:
            return ({"kinds": [int(kind) for kind in OWN_KINDS], "authors": wanted},)
        case Topic.REVIEWS:
            return ({"kinds": [int(Kind.REVIEW)], "#d": [f"a:{address}" for address in wanted]},)
        case Topic.REVIEWERS:
            return ({"kinds": [int(Kind.DELETION)], "authors": wanted},)
        case Topic.OFFERS:
            return _offers([Coordinate.parse(address) for address in wanted])


def _offers(offers: Sequence[Coordinate]) -> tuple[Filter, ...]:
    """Others' events by kind, author and name, and what those authors delete."""
    authors = sorted({offer.pubkey for offer in offers})
    kinds = sorted({offer.kind for offer in offers})
    wanted: Filter = {"kinds": kinds, "authors": authors, "#d": sorted({offer.d for offer in offers})}
    return wanted, {"kinds": [int(Kind.DELETION)], "authors": authors}


def _remember[T](known: OrderedDict[T, Any], new: T, most: int) -> None:
    known[new] = None
    known.move_to_end(new)
    if len(known) > most:
        known.popitem(last=False)
