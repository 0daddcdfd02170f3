"""Checks orders sent in several parcels: each has a state and a number, and all of them make the order's."""

from __future__ import annotations

import pytest

from schemas import limits
from schemas.catalogue import RecordListing, RecordShippingOption
from schemas.orders import MoveRefused, OrderStatus, ShippingMoved, ShippingStatus
from schemas.replies import ReplyPromised, ShippingReply
from schemas.rows import OrderRow, Row
from schemas.shops import OpenShop, ShopSettings
from schemas.values import Actor
from streams.domain.projections import RowKey, fold
from tests.support.books import audited
from tests.support.builders import a_key, a_listing, an_option, an_order, post
from tests.support.steps import moved, paid, parcel, requested
from tests.support.story import Story, given

VASE = RecordListing(listing=a_listing("vase", "100", shipping=((post(), "0"),)))
POST = RecordShippingOption(option=an_option(countries=("DE",), price="7"))
EAGER = OpenShop(settings=ShopSettings(complete_on_delivery=True))
SHIPPED, DELIVERED = ShippingStatus.SHIPPED, ShippingStatus.DELIVERED


def paid_for() -> Story:
    """An order that is to be sent, at a shop that completes what is delivered."""
    return given(EAGER, VASE, POST, an_order(("vase", 2), country="DE"), requested(207), paid(207))


def states(story: Story) -> dict[str, tuple[ShippingStatus, str | None]]:
    """Each parcel's state and number."""
    return {one.name: (one.status, one.tracking) for one in story.order().parcels}


@pytest.mark.req("SU-04")
def test_an_order_is_delivered_once_every_parcel_is() -> None:
    """The first is delivered, the second on its way: shipped, and not complete; each keeps its own number."""
    story = paid_for().when(parcel(SHIPPED, tracking="A"), parcel(SHIPPED, tracking="B"))
    story.when(parcel(DELIVERED, tracking="A"))
    assert states(story) == {"1": (DELIVERED, "A"), "2": (SHIPPED, "B")}
    assert (story.order().parcel, story.order().status) == (SHIPPED, OrderStatus.CONFIRMED)

    story.when(parcel(DELIVERED, tracking="B"))
    assert (story.order().parcel, story.order().status) == (DELIVERED, OrderStatus.COMPLETED)
    audited(story.journal)


def test_a_parcel_may_be_named() -> None:
    """By whoever packs; the buyer reads which one it is where there are several."""
    story = paid_for().when(parcel(SHIPPED, name="box", tracking="A"), parcel(SHIPPED, name="tube", tracking="B"))
    story.when(parcel(DELIVERED, name="tube"))

    reply = story.reply()
    assert isinstance(reply, ShippingReply)
    assert (reply.status, reply.tracking) == (DELIVERED, "B")
    assert reply.text == "Parcel tube: Your parcel was delivered. Tracking: B."
    assert states(story) == {"box": (SHIPPED, "A"), "tube": (DELIVERED, "B")}


def test_a_message_that_names_none_is_about_all_that_can_go_there() -> None:
    """One word of the merchant, one message for each parcel that moved."""
    story = paid_for().when(
        parcel(SHIPPED, tracking="A"), parcel(SHIPPED, tracking="B"), parcel(DELIVERED, tracking="A")
    )

    story.when(parcel(ShippingStatus.EXCEPTION)).then(ShippingMoved, ReplyPromised)
    assert states(story)["2"] == (ShippingStatus.EXCEPTION, "B")
    assert story.order().parcel is ShippingStatus.EXCEPTION
    story.when(parcel(DELIVERED))
    assert story.order().status is OrderStatus.COMPLETED


def test_a_number_that_is_known_before_the_parcel_leaves_may_still_change() -> None:
    """Only what is on its way is another parcel's."""
    story = paid_for().when(parcel(ShippingStatus.PROCESSING, tracking="A"), parcel(SHIPPED, tracking="B"))

    assert states(story) == {"1": (SHIPPED, "B")}


def test_a_wrong_number_is_put_right_by_the_parcels_name() -> None:
    """The buyer gets the right one; there is still one parcel."""
    story = paid_for().when(parcel(SHIPPED, tracking="A"), parcel(SHIPPED, name="1", tracking="C"))

    assert states(story) == {"1": (SHIPPED, "C")}


def test_a_buyer_completes_only_when_every_parcel_is_on_its_way() -> None:
    """One that is still being packed is owed."""
    story = given(VASE, POST, an_order(("vase", 2), country="DE"), requested(207), paid(207))
    story.when(parcel(SHIPPED, name="1"), parcel(ShippingStatus.PROCESSING, name="2"))
    story.when(moved(OrderStatus.COMPLETED, Actor.BUYER)).then(MoveRefused)

    story.when(parcel(SHIPPED, name="2"), moved(OrderStatus.COMPLETED, Actor.BUYER, cause="again"))
    assert story.order().status is OrderStatus.COMPLETED


def test_an_order_has_so_many_parcels_and_no_more() -> None:
    """The merchant is told; the others go on."""
    story = paid_for()
    for number in range(limits.PARCELS.most):
        story.when(parcel(SHIPPED, name=str(number)))
    story.when(parcel(SHIPPED, name="one more")).then(MoveRefused)

    assert story.one(MoveRefused).reason == limits.PARCELS.refused
    story.when(parcel(DELIVERED, name="0")).then(ShippingMoved, ReplyPromised)


def test_the_orders_row_has_every_parcel() -> None:
    """As the shop itself has them, whichever came first."""
    story = paid_for().when(
        parcel(SHIPPED, tracking="A"), parcel(SHIPPED, tracking="B"), parcel(DELIVERED, tracking="A")
    )
    rows: dict[RowKey, Row] = {}
    for record in story.journal:
        rows.update(fold(record, 0, rows.get))
    row = rows[RowKey("orders", a_key().ref)]

    assert isinstance(row, OrderRow)
    assert (row.shipping, row.tracking, row.parcels) == (SHIPPED, "A, B", story.order().parcels)
