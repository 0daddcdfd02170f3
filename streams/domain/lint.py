"""What a merchant should mend in the catalogue: things that are read, and do not sell as they are meant to (CAT-13)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from schemas.catalogue import Format, Listing, ShippingOption, Visibility
from schemas.market.describing import Offer
from schemas.shops import ShopSettings
from streams.domain.measures import sides_cm, weight_g
from streams.domain.money import BITCOIN_UNITS
from streams.domain.offers import geohash_of, is_expired, offered, orphanhood, unresolved
from streams.domain.shop import Shop


class Flaw(StrEnum):
    """What is wrong, as a stable code."""

    UNPRICEABLE_CURRENCY = "unpriceable_currency"
    DANGLING_REFERENCE = "dangling_reference"
    ORPHAN_VARIATION = "orphan_variation"
    PHYSICAL_WITHOUT_SHIPPING = "physical_without_shipping"
    MEASURE_MISSING = "measure_missing"
    PICKUP_WITHOUT_PLACE = "pickup_without_place"
    RULE_UNREADABLE = "rule_unreadable"
    READ_WITH_WARNINGS = "read_with_warnings"


@dataclass(frozen=True, slots=True, order=True)
class LintFinding:
    """One flaw of one listing, option or collection, with what it is about."""

    coordinate: str
    flaw: Flaw
    detail: str = ""


def lint(shop: Shop, now_s: int, currencies: Collection[str]) -> tuple[LintFinding, ...]:
    """Every finding, by address. `currencies` are those that an exchange rate is known for."""
    found: list[LintFinding] = []
    for listing in shop.listings.values():
        if listing.visibility is not Visibility.HIDDEN and not listing.sold and not is_expired(listing, now_s):
            found.extend(_of_listing(shop, listing, now_s, currencies))
    for option in shop.options.values():
        found.extend(_of_option(shop, option, currencies))
    for collection in shop.collections.values():
        if collection.warnings and collection.template is not None:
            found.append(_warned(collection.coordinate, collection.warnings))
    return tuple(sorted(found))


def lint_offers(
    merchant: str, offers: Iterable[Offer], settings: ShopSettings, now_s: int, currencies: Collection[str]
) -> tuple[LintFinding, ...]:
    """The same for a shop of which only what it offers and points at is known."""
    shop = Shop(merchant, settings=settings)
    for offer in offers:
        match offer:
            case Listing():
                shop.listings[offer.coordinate] = offer
            case ShippingOption():
                shop.options[offer.coordinate] = offer
            case _:
                shop.collections[offer.coordinate] = offer
    return lint(shop, now_s, currencies)


def _of_listing(shop: Shop, listing: Listing, now_s: int, currencies: Collection[str]) -> Iterator[LintFinding]:
    where = listing.coordinate
    if _is_unpriceable(listing.price.currency, currencies):
        yield LintFinding(where, Flaw.UNPRICEABLE_CURRENCY, listing.price.currency)
    for reference in unresolved(shop, listing):
        yield LintFinding(where, Flaw.DANGLING_REFERENCE, reference)
    if why := orphanhood(shop, listing, now_s):
        yield LintFinding(where, Flaw.ORPHAN_VARIATION, f"its main listing {why}")
    if listing.warnings:
        yield _warned(where, listing.warnings)
    if listing.format is not Format.PHYSICAL:
        return
    options = [shop.options[one] for one in offered(shop, listing, now_s) if one in shop.options]
    if not options:
        yield LintFinding(where, Flaw.PHYSICAL_WITHOUT_SHIPPING)
    for option in options:
        yield from (LintFinding(where, Flaw.MEASURE_MISSING, lack) for lack in _lacks(shop, listing, option))


def _lacks(shop: Shop, listing: Listing, option: ShippingOption) -> Iterator[str]:
    """What an option needs to know of a listing, and nobody says."""
    settings = shop.settings
    weighs = option.per_weight or option.weight_min_g is not None or option.weight_max_g is not None
    if weighs and weight_g(listing, settings) is None:
        yield f"weight, for {option.title}"
    measures = option.sides_min_cm or option.sides_max_cm
    fills = option.per_volume and listing.volume_cm3 is None
    if (measures or fills) and sides_cm(listing, settings) is None:
        yield f"size, for {option.title}"
    if option.per_distance and option.geohash is None and geohash_of(shop, listing) is None:
        yield f"place, for {option.title}"


def _of_option(shop: Shop, option: ShippingOption, currencies: Collection[str]) -> Iterator[LintFinding]:
    where = option.coordinate
    priced = (option.base, option.per_weight, option.per_volume, option.per_distance)
    for currency in dict.fromkeys(price.currency for price in priced if price is not None):
        if _is_unpriceable(currency, currencies):
            yield LintFinding(where, Flaw.UNPRICEABLE_CURRENCY, currency)
    if option.is_pickup and not (option.location or option.geohash):
        yield LintFinding(where, Flaw.PICKUP_WITHOUT_PLACE)
    if option.unsupported:
        yield LintFinding(where, Flaw.RULE_UNREADABLE, ", ".join(option.unsupported))
    if option.warnings and where.split(":", 2)[1:2] == [shop.merchant]:
        yield _warned(where, option.warnings)


def _warned(coordinate: str, warnings: tuple[str, ...]) -> LintFinding:
    return LintFinding(coordinate, Flaw.READ_WITH_WARNINGS, ", ".join(warnings))


def _is_unpriceable(currency: str, known: Collection[str]) -> bool:
    return currency not in BITCOIN_UNITS and currency not in known
