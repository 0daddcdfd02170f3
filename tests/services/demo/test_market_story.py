"""The market story's data: it has what it says, and every answer it expects is the right one, reckoned twice."""

from __future__ import annotations

from fractions import Fraction

import pytest

from schemas.catalogue import RecordCollection, RecordListing, RecordShippingOption, Structure, Visibility
from schemas.dialects.contract import OrderDraft, Said
from schemas.dialects.gamma import DIALECT
from schemas.market.collection import read_collection
from schemas.market.listing import read_listing
from schemas.market.shipping_option import read_shipping_option
from schemas.messages import CommandBody, Event
from schemas.nostr.kinds import Kind
from schemas.orders import OrderQuoted, OrderRejected, OrderWaiting, PlaceOrder, ReachDeadline
from schemas.shops import OpenShop, ShopSettings
from schemas.values import Destination, OrderKey, Refusal, Waiting
from services.cli import output
from services.demo.market.orders import WISHES, Answer, Buyer, Wish
from services.demo.market.play import order_tags, show
from services.demo.market.shop import RULES, Offer, address, offers
from tests.support.builders import MERCHANT, STRANGER, a_rate, an_event, an_id
from tests.support.reference_prices import Answer as NoPrice
from tests.support.reference_prices import Cart, Published, Reference, Rules
from tests.support.story import Story

KEYS = {buyer: an_id(buyer)[:64] for buyer in Buyer}
OF_THE_SHOP = {
    *(R for R in Refusal if R.value in ("declined", "shop_busy", "shop_closed", "too_many_orders", "too_many_open")),
    Waiting.CONTACT,
}
"""Turned down for the buyer's or the shop's figures, whatever is ordered: no part of a price."""


def recorded(offer: Offer) -> CommandBody:
    """An event of the shop as intake reads it."""
    event = an_event(offer.kind, *offer.tags, author=MERCHANT)
    match offer.kind:
        case Kind.PRODUCT:
            return RecordListing(listing=read_listing(event))
        case Kind.COLLECTION:
            return RecordCollection(collection=read_collection(event))
        case _:
            return RecordShippingOption(option=read_shipping_option(event))


def placed(wish: Wish) -> PlaceOrder:
    """An order as the buyer's client writes it and intake reads it."""
    buyer = KEYS[wish.buyer]
    tags = (("p", MERCHANT), *order_tags(MERCHANT, STRANGER, wish.name, wish))
    draft = DIALECT.read(Said(an_id(wish.name), buyer, MERCHANT, Kind.ORDER, tags, ""))
    assert isinstance(draft, OrderDraft)
    return PlaceOrder(
        order=OrderKey(merchant=MERCHANT, buyer=buyer, order_id=draft.order_id),
        dialect="gamma",
        rumor_id=an_id(wish.name),
        lines=draft.lines,
        shipping=draft.shipping,
        destination=Destination(country=draft.country, region=draft.region, geohash=draft.geohash),
    )


def settings(rules: dict[str, object]) -> ShopSettings:
    """The story's rules with the keys of those it names."""
    return ShopSettings.model_validate(
        {**rules, **({"denied": [KEYS[one] for one in rules["denied"]]} if rules.get("denied") else {})}  # type: ignore[attr-defined]
    )


def answered(events: tuple[Event, ...]) -> tuple[Answer, int | None, Refusal | Waiting | None]:
    """What a decision tells the buyer."""
    for event in events:
        match event:
            case OrderQuoted():
                return Answer.ASKED, event.quote.total_msat // 1_000, None
            case OrderRejected():
                return Answer.DECLINED, None, event.findings[0].refusal
            case OrderWaiting():
                return Answer.WAITS, None, event.reason
            case _:
                pass
    raise AssertionError("nothing was answered")


def test_the_shop_is_twelve_products_of_every_sort() -> None:
    """Variations, digital, pick-up, priced by weight and distance, a collection's options, recurring, pre-order."""
    shop = offers(MERCHANT)
    listings = [body.listing for offer in shop if isinstance(body := recorded(offer), RecordListing)]
    tags = {tag[0] for offer in shop for tag in offer.tags}

    assert len(listings) == 12
    assert {one.structure for one in listings} == set(Structure)
    assert {one.visibility for one in listings} == set(Visibility)
    assert {"price-weight", "price-distance"} <= tags
    assert any(one.price.frequency for one in listings)
    assert any(reference.coordinate.startswith("30405:") for one in listings for reference in one.shipping)
    assert not [one.warnings for one in listings if one.warnings]


@pytest.mark.parametrize("reason", [*Refusal, *(one for one in Waiting if one is not Waiting.HOLD)])
def test_every_reason_not_to_be_asked_is_met_by_an_order(reason: Refusal | Waiting) -> None:
    """A missing exchange rate is met on the way; on hold an order waits by a person's word, whatever was ordered."""
    met = {wish.code for wish in WISHES} | {Waiting.RATE}

    assert reason in met


def test_every_answer_is_the_domains() -> None:
    """The whole story without a stack: read, decided, told."""
    story = Story(a_rate("USD", "1000"))
    rules: dict[str, object] = dict(RULES)
    story.when(OpenShop(settings=settings(rules)), *map(recorded, offers(MERCHANT)))
    for wish in WISHES:
        if wish.rules is not None:
            rules.update(wish.rules)
            story.when(OpenShop(settings=settings(rules)))

        story.when(order := placed(wish))

        if wish.code is Refusal.UNPRICEABLE:
            assert answered(story.events)[2] is Waiting.RATE
            deadline_ms = story.order(order.order).deadline_ms or 0
            story.when(ReachDeadline(order=order.order, deadline_ms=deadline_ms), at_ms=deadline_ms)
        assert answered(story.events) == (wish.answer, wish.sats, wish.code), wish.name


@pytest.mark.parametrize("wish", [wish for wish in WISHES if wish.code not in OF_THE_SHOP], ids=lambda wish: wish.name)
def test_every_price_and_reason_is_the_references(wish: Wish) -> None:
    """Reckoned from the published tags alone, by the tests' own reading of the spec, in fractions."""
    published = [Published(offer.kind, MERCHANT, offer.tags) for offer in offers(MERCHANT)]
    rules = Rules(order_min=(Fraction(5), "USD"))
    reference = Reference(MERCHANT, published, rules, {"USD": Fraction(1_000_000)})
    cart = Cart(
        lines=tuple(
            (address(STRANGER if d.startswith("@") else MERCHANT, Kind.PRODUCT, d.lstrip("@")), count)
            for d, count in wish.items
        ),
        shipping=wish.shipping and address(MERCHANT, Kind.SHIPPING_OPTION, wish.shipping),
        country=wish.country,
        geohash=wish.geohash,
    )
    match wish.code:
        case None:
            assert reference.price(cart)[0] == wish.sats
        case Refusal.BAD_QUANTITY:
            assert wish.items[0][1] < 1
        case Refusal.STOCK_SHARE:
            assert reference.price(cart)
            assert wish.items[0][1] > 50 * RULES["buyer_stock_percent_max"] // 100
        case Refusal.TOO_EXPENSIVE:
            assert reference.price(cart)[0] > RULES["order_sats_max"]
        case _:
            with pytest.raises(NoPrice) as caught:
                reference.price(cart)
            expected = "no_rate" if wish.code is Refusal.UNPRICEABLE else wish.code.value
            assert caught.value.codes == {expected}


def test_the_table_fits_a_hundred_columns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Long answers are folded, none is lost at the edge, and what looks like mark-up is none."""
    monkeypatch.setattr(output.OUT, "width", 100)
    asked = {"order": "by weight", "asked": "2 mugs by post to Germany", "answer": "asked to pay", "sats": 30_580,
             "code": "", "text": "word [bold] " * 40, "as_expected": True}  # fmt: skip

    show([asked, {**asked, "sats": None, "answer": "declined", "code": "not_for_sale", "as_expected": False}])

    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 100
    for word in ("30,580 sats", "✗", "not_for_sale", "declined", "[bold]"):
        assert word in shown
