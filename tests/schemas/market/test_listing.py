"""Checks how product listings are read, rule by rule, and re-published (market spec §3, requirements 4.1)."""

from decimal import Decimal

import pytest

from schemas.catalogue import Format, Listing, Structure, Visibility
from schemas.market.listing import STOCK_MAX, read_listing, with_stock
from schemas.market.reading import MarketFault, MarketRefused
from schemas.nostr.nip01 import event_id
from tests.support.builders import MERCHANT, NOW_S, Tag, an_event, post

BASE: tuple[Tag, ...] = (("d", "tea"), ("title", "Tea"), ("price", "10.99", "EUR"))


def read(*tags: Tag, base: tuple[Tag, ...] = BASE, content: str = "") -> Listing:
    """A listing with these tags on top of the required three."""
    return read_listing(an_event(30402, *base, *tags, content=content))


def fault(*tags: Tag) -> MarketFault:
    """Why an event with exactly these tags is no listing."""
    with pytest.raises(MarketRefused) as caught:
        read_listing(an_event(30402, *tags))
    return caught.value.reason


def test_the_smallest_listing_is_simple_digital_on_sale_and_untracked() -> None:
    """Three tags and the market spec's defaults."""
    listing = read()

    assert listing.coordinate == f"30402:{MERCHANT}:tea"
    assert (listing.structure, listing.format, listing.visibility) == (
        Structure.SIMPLE,
        Format.DIGITAL,
        Visibility.ON_SALE,
    )
    assert (listing.stock, listing.weight_g, listing.shipping, listing.warnings) == (None, None, (), ())
    assert (listing.price.amount, listing.price.currency) == (Decimal("10.99"), "EUR")
    assert listing.created_at == NOW_S


@pytest.mark.req("T402-01")
@pytest.mark.req("EVT-07")
def test_the_description_is_kept_to_the_byte_and_never_drives_commerce() -> None:
    """A content that names a price changes none."""
    text = "# now 1 USD\n\n* [x](y) \t <b>stock 5</b>  \u2028🍵"
    listing = read(content=text)

    assert listing.template.content == text
    assert (listing.price.amount, listing.stock) == (Decimal("10.99"), None)


@pytest.mark.req("T402-02")
@pytest.mark.parametrize("d", [(), (("d",),), (("d", ""),)])
def test_a_listing_without_an_id_is_refused(d: tuple[Tag, ...]) -> None:
    """There would be nothing to order."""
    assert fault(*d, *BASE[1:]) is MarketFault.NO_D


@pytest.mark.req("T402-02")
def test_the_first_id_counts() -> None:
    """As relays take it (NIP-01)."""
    assert read(("d", "other")).coordinate.endswith(":tea")


@pytest.mark.parametrize("d", ["a:b", "🍵", " ", "30402:x:y"])
def test_an_id_may_hold_any_text(d: str) -> None:
    """The address splits at its first two colons only."""
    assert read(base=(("d", d), *BASE[1:])).coordinate == f"30402:{MERCHANT}:{d}"


@pytest.mark.req("T402-03")
@pytest.mark.parametrize("title", [(), (("title", ""),), (("title", " \n"),)])
def test_a_listing_without_a_title_is_refused(title: tuple[Tag, ...]) -> None:
    """Blank is missing."""
    assert fault(BASE[0], *title, BASE[2]) is MarketFault.NO_TITLE


@pytest.mark.req("T402-04")
@pytest.mark.req("EVT-04")
@pytest.mark.parametrize(
    "amount",
    [
        "",
        " ",
        "-1",
        "+1",
        "1e3",
        "1E3",
        "1,5",
        "1 000",
        "1_000",
        "NaN",
        "Infinity",
        ".5",
        "5.",
        "1.2.3",
        "0x10",
        "१०",
        "１０",
        "⑩",
        "1" + "0" * 30,
        "0." + "1" * 19,
        "9" * 19,
        "10 EUR",
    ],
)
def test_an_amount_that_is_no_plain_decimal_is_no_price(amount: str) -> None:
    """No sign, exponent, comma, other script, NaN, nor more than 18 digits."""
    assert fault(*BASE[:2], ("price", amount, "EUR")) is MarketFault.NO_PRICE


@pytest.mark.req("EVT-04")
@pytest.mark.parametrize("amount", ["0", "10.99", "007.50", "999999999999999999", "0.00000001", " 5 "])
def test_a_plain_decimal_is_read_exactly(amount: str) -> None:
    """Free is a price; blanks around it do no harm."""
    assert read(base=(*BASE[:2], ("price", amount, "USD"))).price.amount == Decimal(amount.strip())


@pytest.mark.parametrize(
    "price", [(), (("price",),), (("price", "10"),), (("price", "10", ""),), (("price", "10", "€"),)]
)
@pytest.mark.req("T402-04")
def test_a_price_needs_an_amount_and_a_currency_code(price: tuple[Tag, ...]) -> None:
    """A number alone is not money."""
    assert fault(*BASE[:2], *price) is MarketFault.NO_PRICE


@pytest.mark.req("EVT-05")
@pytest.mark.parametrize(("written", "code"), [("sats", "SATS"), ("BTC", "BTC"), ("usd", "USD"), ("XYZ", "XYZ")])
def test_a_currency_may_be_in_any_letter_case_and_unknown(written: str, code: str) -> None:
    """Whether it can be priced is asked when somebody orders."""
    assert read(base=(*BASE[:2], ("price", "1", written))).price.currency == code


@pytest.mark.req("T402-04")
def test_the_first_of_several_prices_counts_with_a_warning() -> None:
    """Never the cheapest, never the last."""
    listing = read(("price", "1", "USD"))

    assert (listing.price.amount, listing.warnings) == (Decimal("10.99"), ("several_prices",))


@pytest.mark.req("T402-04")
@pytest.mark.parametrize(
    ("written", "frequency", "warnings"),
    [
        ("month", "M", ()),
        ("Monthly", "M", ()),
        ("M", "M", ()),
        ("P1M", "M", ()),
        ("PT1H", "H", ()),
        ("d", "D", ()),
        ("P1W", "W", ()),
        ("year", "Y", ()),
        (" ", None, ()),
        ("fortnight", "fortnight", ("unknown_frequency",)),
        ("P2M", "P2M", ("unknown_frequency",)),
    ],
)
def test_a_frequency_has_many_spellings_and_five_meanings(
    written: str, frequency: str | None, warnings: tuple[str, ...]
) -> None:
    """A-43: letters, ISO durations and nouns; another is kept as it is, with a warning."""
    listing = read(base=(*BASE[:2], ("price", "15", "EUR", written)))

    assert (listing.price.frequency, listing.warnings) == (frequency, warnings)


@pytest.mark.req("T402-05")
@pytest.mark.parametrize(
    ("tag", "structure", "format_", "warnings"),
    [
        (("type", "variable", "physical"), Structure.VARIABLE, Format.PHYSICAL, ()),
        (("type", "Variable", "DIGITAL"), Structure.VARIABLE, Format.DIGITAL, ()),
        (("type", "simple"), Structure.SIMPLE, Format.DIGITAL, ()),
        (("type", "bundle", "digital"), Structure.SIMPLE, Format.DIGITAL, ("unknown_type",)),
        (("type", "simple", "solid"), Structure.SIMPLE, Format.DIGITAL, ()),
        (("type",), Structure.SIMPLE, Format.DIGITAL, ()),
    ],
)
def test_type_has_a_default_for_each_of_its_two_fields(
    tag: Tag, structure: Structure, format_: Format, warnings: tuple[str, ...]
) -> None:
    """simple and digital, whatever else is there."""
    listing = read(tag)

    assert (listing.structure, listing.format, listing.warnings) == (structure, format_, warnings)


@pytest.mark.req("T402-05")
@pytest.mark.parametrize(
    "evidence",
    [("weight", "400", "g"), ("dim", "1x1x1", "cm"), ("shipping_option", post()), ("shipping", "std")],
)
def test_physical_evidence_beats_a_missing_format_but_not_a_written_one(evidence: Tag) -> None:
    """A-05: what weighs something is not sent by mail, unless its seller says so."""
    listing = read(("type", "simple"), evidence)

    assert listing.format is Format.PHYSICAL
    assert "format_assumed_physical" in listing.warnings
    assert read(("type", "simple", "digital"), evidence).format is Format.DIGITAL


@pytest.mark.req("T402-06")
@pytest.mark.parametrize(
    ("text", "visibility", "warned"),
    [
        ("hidden", Visibility.HIDDEN, False),
        ("on-sale", Visibility.ON_SALE, False),
        ("pre-order", Visibility.PRE_ORDER, False),
        ("sold", Visibility.HIDDEN, True),
        ("On-Sale", Visibility.HIDDEN, True),
        ("", Visibility.ON_SALE, False),
    ],
)
def test_an_unknown_visibility_hides(text: str, visibility: Visibility, warned: bool) -> None:
    """Rather hidden by mistake than sold by mistake."""
    listing = read(("visibility", text))

    assert listing.visibility is visibility
    assert ("unknown_visibility" in listing.warnings) is warned


@pytest.mark.req("T402-07")
@pytest.mark.parametrize(
    ("text", "stock", "warnings"),
    [
        ("0", 0, ()),
        ("5", 5, ()),
        (" 5 ", 5, ()),
        (str(STOCK_MAX), STOCK_MAX, ()),
        ("-1", 0, ("bad_stock",)),
        ("1.5", 0, ("bad_stock",)),
        ("1e3", 0, ("bad_stock",)),
        ("５", 0, ("bad_stock",)),
        ("many", 0, ("bad_stock",)),
        (str(10**30), 0, ("bad_stock",)),
    ],
)
def test_a_stock_that_is_no_number_sells_nothing(text: str, stock: int, warnings: tuple[str, ...]) -> None:
    """Untracked is only what says nothing at all."""
    listing = read(("stock", text))

    assert (listing.stock, listing.warnings) == (stock, warnings)


@pytest.mark.req("T402-10")
@pytest.mark.parametrize(
    ("value", "unit", "grams"),
    [
        ("0.4", "kg", "400"),
        ("10", "lb", "4535.9237"),
        ("1", "OZ", "28.349523125"),
        ("5", "mg", "0.005"),
        ("2", "t", "2000000"),
    ],
)
def test_weights_are_exact_in_grams(value: str, unit: str, grams: str) -> None:
    """By definition of the unit."""
    assert read(("weight", value, unit)).weight_g == Decimal(grams)


@pytest.mark.parametrize(
    "tag", [("weight", "5", "stone"), ("weight", "-5", "g"), ("weight", "0", "g"), ("weight", "5")]
)
def test_a_weight_that_cannot_be_used_is_warned_of(tag: Tag) -> None:
    """And the listing stands."""
    listing = read(tag)

    assert listing.weight_g is None
    assert "bad_weight" in listing.warnings


@pytest.mark.req("T402-15")
def test_shipping_references_carry_their_extra_cost_once_each() -> None:
    """The same option twice is offered once, with the first extra."""
    listing = read(
        ("shipping_option", post("a"), "1.50"),
        ("shipping_option", post("b")),
        ("shipping_option", post("a"), "9"),
    )

    assert [(ref.coordinate, ref.extra) for ref in listing.shipping] == [
        (post("a"), Decimal("1.50")),
        (post("b"), Decimal(0)),
    ]


@pytest.mark.req("T402-15")
def test_a_bare_id_under_the_old_name_is_the_authors_own_option() -> None:
    """`["shipping", "std"]` of the early protocol, with a warning."""
    listing = read(("shipping", "std"))

    assert [ref.coordinate for ref in listing.shipping] == [post("std")]
    assert "alias_shipping" in listing.warnings


@pytest.mark.parametrize(
    ("tag", "warning"),
    [
        (("shipping_option", "30406:me:std"), "bad_shipping_option"),
        (("shipping_option", post().upper()), "bad_shipping_option"),
        (("shipping_option", post(), "-1"), "bad_extra_cost"),
        (("shipping_option", post(), "1e3"), "bad_extra_cost"),
    ],
)
def test_a_broken_reference_is_not_offered(tag: Tag, warning: str) -> None:
    """A negative extra would be a discount nobody gave."""
    listing = read(tag)

    assert listing.shipping == ()
    assert warning in listing.warnings


@pytest.mark.req("T402-16")
def test_sold_expired_and_quantity_are_read() -> None:
    """NIP-99 and NIP-40 words beside the market spec's."""
    listing = read(("status", "sold"), ("expiration", "1700000100"), ("quantity", "4"))

    assert (listing.sold, listing.expires_at, listing.stock) == (True, 1_700_000_100, 4)
    assert listing.warnings == ("stock_from_quantity",)
    assert read(("status", "active")).sold is False
    assert read(("stock", "2"), ("quantity", "4")).stock == 2


@pytest.mark.req("EVT-06")
@pytest.mark.parametrize("time", ["1700000000000", "soon", "-5", "1.7e9"])
def test_a_time_that_is_not_in_unix_seconds_is_dropped_with_a_warning(time: str) -> None:
    """Milliseconds are rejected, not divided."""
    listing = read(("expiration", time))

    assert (listing.expires_at, listing.warnings) == (None, ("bad_expiration",))


@pytest.mark.req("EVT-01")
def test_unknown_tags_and_extra_elements_do_no_harm_and_stay() -> None:
    """They come back in the next version of the listing."""
    extra: tuple[Tag, ...] = (("x-foo", "1"), ("content-warning",), ("t", "Food", "extra"))
    listing = read(*extra)

    assert listing.template.tags == (*BASE, *extra)
    assert listing.warnings == ()


@pytest.mark.req("T402-15")
@pytest.mark.parametrize(
    ("word", "physical"), [("Added Cost", True), ("Free", True), ("Free/Pickup", True), ("N/A", False)]
)
def test_a_shipping_price_in_the_listing_itself_is_no_reference(word: str, physical: bool) -> None:
    """Four elements under the old name, as Shopstr writes them: nobody publishes an option called "Free"."""
    listing = read(("shipping", word, "5", "USD"))

    assert listing.shipping == ()
    assert "inline_shipping" in listing.warnings
    assert (listing.format is Format.PHYSICAL) is physical


@pytest.mark.req("EVT-01")
@pytest.mark.req("INV-03")
def test_a_new_stock_changes_the_stock_tag_alone_and_the_id_fits() -> None:
    """Extra elements of the stock tag stay too; the id is the hash of what will be signed."""
    old = read(("client", "x"), ("stock", "5", "pcs", "more"), ("zap", "y"))

    new = with_stock(old, MERCHANT, 3, NOW_S + 1)

    assert new.template.tags == (*BASE, ("client", "x"), ("stock", "3", "pcs", "more"), ("zap", "y"))
    assert (new.template.content, new.template.kind) == (old.template.content, 30402)
    assert new.event_id == event_id(MERCHANT, NOW_S + 1, 30402, new.template.tags, "")
    again = read_listing(an_event(30402, *new.template.tags, at=NOW_S + 1))
    assert again == new.model_copy(update={"warnings": again.warnings})


def test_a_quantity_that_stood_for_the_stock_is_what_is_changed() -> None:
    """No stock tag is added beside it."""
    new = with_stock(read(("quantity", "5")), MERCHANT, 4, NOW_S + 1)

    assert [tag for tag in new.template.tags if tag[0] in ("stock", "quantity")] == [("quantity", "4")]


def test_refusals_quote_nothing_the_author_wrote() -> None:
    """Logs stay clean of strangers' text."""
    with pytest.raises(MarketRefused) as caught:
        read_listing(an_event(30402, *BASE[:2], ("price", "<script>", "EUR")))
    assert "<script>" not in str(caught.value)
