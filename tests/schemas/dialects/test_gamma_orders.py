"""Checks how the native dialect reads orders (market spec §4 message 1)."""

import pytest

from schemas.dialects.contract import MessageFault, OrderDraft, Said
from schemas.dialects.gamma import DIALECT
from schemas.orders import MoveOrder
from tests.support.builders import (
    BUYER,
    MERCHANT,
    OTHER_BUYER,
    OTHER_MERCHANT,
    STRANGER,
    Tag,
    a_rumor,
    post,
    product,
)
from tests.support.messages import fault

TO_M = ("p", MERCHANT)
ORDER = ("order", "order-1")
ORDER_TAGS: tuple[Tag, ...] = (
    TO_M,
    ("subject", "Order of tea"),
    ("type", "1"),
    ORDER,
    ("amount", "30570"),
    ("item", product(), "2"),
)


def an_order_message(*tags: Tag, without: str = "", content: str = "", author: str = BUYER) -> Said:
    """A buyer's order with these tags on top, one left out."""
    kept = tuple(tag for tag in ORDER_TAGS if tag[0] != without)
    return a_rumor(16, *kept, *tags, content=content, author=author)


def read_order(*tags: Tag, without: str = "", content: str = "") -> OrderDraft:
    """The order such a message asks for."""
    draft = DIALECT.read(an_order_message(*tags, without=without, content=content))
    assert isinstance(draft, OrderDraft)
    return draft


def status(word: str, *tags: Tag, author: str = BUYER, to: str = MERCHANT) -> Said:
    """A status message."""
    return a_rumor(16, ("p", to), ("type", "3"), ORDER, ("status", word), *tags, author=author)


@pytest.mark.req("T16A-01")
@pytest.mark.req("T16A-06")
def test_an_order_is_read_in_full() -> None:
    """Lines, wish, claim, and the personal details apart from everything else."""
    draft = read_order(
        ("shipping", post()),
        ("address", "1 Main St, Miami, FL 33101, USA"),
        ("email", "b@example.org"),
        ("phone", "+1 555"),
        content="leave at the door",
    )

    assert draft.order_id == "order-1"
    assert [(line.coordinate, line.quantity) for line in draft.lines] == [(product(), 2)]
    assert (draft.shipping, draft.claimed_sats, draft.warnings) == (post(), 30_570, ())
    assert (draft.country, draft.region) == ("US", "US-FL")
    assert draft.personal.address == "1 Main St, Miami, FL 33101, USA"
    assert (draft.personal.email, draft.personal.phone, draft.personal.note) == (
        "b@example.org",
        "+1 555",
        "leave at the door",
    )


def test_personal_details_do_not_show_in_a_repr() -> None:
    """A draft may end up in a log line."""
    draft = read_order(("address", "1 Main St"), ("email", "b@example.org"), content="my secret")

    assert not any(word in repr(draft) for word in ("Main", "example", "secret"))


@pytest.mark.req("EVT-07")
def test_the_subject_and_the_content_decide_nothing() -> None:
    """Whatever they say; tags are the message."""
    draft = read_order(("subject", "order-payment"), content='{"type": 3, "status": "completed"}', without="subject")

    assert draft.lines[0].quantity == 2


@pytest.mark.req("T16A-01")
def test_nothing_is_guessed_where_the_type_is_missing() -> None:
    """Not from the subject, not from the items."""
    assert fault(an_order_message(without="type")) is MessageFault.NO_TYPE
    for odd in ("", "0", "5", "01", "１", "order"):
        assert fault(an_order_message(("type", odd), without="type")) is MessageFault.NO_TYPE


@pytest.mark.req("ID-11")
@pytest.mark.parametrize("person", [OTHER_MERCHANT, BUYER, STRANGER, MERCHANT.upper(), "npub1xyz"])
def test_a_message_for_somebody_else_is_refused(person: str) -> None:
    """A wrap for M that says M2 makes no state for either."""
    assert fault(an_order_message(("p", person), without="p")) is MessageFault.RECIPIENT_MISMATCH


@pytest.mark.req("ID-11")
def test_a_message_for_nobody_is_refused() -> None:
    """The recipient has to be named."""
    assert fault(an_order_message(without="p")) is MessageFault.RECIPIENT_MISMATCH


@pytest.mark.req("MSG-13")
def test_a_message_to_a_room_moves_no_order() -> None:
    """Only the merchant and one buyer drive a checkout; the same key twice is one person."""
    for others in ((("p", OTHER_BUYER),), (("p", OTHER_BUYER), ("p", STRANGER))):
        assert fault(an_order_message(*others)) is MessageFault.GROUP_ORDER

    assert read_order(TO_M).order_id == "order-1"


@pytest.mark.req("T16A-02")
@pytest.mark.parametrize("order_id", [None, "", "x" * 129, "ördér", "a\nb", "\x7f", "１"])
def test_an_order_needs_a_printable_id(order_id: str | None) -> None:
    """One to 128 characters that every table and log can hold."""
    tags = () if order_id is None else (("order", order_id),)

    assert fault(an_order_message(*tags, without="order")) is MessageFault.NO_ORDER


@pytest.mark.req("T16A-02")
@pytest.mark.parametrize("order_id", ["x", "x" * 128, "a b:c/d", "'; DROP TABLE orders; --"])
def test_an_order_id_is_opaque(order_id: str) -> None:
    """Whatever is printable is a name."""
    assert read_order(("order", order_id), without="order").order_id == order_id


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("type", "3"),
        ("order", "2"),
        ("amount", "1"),
        ("shipping", post("other")),
        ("address", "elsewhere, France"),
    ],
)
def test_what_must_be_single_is_refused_when_it_is_not(name: str, other: str) -> None:
    """Two clients would read two different orders; the same value twice is one."""
    first = next((tag for tag in ORDER_TAGS if tag[0] == name), (name, post()))
    double = an_order_message(first, (name, other), without=name)
    assert fault(double) is MessageFault.AMBIGUOUS

    same = first if name != "address" else ("address", "x")
    assert read_order(same, same, without=name).order_id == "order-1"


@pytest.mark.req("T16A-03")
@pytest.mark.parametrize(
    ("amount", "claim"),
    [
        (("amount", "1"), 1),
        (("amount", "30570", "sats"), 30_570),
        (("amount", "30.57", "USD"), None),
        (("amount", "30570", "USD"), None),
        (("amount", "-1"), None),
        (("amount", "1e3"), None),
        (("amount", "１"), None),
        (("amount", str(10**30)), None),
        (("amount", ""), None),
    ],
)
def test_the_amount_is_a_claim_in_sats_or_none(amount: Tag, claim: int | None) -> None:
    """Another unit is no claim we can compare, and never a reason to refuse."""
    draft = read_order(amount, without="amount")

    assert draft.claimed_sats == claim
    assert ("bad_amount" in draft.warnings) is (claim is None)


@pytest.mark.req("T16A-04")
@pytest.mark.parametrize("quantity", ["0", "-1", "1.5", "1e3", "１", "", " 2", str(10**30), "two"])
def test_a_quantity_that_is_no_whole_number_is_read_as_nought(quantity: str) -> None:
    """Which no shop accepts: the buyer is told instead of the message vanishing."""
    assert read_order(("item", product(), quantity), without="item").lines[0].quantity == 0


@pytest.mark.req("T16A-04")
def test_lines_keep_their_order_and_a_bare_id_is_the_merchants_own() -> None:
    """An item without a quantity is one."""
    draft = read_order(("item", "cup"), ("item", product("a:b"), "3"))

    assert [(line.coordinate, line.quantity) for line in draft.lines] == [
        (product(), 2),
        (product("cup"), 1),
        (product("a:b"), 3),
    ]


@pytest.mark.req("T16A-04")
def test_another_merchants_item_is_read_as_written() -> None:
    """Turning it down is the shop's to do, with a word to the buyer."""
    theirs = f"30402:{OTHER_MERCHANT}:tea"

    assert read_order(("item", theirs, "1"), without="item").lines[0].coordinate == theirs


@pytest.mark.req("EVT-03")
@pytest.mark.parametrize(
    "item",
    [
        f"30402:{MERCHANT.upper()}:tea",
        f"30402:{MERCHANT}",
        f"030402:{MERCHANT}:tea",
        "30402:me:tea",
        f"30018:{MERCHANT}:tea",
        f" 30402:{MERCHANT}:tea",
        f"３0402:{MERCHANT}:tea",
        ":::",
    ],
)
def test_an_address_that_is_none_is_refused(item: str) -> None:
    """Other kinds, other spellings, missing parts."""
    assert fault(an_order_message(("item", item, "1"))) is MessageFault.BAD_COORD
    assert fault(an_order_message(("shipping", item))) is MessageFault.BAD_COORD


def test_an_order_has_between_one_and_a_hundred_lines() -> None:
    """Nothing that grows is without a limit."""
    assert fault(an_order_message(without="item")) is MessageFault.NO_ITEM
    assert len(read_order(*[("item", f"x{n}", "1") for n in range(99)]).lines) == 100
    assert fault(an_order_message(*[("item", f"x{n}", "1") for n in range(100)])) is MessageFault.TOO_MANY_LINES


@pytest.mark.req("T16A-05")
@pytest.mark.parametrize(
    ("tag", "warnings"),
    [
        (("shipping", post("std")), ()),
        (("shipping", "std"), ()),
        (("shipping_option", post("std")), ("alias_shipping_option",)),
        (("shipping_option", "std"), ("alias_shipping_option",)),
    ],
)
def test_the_shipping_wish_has_two_names_and_two_forms(tag: Tag, warnings: tuple[str, ...]) -> None:
    """All four are the merchant's option `std`."""
    draft = read_order(tag)

    assert (draft.shipping, draft.warnings) == (post("std"), warnings)


@pytest.mark.req("ID-07")
def test_the_buyer_is_who_signed_whatever_the_message_says() -> None:
    """Contacts and other tags name nobody."""
    said = status("cancelled", ("contact", OTHER_BUYER), ("b", OTHER_BUYER), ("buyer", OTHER_BUYER))

    move = DIALECT.read(said)
    assert isinstance(move, MoveOrder)
    assert move.order.buyer == BUYER


def test_the_merchants_own_copy_of_an_order_is_no_order() -> None:
    """M cannot order for B."""
    said = an_order_message(("p", BUYER), without="p", author=MERCHANT)

    assert fault(said) is MessageFault.NOT_ALLOWED
