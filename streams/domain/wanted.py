"""The lines of an order joined with the listings they name: what may be ordered at all, and what there is of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from schemas import limits
from schemas.catalogue import Format, Listing, Structure, Visibility
from schemas.orders import LINES_MAX, QUANTITY_MAX, Finding
from schemas.values import Refusal, Waiting
from streams.domain.buyers import units_left
from streams.domain.offers import families, is_for_sale, offered, orphanhood
from streams.domain.shop import Order, Shop


@dataclass(frozen=True, slots=True)
class Rejected:
    """The order cannot be served as it is."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """The order could be served if something more were known."""

    reason: Waiting
    detail: str


class Wanted(NamedTuple):
    """One line joined with the listing it names, as it stands now, and the options that carry it."""

    listing: Listing
    quantity: int
    tracked: bool
    offers: Mapping[str, Decimal]

    @property
    def physical(self) -> bool:
        """Whether this line needs shipping (CAT-04)."""
        return self.listing.format is Format.PHYSICAL

    @property
    def is_pre_order(self) -> bool:
        """Whether its buyer has to wait for it to be there at all (CAT-05)."""
        return self.listing.visibility is Visibility.PRE_ORDER


_NONE: Mapping[str, Decimal] = {}


def wanted_lines(shop: Shop, order: Order, now_s: int, released: Mapping[str, int]) -> tuple[Wanted, ...] | Rejected:
    """Every line joined with its listing, repeats summed; or every fault found, lines before stock."""
    quantities: dict[str, int] = {}
    findings: list[Finding] = []
    for line in order.lines:
        if not 1 <= line.quantity <= QUANTITY_MAX:
            findings.append(_about(Refusal.BAD_QUANTITY, line.coordinate, line.coordinate))
        quantities[line.coordinate] = quantities.get(line.coordinate, 0) + line.quantity
    if not 1 <= len(quantities) <= LINES_MAX or any(q > QUANTITY_MAX for q in quantities.values()):
        findings.append(Finding(refusal=Refusal.BAD_QUANTITY, subject="order"))
    wanted: list[Wanted] = []
    variations: dict[str, list[Listing]] | None = None
    for coordinate, quantity in quantities.items():
        listing = shop.listings.get(coordinate)
        if variations is None and listing is not None and listing.structure is Structure.VARIABLE:
            variations = families(shop)
        finding = line_refusal(shop, coordinate, listing, variations or {}, now_s)
        if finding or listing is None:
            findings.append(finding or _about(Refusal.UNKNOWN_ITEM, coordinate, coordinate))
            continue
        stock = shop.stock.get(coordinate)
        available = stock.available_with(released.get(coordinate, 0)) if stock else None
        enough = available is None or quantity <= available
        if not enough and listing.visibility is not Visibility.PRE_ORDER:
            findings.append(_about(Refusal.INSUFFICIENT_STOCK, listing.title, coordinate))
        elif stock and stock.on_hand is not None and enough:
            left = units_left(shop, order.key.buyer, order.key.ref, coordinate, stock.on_hand)
            if quantity > left:
                findings.append(_about(Refusal.STOCK_SHARE, f"{listing.title} ({left} more)", coordinate))
        offers = offered(shop, listing, now_s) if listing.format is Format.PHYSICAL else _NONE
        wanted.append(Wanted(listing, quantity, available is not None and enough, offers))
    return in_precedence(findings) if findings else tuple(wanted)


def line_refusal(
    shop: Shop, coordinate: str, listing: Listing | None, variations: Mapping[str, list[Listing]], now_s: int
) -> Finding | None:
    """Why this listing cannot be ordered from this shop at all, or None.

    A parent's price is for show: it is never charged once there are variations, be they for sale or not (A-45).
    """
    if coordinate.split(":", 2)[1:2] != [shop.merchant]:
        return _about(Refusal.WRONG_MERCHANT, coordinate, coordinate)
    if listing is None:
        return _about(Refusal.UNKNOWN_ITEM, coordinate, coordinate)
    if not is_for_sale(listing, now_s):
        return _about(Refusal.NOT_FOR_SALE, listing.title, coordinate)
    if listing.structure is Structure.SIMPLE:
        return None
    if listing.structure is Structure.VARIABLE:
        family = variations.get(coordinate)
        if family is None:
            return None
        titles = [one.title for one in family if is_for_sale(one, now_s)][: limits.VARIATIONS.most]
        if not titles:
            return _about(Refusal.NOT_FOR_SALE, listing.title, coordinate)
        return _about(Refusal.CHOOSE_VARIATION, f"{listing.title}: {', '.join(titles)}", coordinate)
    why = orphanhood(shop, listing, now_s)
    return _about(Refusal.ORPHAN_VARIATION, f"{listing.title}, whose main listing {why}", coordinate) if why else None


def _about(refusal: Refusal, subject: str, coordinate: str) -> Finding:
    return Finding(refusal=refusal, subject=subject, lines=(coordinate,))


def in_precedence(findings: list[Finding]) -> Rejected:
    """All findings, the one that counts first (ORD-04)."""
    rank = list(Refusal)
    return Rejected(tuple(sorted(findings, key=lambda finding: rank.index(finding.refusal))))
