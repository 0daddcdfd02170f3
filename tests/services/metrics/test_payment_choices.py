"""Checks that ClickHouse says how each shop's new orders are paid, by the newest choice."""

from __future__ import annotations

import pytest

from services.api.payment_choice import _CHOICES, choice_of
from services.metrics.query_server import answer
from services.metrics.store import Store
from services.metrics.writer import MetricsWriter
from tests.support.builders import MERCHANT, NOW_S, OTHER_MERCHANT
from tests.support.preferences import ADDRESS, APP, an_app, prefers, recommends
from tests.support.story import Story, given

pytestmark = pytest.mark.real


def choices(store: Store) -> dict[str, dict[str, object]]:
    """Every shop's row, as the API asks for it."""
    rows = answer(store, _CHOICES, {}).dicts()
    return {str(row["merchant"]): choice_of(str(row["merchant"]), row) for row in rows}


@pytest.mark.req("PAY-01")
@pytest.mark.req("T89-01")
def test_four_profiles_are_four_flows_in_the_merchants_state(store: Store, writer: MetricsWriter) -> None:
    """A shop that said nothing is paid by hand; each change replaces the last."""
    story = given()
    seen = []
    for said in (
        (prefers("manual", at=NOW_S),),
        (recommends(), an_app()),
        (prefers("lud16", at=NOW_S + 1, lud16=ADDRESS),),
        (prefers("ecash", at=NOW_S + 2),),
    ):
        story.when(*said)
        writer.write_journal({0: story.journal})
        seen.append(choices(store)[MERCHANT])

    assert [(one["flow"], one["preference"], one["app"], one["flaws"]) for one in seen] == [
        ("manual", "manual", None, []),
        ("service", "manual", APP, []),
        ("automatic", "lud16", APP, []),
        ("manual", "ecash", APP, ["ecash_without_mints"]),
    ]
    assert OTHER_MERCHANT not in choices(store)
    assert choice_of(OTHER_MERCHANT, None)["flow"] == "manual"


@pytest.mark.req("PAY-05")
def test_every_flaw_of_a_choice_is_there(store: Store, writer: MetricsWriter) -> None:
    """In the order they were found."""
    story: Story = given(prefers("foo"), recommends())
    writer.write_journal({0: story.journal})

    flaws = story.shop.payment_choice.flaws
    assert choices(store)[MERCHANT]["flaws"] == [flaw.value for flaw in flaws]
    assert len(flaws) == 3
