"""Shops that offer something, and what an order there is answered with."""

from collections.abc import Mapping

from schemas.catalogue import (
    Collection,
    Listing,
    RecordCollection,
    RecordListing,
    RecordShippingOption,
    ShippingOption,
)
from schemas.messages import CommandBody
from schemas.orders import OrderQuoted, OrderRejected, OrderWaiting, PlaceOrder, Quote, Rate
from schemas.shops import OpenShop, ShopSettings
from tests.support.story import RATES, Story

Offer = Listing | ShippingOption | Collection


def shop(*things: Offer, rates: Mapping[str, Rate] = RATES, rules: ShopSettings | None = None) -> Story:
    """A shop that offers these listings, options and collections, by its own rules if it has any."""
    story = Story(rates)
    if rules is not None:
        story.when(OpenShop(settings=rules))
    for thing in things:
        story.when(recorded(thing))
    return story


def recorded(thing: Offer) -> CommandBody:
    """The command that brings it."""
    match thing:
        case Listing():
            return RecordListing(listing=thing)
        case ShippingOption():
            return RecordShippingOption(option=thing)
        case Collection():
            return RecordCollection(collection=thing)


def quoted(story: Story, order: PlaceOrder) -> Quote:
    """The quote this order gets."""
    return story.when(order).one(OrderQuoted).quote


def refusals(story: Story, order: PlaceOrder) -> list[str]:
    """Why this order is turned down."""
    return [finding.refusal.value for finding in story.when(order).one(OrderRejected).findings]


def waits(story: Story, order: PlaceOrder) -> tuple[str, str]:
    """What this order waits for."""
    event = story.when(order).one(OrderWaiting)
    return event.reason.value, event.detail
