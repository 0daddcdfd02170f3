"""Checks how recommended applications and their own descriptions are read (NIP-89)."""

import pytest

from schemas import limits
from schemas.market.handlers import read_handler, read_recommendation
from schemas.market.reading import MarketFault, MarketRefused
from schemas.preferences import AppAddress, RecommendedApp
from tests.support.builders import MERCHANT, NOW_S, STRANGER, Tag, an_event

APP = f"31990:{STRANGER}:shop"
OTHER = f"31990:{STRANGER}:other:with:colons"
NAMED: Tag = ("d", "30402")


def many(name: str, value: str, *more: str) -> list[Tag]:
    """One more tag of a name than is kept, all different."""
    return [(name, value.replace("#", str(n)), *more) for n in range(limits.PREFERENCE_ITEMS.most + 1)]


def test_a_recommendation_names_a_kind_and_applications_with_relay_and_platform() -> None:
    """In their order, each once."""
    tags = (NAMED, ("a", APP, "wss://relay.example", "web"), ("a", OTHER, "no relay", ""), ("a", APP))
    said = read_recommendation(an_event(31989, *tags))

    assert (said.coordinate, said.kind, said.created_at) == (f"31989:{MERCHANT}:30402", 30402, NOW_S)
    assert said.apps == (
        RecommendedApp(coordinate=APP, relay="wss://relay.example", platform="web"),
        RecommendedApp(coordinate=OTHER),
    )
    assert said.warnings == ()


@pytest.mark.parametrize(
    ("tags", "reason"),
    [((("a", APP),), MarketFault.NO_D), ((("d", "shop"), ("a", APP)), MarketFault.NO_KIND)],
)
def test_a_recommendation_says_for_which_kind(tags: tuple[Tag, ...], reason: MarketFault) -> None:
    """By its name."""
    with pytest.raises(MarketRefused) as caught:
        read_recommendation(an_event(31989, *tags))
    assert caught.value.reason is reason


def test_a_recommendation_of_nothing_takes_an_older_ones_place() -> None:
    """That is how one is taken back; what is no application is left out."""
    said = read_recommendation(an_event(31989, NAMED, ("a", f"30402:{MERCHANT}:x"), ("a", "31990:shop")))

    assert (said.apps, said.warnings) == ((), ("bad_app", "no_app"))


def test_a_handler_says_its_kinds_addresses_and_name() -> None:
    """An address without a place for the entity opens nothing."""
    tags = (
        ("d", "shop"),
        *(("k", str(kind)) for kind in (30402, 30405, 30406, 16, 17, 16)),
        ("web", "https://shop.example/a/<bech32>", "naddr"),
        ("web", "https://shop.example/<bech32>"),
        ("web", "https://shop.example/"),
        ("web", "javascript:<bech32>"),
    )
    said = read_handler(an_event(31990, *tags, author=STRANGER, content='{"name":"Shop"}'))

    assert (said.coordinate, said.kinds, said.name) == (APP, (30402, 30405, 30406, 16, 17), "Shop")
    assert said.web == (
        AppAddress(url="https://shop.example/a/<bech32>", entity="naddr"),
        AppAddress(url="https://shop.example/<bech32>"),
    )
    assert said.warnings == ("bad_web",)


def test_a_handler_without_kinds_is_read_with_warnings() -> None:
    """It handles nothing then; its name needs none."""
    said = read_handler(an_event(31990, ("d", "shop"), ("k", "x"), ("k", "65536"), content="no json"))

    assert (said.kinds, said.name, said.warnings) == ((), None, ("bad_kind", "no_kinds", "bad_content"))
    with pytest.raises(MarketRefused):
        read_handler(an_event(31990, ("k", "16")))


def test_so_many_items_are_kept_and_no_more() -> None:
    """Of applications, kinds and addresses."""
    apps = many("a", f"31990:{STRANGER}:#")
    kinds, web = many("k", "#"), many("web", "https://x.example/#/<bech32>")

    assert read_recommendation(an_event(31989, NAMED, *apps)).warnings == ("apps_cut",)
    assert read_recommendation(an_event(31989, NAMED, *apps[1:], apps[1])).warnings == ()
    said = read_handler(an_event(31990, ("d", "x"), *kinds, *web))
    assert (len(said.kinds), len(said.web), said.warnings) == (20, 20, ("kinds_cut", "web_cut"))
    assert read_handler(an_event(31990, ("d", "x"), *kinds[1:], *web[1:])).warnings == ()
