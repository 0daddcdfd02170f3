"""Shops that offer something, and what an order there is answered with."""

from collections.abc import Mapping

from schemas.catalogue import Listing, RecordListing, RecordShippingOption, ShippingOption
from schemas.orders import OrderQuoted, OrderRejected, OrderWaiting, PlaceOrder, Quote, Rate
from tests.support.story import RATES, Story


def shop(*things: Listing | ShippingOption, rates: Mapping[str, Rate] = RATES) -> Story:
    """A shop that offers these listings and options."""
    story = Story(rates)
    for thing in things:
        if isinstance(thing, Listing):
            story.when(RecordListing(listing=thing))
        else:
            story.when(RecordShippingOption(option=thing))
    return story


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
