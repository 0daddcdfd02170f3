"""Checks that what a shop sells follows from the events alone: not from their order, nor from how often they come."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from schemas.catalogue import RecordCollection, RecordDeletion, RecordListing, RecordShippingOption
from schemas.market.collection import read_collection
from schemas.market.listing import read_listing
from schemas.market.shipping_option import read_shipping_option
from schemas.messages import CommandBody
from schemas.nostr.nip01 import Event
from streams.domain.decide import decide
from streams.domain.evolve import evolve
from streams.domain.offers import offered, orphanhood
from streams.domain.shop import Shop
from tests.support.builders import CARRIER, MERCHANT, NOW_MS, NOW_S, STRANGER, Tag, a_command, an_event

TIMES = range(NOW_S - 100, NOW_S - 94)
"""So few that versions of one second and deletions of that second are common."""
SHIRT, POTTERY, POST = f"30402:{MERCHANT}:shirt", f"30405:{MERCHANT}:k", f"30406:{MERCHANT}:o"
ADDRESSES = (SHIRT, f"30402:{MERCHANT}:red", f"30402:{MERCHANT}:vase", POTTERY, POST)
THEIRS = (f"30405:{STRANGER}:k", f"30406:{CARRIER}:o")


def version(dice: Random, address: str) -> Event:
    """Some version of what is at an address."""
    kind, author, d = address.split(":")
    tags: tuple[Tag, ...] = (("d", d), ("title", f"{d} {dice.randrange(3)}"))
    match kind:
        case "30402":
            structure = {"shirt": dice.choice(("variable", "simple")), "red": "variation"}.get(d, "simple")
            pointed = dice.sample((POTTERY, POST, *THEIRS), 2)
            tags += (("price", str(dice.randrange(1, 5)), "SATS"), ("type", structure, "physical"))
            tags += tuple(("shipping_option", one, str(n)) for n, one in enumerate(pointed))
            tags += (("a", SHIRT),) if structure == "variation" else ()
            tags += (("stock", str(dice.randrange(3))),) if dice.random() < 0.6 else ()
            tags += (("visibility", "hidden"),) if dice.random() < 0.2 else ()
        case "30405":
            tags += (("a", SHIRT), ("shipping_option", dice.choice((POST, THEIRS[1]))))
        case _:
            tags += (("price", str(dice.randrange(5)), "SATS"), ("service", "standard"))
    return an_event(int(kind), *tags, author=author, at=dice.choice(TIMES))


def recorded(event: Event) -> CommandBody:
    """The command that brings it."""
    match event.kind:
        case 30402:
            return RecordListing(listing=read_listing(event))
        case 30405:
            return RecordCollection(collection=read_collection(event))
        case _:
            return RecordShippingOption(option=read_shipping_option(event))


def history(dice: Random) -> list[CommandBody]:
    """Versions of everything, and the merchant's deletions of some, by address and by id."""
    events = [version(dice, dice.choice((*ADDRESSES, *ADDRESSES, *THEIRS))) for _ in range(dice.randrange(4, 14))]
    own = [event for event in events if event.pubkey == MERCHANT]
    deletions: list[CommandBody] = [
        RecordDeletion(
            author=MERCHANT,
            created_at=dice.choice(TIMES),
            coordinates=tuple(dice.sample(ADDRESSES, dice.choice((0, 1, 2)))),
            event_ids=tuple(event.id for event in dice.sample(own, min(len(own), dice.choice((0, 0, 1, 2))))),
        )
        for _ in range(dice.choice((0, 1, 2, 3)))
    ]
    return [*map(recorded, events), *deletions]


def told(shop: Shop, bodies: list[CommandBody]) -> Shop:
    """The shop after all of it."""
    for body in bodies:
        for event in decide(shop, a_command(body), {}):
            evolve(shop, event, NOW_MS)
    return shop


def sold(shop: Shop) -> dict[str, Any]:
    """Everything an order could notice: what counts at each address, its stock, its options, its parent."""
    return {
        "listings": shop.listings,
        "options": shop.options,
        "collections": shop.collections,
        "stock": {address: shop.stock[address] for address in shop.listings},
        "offered": {address: offered(shop, one, NOW_S) for address, one in shop.listings.items()},
        "orphans": {address: orphanhood(shop, one, NOW_S) for address, one in shop.listings.items()},
    }


def shuffled(dice: Random, bodies: list[CommandBody]) -> list[CommandBody]:
    """In another order, and some of it twice or thrice."""
    again = bodies + [dice.choice(bodies) for _ in range(dice.randrange(len(bodies)))]
    dice.shuffle(again)
    return again


@pytest.mark.req("EVT-02")
@pytest.mark.req("REL-16")
@pytest.mark.parametrize("block", range(4))
def test_any_order_and_any_repetition_gives_the_same_shop(block: int) -> None:
    """Listings, options, collections, deletions of either kind, ties included; and so does whatever comes after."""
    met = {"deleted": 0, "alive": 0, "orphans": 0}
    for seed in range(block * 100, block * 100 + 100):
        dice = Random(seed)
        bodies, later = history(dice), history(dice)
        first = told(Shop(MERCHANT), bodies)
        expected = sold(first)
        for _ in range(6):
            other = told(Shop(MERCHANT), shuffled(dice, bodies))
            assert sold(other) == expected, seed
            assert sold(told(other, shuffled(dice, later))) == sold(told(told(Shop(MERCHANT), bodies), later)), seed
        met["deleted"] += bool(first.withdrawn or first.retired)
        met["alive"] += bool(first.listings)
        met["orphans"] += any(expected["orphans"].values())
    assert all(count > 5 for count in met.values()), met


@pytest.mark.req("SHP-12")
def test_a_carriers_versions_and_deletions_come_in_any_order_once_a_listing_points_there() -> None:
    """As ingest asks for them: after the listing, from any relay."""
    for seed in range(100):
        dice = Random(seed)
        pointing = recorded(an_event(30402, *_pointing(), at=NOW_S))
        events: list[CommandBody] = [recorded(version(dice, THEIRS[1])) for _ in range(4)]
        events += [
            RecordDeletion(author=CARRIER, created_at=dice.choice(TIMES), coordinates=(THEIRS[1],)) for _ in range(2)
        ]
        expected = told(Shop(MERCHANT), [pointing, *events]).options
        for _ in range(6):
            assert told(Shop(MERCHANT), [pointing, *shuffled(dice, events)]).options == expected, seed


def _pointing() -> tuple[Tag, ...]:
    return (("d", "x"), ("title", "X"), ("price", "1", "SATS"), ("shipping_option", THEIRS[1]))
