"""What the figures' names, budgets and table rows mean, without measuring anything."""

from __future__ import annotations

import pytest

from bench.figures import BY_NAME, FIGURES, STAGES, Budget, Values, Verdict, number, percentile, rows, stages_of


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0, Verdict.OK), (60, Verdict.OK), (60.1, Verdict.NEAR), (120, Verdict.NEAR), (121, Verdict.OVER)],
)
def test_a_ceiling_is_kept_nearly_kept_up_to_twice_and_then_over(value: float, verdict: Verdict) -> None:
    """A budget of at most 60 is missed by less than a factor of two up to 120."""
    assert Budget(60).verdict(value) is verdict


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(300, Verdict.OK), (250, Verdict.OK), (249, Verdict.NEAR), (125, Verdict.NEAR), (124, Verdict.OVER)],
)
def test_a_floor_is_kept_nearly_kept_down_to_half_and_then_over(value: float, verdict: Verdict) -> None:
    """A budget of at least 250 is missed by less than a factor of two down to 125."""
    assert Budget(250, is_floor=True).verdict(value) is verdict


def test_what_never_happened_is_over_every_budget() -> None:
    """A role that does not come back has no seconds, and no floor is reached by nothing."""
    assert {Budget(10).verdict(None), Budget(10, is_floor=True).verdict(0)} == {Verdict.OVER}


def test_a_budget_says_its_side_and_its_second_step() -> None:
    """The table shows which side is good, and the harder budget behind the first."""
    assert Budget(250, is_floor=True, then=500).text() == "≥ 250, then 500"
    assert Budget(7, then=4, note="roles and broker").text() == "≤ 7, then 4 roles and broker"


def test_figures_are_named_once_and_grouped_by_the_stage_that_measures_them() -> None:
    """A name stands for one figure, and every stage gives at least one."""
    assert len(BY_NAME) == len(FIGURES)
    assert {figure.stage for figure in FIGURES} == set(STAGES)


def test_named_figures_need_only_their_stages_in_the_order_of_a_run() -> None:
    """Two figures of one stage are measured together, whatever order they were named in."""
    assert stages_of(["cpu_ms_per_order", "orders_per_second", "decisions_per_second"]) == ("domain", "load")


def test_without_names_everything_is_measured() -> None:
    """No choice is the whole run."""
    assert stages_of([]) == STAGES


def test_an_unknown_figure_is_refused_with_the_known_ones() -> None:
    """The sentence names what was not understood and what could be."""
    with pytest.raises(ValueError, match="unknown figure speed: choose from wraps_per_second"):
        stages_of(["speed", "orders_per_second"])


def test_rows_follow_the_order_of_the_figures_and_only_budgeted_parts_have_a_verdict() -> None:
    """A role's own processor time has no budget; that of all roles together has."""
    measured: dict[str, Values] = {
        "cpu_ms_per_order": {"all": 12.0, "decider": 2.0},
        "order_to_payment_request_ms": {"p50": 24.0, "p99": 160.0},
    }

    seen = [(row.label, row.value, row.verdict) for row in rows(measured)]

    assert seen == [
        ("order_to_payment_request_ms p50", 24.0, Verdict.OK),
        ("order_to_payment_request_ms p99", 160.0, Verdict.NEAR),
        ("cpu_ms_per_order all", 12.0, Verdict.NEAR),
        ("cpu_ms_per_order decider", 2.0, Verdict.NONE),
    ]


def test_rows_show_only_the_figures_asked_for() -> None:
    """A stage may measure more than was asked."""
    measured: dict[str, Values] = {"orders_per_second": {"": 300.0}, "cpu_ms_per_order": {"all": 5.0}}

    assert [row.label for row in rows(measured, ["orders_per_second"])] == ["orders_per_second"]


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.51, 3.0), (0.99, 4.0), (1.0, 4.0), (0.0, 1.0)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    """Nearest rank: nothing is made up between two measurements."""
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == value


def test_there_is_no_percentile_of_nothing() -> None:
    """An empty run has no median."""
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (12_345.6, "12,346"), (99.96, "100"), (3.14159, "3.14"), (0.5, "0.5"), (0.01234, "0.0123")],
)
def test_numbers_show_the_three_digits_that_count(value: float | None, text: str) -> None:
    """Large ones with thousands apart, small ones without zeros at their end."""
    assert number(value) == text
