"""Checks the table of limits: each row at its figure and one past it, refused as the row says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from schemas import limits
from schemas.catalogue import RecordListing
from schemas.dialects.contract import MessageRefused, OrderDraft
from schemas.dialects.gamma import DIALECT
from schemas.limits import LIMITS, Limit
from schemas.market.listing import read_listing
from schemas.market.profile import read_profile
from schemas.market.reading import unix_seconds
from schemas.market.review import read_review
from schemas.market.shipping_option import read_shipping_option
from schemas.nostr import bech32, nip01, nip59
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import EventRefused, to_json
from schemas.nostr.nip17 import inbox_relay_tags, read_inbox_relays
from schemas.nostr.nip59 import WrapRefused
from schemas.nostr.nip65 import RelayList, read_relay_list, relay_list_tags
from schemas.nostr.relay_urls import is_relay_url
from schemas.orders import MoveRefused, OrderRejected
from schemas.shops import ShopSettings
from services.following import Followed
from services.relays.frames import BadFrame, read_frame
from services.relays.urls import relays_named_by_stranger
from tests.schemas.limits_elsewhere import ELSEWHERE
from tests.schemas.nostr import given as people
from tests.schemas.nostr.test_nip59 import a_wrap_of_any_size
from tests.streams.test_reading import dated
from tests.support.builders import BUYER, MERCHANT, a_listing, a_rumor, an_event, an_order, product
from tests.support.steps import receipt
from tests.support.story import given

Probe = Callable[[int], str]
"""So many of the row's unit, sent through whoever enforces it; gives the refusal's code, nothing where it passes."""

ROOT = Path(__file__).parents[2]
FINE = ""


def framed(text: str) -> str:
    """What a relay's frame is refused with."""
    return limits.CHALLENGE.refused if isinstance(read_frame(text.encode()), BadFrame) else FINE


def frame_parts(count: int) -> str:
    """A frame of so many parts."""
    return framed('["NOTICE","hello"' + ",0" * (count - 2) + "]")


def challenge(count: int) -> str:
    """A challenge of so many characters."""
    return framed(f'["AUTH","{"x" * count}"]')


def shipped(tag: str, count: int, limit: Limit) -> str:
    """The merchant's own word on a parcel with a text of so many characters."""
    tags = (("p", BUYER), ("type", "4"), ("order", "1"), ("status", "shipped"), (tag, "x" * count))
    reading = DIALECT.read(a_rumor(Kind.ORDER, *tags, author=MERCHANT))
    kept = getattr(reading, tag)
    assert len(kept) == min(count, limit.most)
    return FINE if len(kept) == count else limit.refused


def reviewers(count: int) -> str:
    """So many reviewers, each met once."""
    followed = Followed()
    for number in range(count):
        followed.learn_reviewer(f"{number:064x}")
    assert len(followed.reviewers) <= limits.REVIEWERS.most
    return FINE if f"{0:064x}" in followed.reviewers else limits.REVIEWERS.refused


def event_of(text: bytes) -> str:
    """What a stranger's text is refused with."""
    try:
        nip01.parse_event(text)
    except EventRefused as refused:
        return refused.reason.value
    return FINE


def event_bytes(count: int) -> str:
    """An event padded with blanks."""
    return event_of(to_json(people.an_event()).encode().ljust(count))


def json_depth(count: int) -> str:
    """An event with a field nobody knows, nested so deep in all."""
    nested = "[" * (count - 1) + "]" * (count - 1)
    return event_of(to_json(people.an_event()).replace("{", '{"x":' + nested + ",", 1).encode())


def event_tags(count: int) -> str:
    """An event with so many tags."""
    return event_of(
        to_json(people.an_event()).replace('[["t","tea"]]', "[" + ",".join(['["t"]'] * count) + "]").encode()
    )


def tag_elements(count: int) -> str:
    """A tag with so many elements."""
    return event_of(to_json(people.an_event()).replace('["t","tea"]', "[" + ",".join(['"t"'] * count) + "]").encode())


def opened(wrap: nip01.Event) -> str:
    """What a wrap is refused with."""
    try:
        nip59.open_wrap(wrap, people.MERCHANT)
    except WrapRefused as refused:
        return refused.reason.value
    return FINE


def wrap_tags(count: int) -> str:
    """A wrap with so many tags, one of them the recipient's."""
    fields = people.as_rumor_fields(people.an_order())
    seal_text = orjson.dumps(people.a_seal(orjson.dumps(fields).decode())).decode()
    tags = (("p", people.MERCHANT.public_key), *((("x", "y"),) * (count - 1)))
    return opened(people.a_wrap(seal_text, tags=tags))


def rumor_in(count: int) -> str:
    """A rumor whose text has so many bytes."""
    text = orjson.dumps(people.as_rumor_fields(people.an_order())).decode()
    return opened(a_wrap_of_any_size(text.ljust(count)))


def rumor_out(count: int) -> str:
    """A rumor of ours of so many bytes."""
    room = count - len(orjson.dumps(people.an_order(people.MERCHANT).model_dump(mode="json")))
    rumor = people.an_order(people.MERCHANT, content="x" * room)
    try:
        nip59.make_wrap(rumor, people.MERCHANT, people.BUYER.public_key, "effect")
    except ValueError:
        return limits.RUMOR_OUT.refused
    return FINE


def said(*tags: tuple[str, ...]) -> str:
    """What an order with these tags is refused with."""
    try:
        DIALECT.read(a_rumor(Kind.ORDER, ("p", MERCHANT), ("type", "1"), *tags))
    except MessageRefused as refused:
        return refused.reason.value
    return FINE


def order_id(count: int) -> str:
    """An order id of so many characters."""
    return said(("order", "x" * count), ("item", product()))


def lines(count: int) -> str:
    """An order of so many different listings."""
    code = said(("order", "1"), *(("item", product(f"d{n}")) for n in range(count)))
    return limits.LINES.refused if code == "no_item" else code


def quantity(count: int) -> str:
    """An order of so many of one listing."""
    story = given(RecordListing(listing=a_listing())).when(an_order(("tea", count)))
    rejected = [event for event in story.events if isinstance(event, OrderRejected)]
    return rejected[0].findings[0].refusal.value if rejected else FINE


def foreign_relays(count: int) -> str:
    """Lists of so many relays; each reader of them keeps no more than the figure."""
    urls = [f"wss://r{n}.example.com" for n in range(count)]
    inbox = read_inbox_relays(an_event(Kind.INBOX_RELAYS, *inbox_relay_tags(urls)))
    listed = read_relay_list(an_event(Kind.RELAY_LIST, *relay_list_tags(RelayList(tuple(urls), tuple(urls)))))
    kept = {len(inbox), len(listed.read), len(listed.write), len(relays_named_by_stranger(urls))}
    assert len(kept) == 1
    return FINE if kept == {count} else limits.FOREIGN_RELAYS.refused


def relay_url(count: int) -> str:
    """An address of so many characters."""
    url = "wss://r.example.com/".ljust(count, "x") if count else ""
    return FINE if is_relay_url(url) and len(url) == count else limits.RELAY_URL.refused


def parked(count: int) -> str:
    """So many messages for an order that has not come."""
    trusting = ShopSettings().without_limits()
    story = given()
    story.shop.settings = trusting
    for number in range(count):
        story.when(receipt(rumor=str(number)))
    return next((event.reason for event in story.events if isinstance(event, MoveRefused)), FINE)


def warnings_of(limit: Limit, found: tuple[str, ...], code: str) -> str:
    """A row's refusal where a reader left this warning."""
    return limit.refused if code in found else FINE


def stock(count: int) -> str:
    """A listing with such a stock."""
    tags = (("d", "x"), ("title", "X"), ("price", "1", "SATS"), ("stock", str(count)))
    return warnings_of(limits.STOCK, read_listing(an_event(Kind.PRODUCT, *tags)).warnings, "bad_stock")


def title(count: int) -> str:
    """A listing and an option with a title of so many characters."""
    tags = (("d", "x"), ("title", "x" * count), ("price", "1", "SATS"))
    listing = read_listing(an_event(Kind.PRODUCT, *tags))
    option = read_shipping_option(an_event(Kind.SHIPPING_OPTION, *tags))
    assert len(listing.title) == len(option.title) == min(count, limits.TITLE.most)
    assert ("title", "x" * count) in listing.template.tags, "what is published again is whole"
    assert ("title_cut" in listing.warnings) == ("title_cut" in option.warnings)
    return warnings_of(limits.TITLE, listing.warnings, "title_cut")


def place(count: int) -> str:
    """A listing in a place of so many characters."""
    tags = (("d", "x"), ("title", "X"), ("price", "1", "SATS"), ("location", "x" * count))
    listing = read_listing(an_event(Kind.PRODUCT, *tags))
    assert len(listing.location or "") == min(count, limits.PLACE.most)
    return warnings_of(limits.PLACE, listing.warnings, "location_cut")


def ordered(tag: str, value: str) -> OrderDraft:
    """What an order with one more tag says."""
    tags = (("p", MERCHANT), ("type", "1"), ("order", "1"), ("item", product()), (tag, value))
    draft = DIALECT.read(a_rumor(Kind.ORDER, *tags))
    assert isinstance(draft, OrderDraft)
    return draft


def destination_cell(count: int) -> str:
    """An order that names a geohash of so many characters."""
    return FINE if len(ordered("g", "u" * count).geohash or "") == count else limits.DESTINATION_CELL.refused


def coupon(count: int) -> str:
    """An order with a coupon of so many characters."""
    return warnings_of(limits.COUPON, ordered("coupon", "x" * count).warnings, "bad_coupon")


def rules(count: int, **rule: str) -> str:
    """Settings with so many of a shop's rules: coupons where they have a code, else taxes."""
    try:
        ShopSettings.model_validate({"coupons" if "code" in rule else "taxes": [{"percent": "1", **rule}] * count})
    except ValueError:
        return limits.TAXES.refused
    return FINE


def categories(count: int) -> str:
    """A review of so many categories."""
    ratings = (("rating", "1", "thumb"), *(("rating", "1", f"c{n}") for n in range(count)))
    found = read_review(an_event(Kind.REVIEW, ("d", f"a:{product()}"), *ratings)).warnings
    return limits.REVIEW_CATEGORIES.refused if "category_dropped" in found else FINE


def denied(count: int) -> str:
    """Settings that decline so many buyers."""
    try:
        ShopSettings(denied=tuple(f"{n:064x}" for n in range(count)))
    except ValueError:
        return limits.DENIED.refused
    return FINE


def lightning_address(count: int) -> str:
    """A profile whose address has so many characters."""
    host = ".".join(["x" * 60] * 3 + ["x" * 10])
    address = f"{'a' * (count - len(host) - 1)}@{host}"
    warned = read_profile(an_event(Kind.METADATA, content=json.dumps({"lud16": address}))).warnings
    return limits.LIGHTNING_ADDRESS.refused if warned == ("bad_lud16",) else FINE


def lnurl(count: int) -> str:
    """A profile whose lnurl has so many characters."""
    text = next(text for size in range(count // 2, count) if len(text := bech32.encode("lnurl", b"x" * size)) >= count)
    warned = read_profile(an_event(Kind.METADATA, content=json.dumps({"lud06": text}))).warnings
    return limits.LNURL.refused if warned == ("bad_lud06",) else FINE


PROBES: dict[str, Probe] = {
    limits.FRAME_PARTS.what: frame_parts,
    limits.CHALLENGE.what: challenge,
    limits.EVENT.what: event_bytes,
    limits.JSON_DEPTH.what: json_depth,
    limits.EVENT_TAGS.what: event_tags,
    limits.TAG_ELEMENTS.what: tag_elements,
    limits.WRAP_TAGS.what: wrap_tags,
    limits.RUMOR_IN.what: rumor_in,
    limits.RUMOR_OUT.what: rumor_out,
    limits.ORDER_ID.what: order_id,
    limits.LINES.what: lines,
    limits.QUANTITY.what: quantity,
    limits.RUMOR_AGE.what: lambda seconds: dated(-seconds),
    limits.FUTURE.what: dated,
    limits.FOREIGN_RELAYS.what: foreign_relays,
    limits.RELAY_URL.what: relay_url,
    limits.TRACKING.what: lambda count: shipped("tracking", count, limits.TRACKING),
    limits.CARRIER.what: lambda count: shipped("carrier", count, limits.CARRIER),
    limits.REVIEWERS.what: reviewers,
    limits.PARKED.what: parked,
    limits.STOCK.what: stock,
    limits.TITLE.what: title,
    limits.PLACE.what: place,
    limits.DESTINATION_CELL.what: destination_cell,
    limits.COUPON.what: coupon,
    limits.TAXES.what: rules,
    limits.COUPONS.what: lambda count: rules(count, code="x"),
    limits.REVIEW_CATEGORIES.what: categories,
    limits.TIME.what: lambda count: FINE if unix_seconds(str(count)) == count else limits.TIME.refused,
    limits.DENIED.what: denied,
    limits.LIGHTNING_ADDRESS.what: lightning_address,
    limits.LNURL.what: lnurl,
}


@pytest.mark.parametrize("limit", [row for row in LIMITS if row.what in PROBES], ids=lambda row: row.what)
def test_what_is_at_the_limit_passes_and_one_more_is_refused_as_the_table_says(limit: Limit) -> None:
    """And one less than the least, where there is one."""
    probe = PROBES[limit.what]

    assert probe(limit.most) == FINE
    assert probe(limit.most + 1) == limit.refused
    if limit.least:
        assert probe(limit.least) == FINE
        assert probe(limit.least - 1) == limit.refused


def test_every_row_is_tested_here_or_beside_its_code() -> None:
    """A limit without a test of its own is a wish."""
    assert PROBES.keys().isdisjoint(ELSEWHERE)
    assert {row.what for row in LIMITS} == PROBES.keys() | ELSEWHERE.keys()
    for place in ELSEWHERE.values():
        path, _, words = place.partition("::")
        assert words in (ROOT / path).read_text(), place


def test_every_row_of_the_module_is_in_the_table_and_says_where_it_comes_from() -> None:
    """Each once, with a source and what refuses it."""
    assert tuple(value for value in vars(limits).values() if isinstance(value, Limit)) == LIMITS
    assert len({row.what for row in LIMITS}) == len(LIMITS)
    for row in LIMITS:
        assert all((row.source, row.refused, row.unit)), row.what
        assert row.most >= row.least >= 0, row.what


def test_codes_that_refuse_are_explained_to_operators() -> None:
    """Those that look like codes stand in the glossary or are warnings."""
    glossary = (ROOT / "docs" / "glossary.md").read_text()

    for row in LIMITS:
        if re.fullmatch(r"[a-z]+(_[a-z]+)+", row.refused):
            assert f"| `{row.refused}` |" in glossary, row.refused


def test_what_a_merchant_may_set_is_a_setting_with_the_rows_figure_as_its_default() -> None:
    """The table and the contract cannot drift apart."""
    defaults = set(ShopSettings().model_dump(exclude={"denied"}).values())

    assert {row.most for row in LIMITS if row.is_setting} <= defaults


@pytest.mark.req("SHP-08")
def test_an_address_is_searched_so_far_and_no_further() -> None:
    """A country at the figure's end is found; beyond it nobody looks."""

    at_the_end, past_it = ("x" * (limits.ADDRESS.most - count) + "\nDE" for count in (3, 2))

    assert ordered("address", at_the_end).country == "DE"
    assert ordered("address", past_it).country is None
