"""Checks what a listing shows: pictures, specifications, categories, summary (requirements 4.1)."""

import pytest

from schemas.market.display import Display, Image, read_display
from schemas.market.listing import read_listing, with_stock
from tests.support.builders import MERCHANT, NOW_S, Tag, an_event

BASE: tuple[Tag, ...] = (("d", "tea"), ("title", "Tea"), ("price", "10.99", "EUR"))


def shown(*tags: Tag) -> Display:
    """What a listing with these tags shows."""
    return read_display(an_event(30402, *BASE, *tags))


@pytest.mark.req("T402-08")
def test_specifications_keep_their_order_and_repeated_keys() -> None:
    """Two colours are two colours."""
    display = shown(("spec", "color", "red"), ("spec", "size", "M", "x"), ("spec", "color", "blue"), ("summary", " S "))

    assert display.specs == (("color", "red"), ("size", "M"), ("color", "blue"))
    assert (display.summary, display.warnings) == ("S", ())


@pytest.mark.req("T402-08")
@pytest.mark.parametrize("tag", [("spec", "color"), ("spec",)])
def test_a_specification_without_a_value_is_left_out_with_a_warning(tag: Tag) -> None:
    """And the listing itself says so."""
    assert (shown(tag).specs, shown(tag).warnings) == ((), ("bad_spec",))
    assert read_listing(an_event(30402, *BASE, tag)).warnings == ("bad_spec",)


@pytest.mark.req("T402-09")
def test_pictures_are_sorted_by_number_wherever_it_starts_and_the_rest_follow() -> None:
    """7, 3, none and none again: 3, 7, and the two as they stand."""
    urls = [f"https://x.example/{n}.png" for n in range(5)]
    display = shown(
        ("image", urls[0], "800x600", "7"),
        ("image", urls[1]),
        ("image", urls[2], "", "3"),
        ("image", urls[3], ""),
        ("image", urls[4], "", "10"),
    )

    assert [image.url for image in display.images] == [urls[2], urls[0], urls[4], urls[1], urls[3]]
    assert display.images[1] == Image(urls[0], 800, 600, 7)
    assert display.warnings == ()


@pytest.mark.req("T402-09")
def test_an_empty_size_keeps_its_place() -> None:
    """So the number after it is the order, not the size."""
    assert shown(("image", "http://x.example/a", "", "2")).images == (Image("http://x.example/a", order=2),)


@pytest.mark.req("T402-09")
@pytest.mark.parametrize("url", ["javascript:alert(1)", "ftp://x.example/a", "data:image/png;base64,xx", "x.png", " "])
def test_only_pictures_of_the_web_are_shown(url: str) -> None:
    """What a browser would run is none."""
    assert (shown(("image", url)).images, shown(("image", url)).warnings) == ((), ("bad_image",))


@pytest.mark.parametrize("more", [("800", ""), ("axb", ""), ("", "first"), ("0x0", "1")])
def test_a_picture_with_an_odd_size_or_number_is_shown_without_it(more: tuple[str, str]) -> None:
    """With a warning."""
    (image,) = shown(("image", "https://x.example/a", *more)).images

    assert (image.width, image.height) == (None, None)
    assert shown(("image", "https://x.example/a", *more)).warnings == ("bad_image",)


@pytest.mark.req("T402-12")
def test_categories_are_compared_in_lower_case_and_shown_as_they_were_written() -> None:
    """Food and food are one."""
    assert shown(("t", "Food"), ("t", "food"), ("t", " FOOD "), ("t", "Tea"), ("t", " ")).categories == ("Food", "Tea")


@pytest.mark.req("CAT-14")
def test_what_is_published_again_shows_in_a_client_that_only_watches() -> None:
    """It reads five things, and knows neither collections nor shipping, reviews nor stock."""
    tags = (*BASE, ("image", "https://x.example/a"), ("stock", "5"), ("type", "variable", "physical"), ("x-foo", "1"))
    revised = with_stock(read_listing(an_event(30402, *tags, content="*Green* tea")), MERCHANT, 4, NOW_S + 1)

    seen: dict[str, str] = {}
    for tag in revised.template.tags:
        seen.setdefault(tag[0], " ".join(tag[1:]))
    assert {name: seen[name] for name in ("d", "title", "price", "image")} == {
        "d": "tea",
        "title": "Tea",
        "price": "10.99 EUR",
        "image": "https://x.example/a",
    }
    assert revised.template.content == "*Green* tea"
