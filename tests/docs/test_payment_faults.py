"""The page of payments' frauds and failures is whole, and says truly which tests hold it."""

from __future__ import annotations

from tools.make_faults_doc import BEGIN, END, TARGET, cases, claims, not_built, render
from tools.requirements import Claim

PAGE = TARGET.read_text()
FRAUDS = [f"F{number}" for number in range(1, 17)]
FAILURES = [f"P{number}" for number in (*range(1, 33), 37, 38)]


def a_page(*rows: str) -> str:
    """A page with these rows and one thing that is not built."""
    return f"# Cases\n\n{BEGIN}| id |\n|---|\n{''.join(row + chr(10) for row in rows)}{END}\n- **F2**: Later.\n"


def test_the_page_names_the_tests_that_hold_each_case() -> None:
    """Written by `python -m tools.make_faults_doc`, and nothing else."""
    assert render(PAGE, claims()) == PAGE


def test_every_case_has_its_row() -> None:
    """Frauds and failures, each once and in order; 33 to 36 are no payments."""
    assert cases(PAGE) == [*FRAUDS, *FAILURES]


def test_every_case_is_held_by_a_test_or_said_not_to_be_built() -> None:
    """A row that nothing holds stands in the list; a marker and the list name only rows that there are."""
    held, listed = {claim.row for claim in claims()}, not_built(PAGE)

    assert [case for case in cases(PAGE) if case not in held and case not in listed] == []
    assert sorted({*held, *listed} - set(cases(PAGE))) == []
    assert listed == sorted(set(listed), key=cases(PAGE).index)


def test_the_last_column_is_filled_from_the_markers_alone() -> None:
    """A class is left out, a test is named once, and what stood there before goes."""
    page = a_page("| F1 | Tried. | Refused. | old |", "| F2 | Tried. | Nothing. |  |")
    held = [
        Claim("F1", "tests/a/test_x.py::TestMany::test_one", 3),
        Claim("F1", "tests/a/test_x.py::TestMany::test_one", 4),
        Claim("F1", "tests/a/test_y.py", 5),
    ]

    filled = render(page, held)

    assert "| F1 | Tried. | Refused. | `a/test_x.py::test_one`<br>`a/test_y.py` |\n" in filled
    assert "| F2 | Tried. | Nothing. | none |\n" in filled
    assert render(filled, held) == filled
    assert (cases(filled), not_built(filled)) == (["F1", "F2"], ["F2"])
