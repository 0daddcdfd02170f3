"""Checks how shipping options are read, rule by rule (market spec §3, requirements 4.3)."""

from decimal import Decimal

import pytest

from schemas.catalogue import ShippingOption
from schemas.market.reading import MarketFault, MarketRefused
from schemas.market.shipping_option import read_shipping_option
from tests.support.builders import CARRIER, MERCHANT, NOW_S, Tag, an_event

BASE: tuple[Tag, ...] = (
    ("d", "std"),
    ("title", "Standard"),
    ("price", "5.99", "USD"),
    ("country", "US"),
    ("service", "standard"),
)


def read(*tags: Tag, without: tuple[str, ...] = (), author: str = MERCHANT) -> ShippingOption:
    """An option with these tags instead of the required ones left out."""
    kept = tuple(tag for tag in BASE if tag[0] not in without)
    return read_shipping_option(an_event(30406, *kept, *tags, author=author))


def fault(*tags: Tag) -> MarketFault:
    """Why an event with exactly these tags is no option."""
    with pytest.raises(MarketRefused) as caught:
        read_shipping_option(an_event(30406, *tags))
    return caught.value.reason


def test_the_market_specs_own_pickup_is_read() -> None:
    """Downtown Store Pickup, as the spec prints it."""
    option = read_shipping_option(
        an_event(
            30406,
            ("d", "downtown-pickup"),
            ("title", "Downtown Store Pickup"),
            ("price", "0", "USD"),
            ("country", "US"),
            ("region", "US-FL"),
            ("service", "pickup"),
            ("location", "123 Main St, Downtown, FL"),
            ("g", "dhwm9c4ws"),
        )
    )

    assert option.is_pickup
    assert (option.base.amount, option.countries, option.regions) == (Decimal(0), ("US",), ("US-FL",))
    assert (option.location, option.geohash) == ("123 Main St, Downtown, FL", "dhwm9c4ws")
    assert (option.warnings, option.unsupported) == ((), ())


@pytest.mark.req("T406-06")
@pytest.mark.req("T406-09")
def test_the_market_specs_standard_shipping_is_read_whole() -> None:
    """As the spec prints it, with a carrier."""
    option = read(
        ("region", "US-FL"),
        ("duration", "24", "72", "H"),
        ("carrier", "Post"),
        ("weight-max", "30", "kg"),
        ("dim-max", "120x60x60", "cm"),
        ("price-weight", "0.75", "USD", "kg"),
    )

    assert option.weight_max_g == 30_000
    assert option.per_weight is not None
    assert option.sides_max_cm == (60, 60, 120)
    assert (option.duration_min_h, option.duration_max_h, option.carrier) == (24, 72, "Post")
    assert (option.unsupported, option.warnings) == ((), ())
    assert option.created_at == NOW_S


def test_a_carriers_option_is_under_the_carriers_address() -> None:
    """Third parties publish options too."""
    assert read(author=CARRIER).coordinate == f"30406:{CARRIER}:std"


@pytest.mark.req("T406-01")
def test_the_old_name_for_a_title_is_read_with_a_warning() -> None:
    """`name`, of the early protocol; `title` wins where both are there."""
    option = read(("name", "Old"), without=("title",))
    assert (option.title, option.warnings) == ("Old", ("alias_name",))

    assert read(("name", "Old")).title == "Standard"


@pytest.mark.req("T406-01")
def test_an_event_with_neither_title_nor_price_uses_the_kind_for_something_else() -> None:
    """Another client's encrypted thing, not a broken option."""
    assert fault(("d", "x"), ("order", "1")) is MarketFault.FOREIGN_SHAPE


@pytest.mark.parametrize(
    ("missing", "reason"),
    [("d", MarketFault.NO_D), ("title", MarketFault.NO_TITLE), ("price", MarketFault.NO_PRICE)],
)
@pytest.mark.req("T406-02")
def test_what_is_required_is_required(missing: str, reason: MarketFault) -> None:
    """Each with its own code."""
    assert fault(*(tag for tag in BASE if tag[0] != missing)) is reason


@pytest.mark.req("T406-02")
@pytest.mark.parametrize(
    "price", [("price", "-1", "USD"), ("price", "1e3", "USD"), ("price", "5"), ("price", "5", "$")]
)
def test_a_base_cost_is_an_exact_decimal_with_a_currency(price: Tag) -> None:
    """As for listings."""
    assert fault(BASE[0], BASE[1], price) is MarketFault.NO_PRICE


@pytest.mark.req("T406-03")
@pytest.mark.parametrize(
    ("tags", "countries", "warnings"),
    [
        ((("country", "US", "CA"),), ("US", "CA"), ()),
        ((("country", "us"), ("country", "ca", "US")), ("US", "CA"), ()),
        ((("zone", "US"), ("zone", "CA")), ("US", "CA"), ("alias_zone",)),
        ((("country", "DEU"),), ("DE",), ("country_mapped",)),
        ((("country", "Germany"),), ("DE",), ("country_mapped",)),
        ((("country", "Atlantis"),), ("ATLANTIS",), ("unknown_country",)),
        ((("country", "276"),), ("276",), ("unknown_country",)),
        ((), (), ("no_country_world_wide",)),
    ],
)
def test_countries_are_a_union_of_codes(
    tags: tuple[Tag, ...], countries: tuple[str, ...], warnings: tuple[str, ...]
) -> None:
    """One tag or many, old name or new; none is world-wide; an unknown one serves nobody, not everybody."""
    option = read(*tags, without=("country",))

    assert (option.countries, option.warnings) == (countries, warnings)


@pytest.mark.req("T406-04")
@pytest.mark.parametrize("region", ["CA-ON", "FL", "ES"])
def test_a_region_outside_the_countries_is_warned_of(region: str) -> None:
    """It narrows nothing, and its writer meant something."""
    assert "region_outside_countries" in read(("region", region)).warnings


def test_regions_are_read_from_one_tag_or_many_in_upper_case() -> None:
    """As countries are."""
    option = read(("region", "us-fl", "US-GA"), ("region", "US-AL"))

    assert option.regions == ("US-FL", "US-GA", "US-AL")
    assert option.warnings == ()


@pytest.mark.req("T406-05")
def test_a_missing_service_is_standard_with_a_warning_and_another_is_kept() -> None:
    """Custom text is nobody's to correct."""
    option = read(without=("service",))
    assert (option.service, option.warnings) == ("standard", ("service_assumed_standard",))

    assert read(("service", "pigeon"), without=("service",)).service == "pigeon"


@pytest.mark.req("T406-08")
@pytest.mark.parametrize(
    ("tag", "low", "high"),
    [
        (("weight-min", "1", "kg"), 1_000, None),
        (("weight-max", "10", "lb"), None, Decimal("4535.9237")),
        (("weight-min", "0", "kg"), 0, None),
    ],
)
def test_weight_bounds_are_exact_and_nought_is_one(tag: Tag, low: object, high: object) -> None:
    """From nothing up is a bound that many write."""
    option = read(tag)

    assert (option.weight_min_g, option.weight_max_g, option.unsupported) == (low, high, ())


@pytest.mark.req("T406-10")
@pytest.mark.parametrize(
    ("tag", "currency", "unit_g"),
    [
        (("price-weight", "0.75", "USD", "kg"), "USD", 1000),
        (("price-weight", "0.75", "kg"), "USD", 1000),
        (("price-weight", "0.75", "eur", "g"), "EUR", 1),
    ],
)
def test_a_price_by_weight_has_two_or_three_values(tag: Tag, currency: str, unit_g: int) -> None:
    """A-08: the spec's text and its sample differ; both mean the same."""
    price = read(tag).per_weight

    assert price is not None
    assert (price.amount, price.currency, price.unit_g) == (Decimal("0.75"), currency, Decimal(unit_g))


@pytest.mark.req("T406-10")
@pytest.mark.parametrize(
    ("tag", "unit"),
    [
        (("price-volume", "2", "l"), 1_000),
        (("price-volume", "2", "USD", "l"), 1_000),
        (("price-volume", "2", "cm"), 1),
        (("price-volume", "2", "m3"), 1_000_000),
        (("price-distance", "2", "km"), 1_000),
        (("price-distance", "2", "USD", "mi"), Decimal("1609.344")),
    ],
)
def test_prices_by_volume_and_distance_are_read_like_the_one_by_weight(tag: Tag, unit: object) -> None:
    """With their own currency or the option's."""
    option = read(tag)
    price = option.per_volume or option.per_distance

    assert price is not None
    assert (price.amount, price.currency) == (Decimal(2), "USD")
    assert (getattr(price, "unit_cm3", None) or getattr(price, "unit_m", None)) == unit
    assert option.unsupported == ()


@pytest.mark.req("T406-09")
def test_bounds_of_size_are_read_in_either_form() -> None:
    """Three values in one, or in three."""
    for tag in (("dim-max", "120x60x60", "cm"), ("dim-max", "120", "60", "60", "cm")):
        assert read(tag).sides_max_cm == (60, 60, 120)
    assert read(("dim-min", "1x2x3", "in")).sides_min_cm == tuple(map(Decimal, ("2.54", "5.08", "7.62")))


@pytest.mark.req("T406-06")
@pytest.mark.parametrize(
    ("tag", "hours"),
    [
        (("duration", "24", "72"), (24, 72)),
        (("duration", "24", "72", ""), (24, 72)),
        (("duration", "24", "72", "H"), (24, 72)),
        (("duration", "1", "3", "d"), (24, 72)),
        (("duration", "1", "2", "W"), (168, 336)),
        (("duration", "0", "1", "M"), (0, 720)),
        (("duration", "2", "2", "D"), (48, 48)),
    ],
)
def test_a_duration_is_kept_in_hours(tag: Tag, hours: tuple[int, int]) -> None:
    """Hours where no unit is given, as the early protocol had it."""
    option = read(tag)

    assert (option.duration_min_h, option.duration_max_h) == hours
    assert option.warnings == ()


@pytest.mark.req("T406-06")
@pytest.mark.parametrize(
    "tag",
    [
        ("duration", "3", "1", "D"),
        ("duration", "1", "3", "Y"),
        ("duration", "1.5", "3", "D"),
        ("duration", "-1", "3", "D"),
        ("duration", "soon"),
        ("duration", "1"),
        ("duration", "1", "9" * 18, "D"),
    ],
)
def test_a_duration_that_is_none_is_left_out_with_a_warning(tag: Tag) -> None:
    """The option is used all the same: it promises nothing."""
    option = read(tag)

    assert (option.duration_min_h, option.duration_max_h) == (None, None)
    assert option.warnings == ("bad_duration",)


def test_a_third_partys_own_tags_do_no_harm() -> None:
    """Postal patterns and pickup streets of other clients stay in the template."""
    extra: tuple[Tag, ...] = (("restrict", "US", "100**"), ("pickup-street", "Main St 1"))
    option = read(*extra)

    assert option.warnings == ()
    assert option.template is not None
    assert option.template.tags[-2:] == extra


@pytest.mark.req("SHP-06")
@pytest.mark.parametrize(
    "tag",
    [
        ("price-weight", "0.75", "stone"),
        ("price-weight", "-1", "kg"),
        ("price-weight", "1"),
        ("price-weight", "1", "€", "kg"),
        ("price-volume", "1", "pint"),
        ("price-volume", "1", "USD", "kg"),
        ("price-distance", "1", "league"),
        ("price-distance", "1e3", "km"),
        ("dim-min", "1x1", "cm"),
        ("dim-max", "1x1x1", "yard"),
        ("dim-max", "big", "cm"),
        ("weight-max", "30", "stone"),
        ("weight-min", "-1", "kg"),
        ("weight-max", "lots"),
    ],
)
def test_a_rule_that_cannot_be_applied_is_named(tag: Tag) -> None:
    """So that the option is not used as if the rule were not there."""
    assert read(tag).unsupported == (tag[0],)
