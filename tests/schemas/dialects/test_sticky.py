"""Every dialect's order is answered in that dialect: each reply is read again by a small parser that shares no code.

A dialect that is registered without its client here fails the first test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from schemas.catalogue import RecordListing
from schemas.dialects import DIALECTS, recognise
from schemas.dialects.contract import Draft, OrderDraft
from schemas.orders import MoveOrder, OrderStatus, PlaceOrder, ShippingStatus
from schemas.replies import ReplyPromised, Standing, StatusReply, WireStatus
from schemas.shops import Switchable
from schemas.values import Actor
from tests.support.builders import BUYER, MERCHANT, NOW_S, Tag, a_key, a_listing, a_rumor, an_id, product
from tests.support.steps import moved, paid, parcel, refunded, requested
from tests.support.story import given

Parsed = tuple[str, dict[str, str], str]
"""What a client makes of a message: its sort, its figures by name, and the text it shows."""


@dataclass(frozen=True, slots=True)
class Client:
    """A dialect's client: an order as it sends it, and how it reads what it gets."""

    kind: int
    tags: tuple[Tag, ...]
    content: str
    parse: Callable[[Draft], Parsed]
    words: Mapping[str, str] = field(default_factory=dict)
    """What it calls a state otherwise than we do."""
    has_tags: bool = True
    """Whether its messages say when a request ends, where the parcel is, and what they answer."""


def _of_spec(draft: Draft) -> Parsed:
    """The market spec's §4: a kind 16 is told by its `type`, a kind 14 is for a person."""
    figures = {tag[0]: tag[-1] for tag in draft.tags}
    if draft.kind == 14:
        assert figures["subject"] == "order-1"
        return "text", {}, draft.content
    assert draft.kind == 16
    sort, subject = {
        "2": ("payment", "order-payment"),
        "3": ("status", "order-info"),
        "4": ("parcel", "shipping-info"),
    }[figures["type"]]
    assert figures["subject"] == subject
    return sort, {"until": figures["expiration"], **figures} if sort == "payment" else figures, draft.content


def _of_draft(draft: Draft) -> Parsed:
    """The former draft: a kind 15 is told by its `subject`, times are `expiry` and `date`; it knows no `type`."""
    figures = {tag[0]: tag[1] for tag in draft.tags}
    assert "type" not in figures
    if draft.kind == 14:
        assert figures["subject"] == "order-1"
        return "text", {}, draft.content
    assert draft.kind == 15
    if figures["subject"] == "order-payment":
        units = [tag[2] for tag in draft.tags if tag[0] == "amount"]
        invoices = [tag[2] for tag in draft.tags if tag[:2] == ("payment", "lightning")]
        assert units == ["SATS"]
        return "payment", {**figures, "until": figures["expiry"], "payment": invoices[0]}, draft.content
    sort = {"order-info": "status", "shipping-info": "parcel"}[figures["subject"]]
    assert sort == "parcel" or int(figures["date"]) >= NOW_S
    return sort, figures, draft.content


def _of_shopstr(draft: Draft) -> Parsed:
    """Shopstr: kind 14 alone, a list of subjects, tags of exactly two parts, one l in canceled, invoices as text."""
    assert draft.kind == 14
    for name in ("order", "subject", "status"):
        assert all(len(tag) == 2 for tag in draft.tags if tag[0] == name)
    figures = {tag[0]: tag[-1] for tag in draft.tags}
    assert figures["subject"] in ("order-info", "order-payment", "shipping-info")
    if figures["subject"] == "order-payment":
        assert figures["payment"] in draft.content, "it has no button: the invoice is copied from the text"
        return "payment", {**figures, "until": figures["expiration"]}, draft.content
    if "status" not in figures:
        return "text", {}, draft.content
    if figures["subject"] == "shipping-info":
        return "parcel", figures, draft.content
    return "status", {**figures, "status": figures["status"].replace("canceled", "cancelled")}, draft.content


def _of_stalls(draft: Draft) -> Parsed:
    """nostrmarket: JSON in kind 4 to one buyer; what is on its way while it is processed is a parcel."""
    assert (draft.kind, draft.tags) == (4, (("p", BUYER),))
    if not draft.content.startswith("{"):
        return "text", {}, draft.content
    fields = json.loads(draft.content)
    figures = {"p": BUYER, "order": fields["id"]}
    if fields["type"] == 1:
        (option,) = fields["payment_options"]
        assert option["type"] == "ln"
        return "payment", {**figures, "payment": option["link"]}, fields["message"]
    assert fields["type"] == 2
    sort = "parcel" if fields["shipped"] and fields["status"] == "processing" else "status"
    return sort, {**figures, "status": "shipped" if sort == "parcel" else fields["status"]}, fields["message"]


_WANTED: tuple[Tag, ...] = (("p", MERCHANT), ("subject", "order-info"), ("order", "order-1"), ("item", product(), "1"))
CLIENTS = {
    "gamma": Client(16, (*_WANTED, ("type", "1"), ("amount", "10")), "", _of_spec),
    "k15": Client(15, (*_WANTED, ("amount", "10")), "", _of_draft),
    "k14": Client(14, (*_WANTED, ("type", "1"), ("amount", "10")), "I order a tea.", _of_shopstr),
    "nip15": Client(
        4,
        (("p", MERCHANT),),
        json.dumps({"type": 0, "id": "order-1", "items": [{"product_id": "tea", "quantity": 1}]}),
        _of_stalls,
        {"confirmed": "processing"},
        has_tags=False,
    ),
}


def _order(name: str) -> PlaceOrder:
    """The client's order, as intake hands it on."""
    client = CLIENTS[name]
    said = a_rumor(client.kind, *client.tags, content=client.content)
    dialect = recognise(said.kind, said.tags)
    assert dialect is DIALECTS[name]
    draft = dialect.read(said)
    assert isinstance(draft, OrderDraft)
    key = a_key(draft.order_id)
    return PlaceOrder(order=key, dialect=dialect.name, rumor_id=said.rumor_id, lines=draft.lines)


def _promised(name: str) -> list[ReplyPromised]:
    """Every sort of reply, from an order that is paid, goes on, is sent and partly given back."""
    story = given(RecordListing(listing=a_listing()))
    promised: list[ReplyPromised] = []
    for said in (
        _order(name),
        requested(10),
        paid(10),
        moved(OrderStatus.PROCESSING),
        parcel(ShippingStatus.SHIPPED, tracking="T1"),
        refunded(4, "operator 9"),
        moved(OrderStatus.COMPLETED),
    ):
        promised += [event for event in story.when(said).events if isinstance(event, ReplyPromised)]
    return promised


@pytest.mark.req("MSG-03")
@pytest.mark.parametrize("name", list(DIALECTS))
def test_an_order_is_answered_in_its_own_dialect_all_along(name: str) -> None:
    """Request, states, parcel and words: each promised in the order's dialect, and read by its own client."""
    promised = _promised(name)
    assert {reply.dialect for reply in promised} == {name}

    read = [CLIENTS[name].parse(DIALECTS[reply.dialect].write(reply)) for reply in promised]

    assert [sort for sort, _, _ in read] == ["payment", "status", "status", "parcel", "text", "status"]
    payment, *_ = (figures for sort, figures, _ in read if sort == "payment")
    client = CLIENTS[name]
    assert payment["payment"] == "lnbc10"
    assert not client.has_tags or int(payment["until"]) == NOW_S + 900
    states = [client.words.get(state, state) for state in ("confirmed", "processing", "completed")]
    assert [figures["status"] for sort, figures, _ in read if sort == "status"] == states
    (sent,) = (figures for sort, figures, _ in read if sort == "parcel")
    assert sent["status"] == "shipped"
    assert not client.has_tags or sent["tracking"] == "T1"
    assert all(reply.reply.text in text for reply, (_, _, text) in zip(promised, read, strict=True))
    for _, figures, _ in read:
        assert not figures or (figures["p"], figures["order"]) == (BUYER, "order-1")
        assert not figures or not client.has_tags or figures["e"] == promised[0].answers


@pytest.mark.parametrize("name", list(DIALECTS))
@pytest.mark.parametrize("status", list(WireStatus))
def test_each_state_is_said_in_the_dialects_own_word_and_comes_back_as_what_it_is(
    name: str, status: WireStatus
) -> None:
    """To the client, and to whoever reads the merchant's own copy; a kind 4 has none and is its own."""
    client = CLIENTS[name]
    promised = ReplyPromised(
        order=a_key(),
        number=1,
        dialect=name,
        answers=an_id("order"),
        at_s=NOW_S,
        reply=StatusReply(status=status, text="Because."),
        standing=None if client.has_tags else Standing(status=OrderStatus(status), paid=False, shipped=False),
    )
    draft = DIALECTS[name].write(promised)

    assert DIALECTS[name].write(promised) == draft, "a retry is the same rumor"
    sort, figures, _ = client.parse(draft)
    assert (sort, figures["status"]) == ("status", client.words.get(status, status))
    if not client.has_tags:
        return
    said = a_rumor(draft.kind, *draft.tags, author=MERCHANT, content=draft.content)
    assert recognise(said.kind, said.tags) is DIALECTS[name]
    copy = DIALECTS[name].read(said)
    assert isinstance(copy, MoveOrder)
    assert (copy.order, copy.to, copy.actor) == (a_key(), OrderStatus(status), Actor.MERCHANT)


def test_every_dialect_has_a_client_here() -> None:
    """One that is registered needs its parser in this file."""
    assert sorted(CLIENTS) == sorted(DIALECTS)


def test_what_may_be_switched_off_is_a_dialect_and_never_the_specs_own() -> None:
    """The settings name what the registry has."""
    assert {dialect.value for dialect in Switchable} <= set(DIALECTS) - {"gamma"}
