"""Which rows the tests claim, read from their source."""

import json
from pathlib import Path

import pytest

from tools import requirements
from tools.requirements import Claim, compare, main, read_claims, read_rows

ROWS = """
| id | requirement | lvl |
|---|---|---|
| ID-01 | NCC acts as the merchant. | MUST |
| T402-05 | `type [simple/variable]` | MAY |
| OPS-12 | Throughput. | goal |
| A-01 | Which protocol | S0 |
"""

TESTS = """
import pytest
pytestmark = [pytest.mark.real, pytest.mark.req("OPS-12")]

@pytest.mark.req("ID-01", "T402-05")
@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.req("ID-02"))])
async def test_one(x): ...

@pytest.mark.req("A-01")
class TestMore:
    @pytest.mark.req("ID-01")
    def test_two(self): ...
"""


@pytest.fixture
def claims(tmp_path: Path) -> list[Claim]:
    """The claims of one file of tests."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text(TESTS)
    return read_claims(tmp_path / "tests", tmp_path)


def test_rows_are_read_from_the_tables() -> None:
    """Each table row with an id counts; headings and rules do not."""
    assert read_rows(ROWS) == {
        "ID-01": "NCC acts as the merchant.",
        "T402-05": "`type [simple/variable]`",
        "OPS-12": "Throughput.",
        "A-01": "Which protocol",
    }


def test_markers_are_found_wherever_they_stand(claims: list[Claim]) -> None:
    """On a function, a class, a parameter set or a whole module."""
    assert {(claim.row, claim.test) for claim in claims} == {
        ("OPS-12", "tests/test_x.py"),
        ("ID-01", "tests/test_x.py::test_one"),
        ("T402-05", "tests/test_x.py::test_one"),
        ("ID-02", "tests/test_x.py::test_one"),
        ("A-01", "tests/test_x.py::TestMore"),
        ("ID-01", "tests/test_x.py::TestMore::test_two"),
    }


def test_an_unknown_row_is_named_with_its_place(claims: list[Claim]) -> None:
    """A marker with a row that does not exist claims nothing."""
    report = compare(read_rows(ROWS), claims)

    assert report.unknown == ["tests/test_x.py:6: ID-02"]
    assert "ID-02" not in report.claimed


def test_rows_without_a_test_are_listed_but_notes_are_not() -> None:
    """Ambiguities (A), versions (B) and needs (C) may be claimed and need not be."""
    report = compare(read_rows(ROWS), [Claim("ID-01", "t", 1), Claim("ID-01", "t", 2)])

    assert report.claimed == {"ID-01": ["t"]}
    assert report.unclaimed == ["T402-05", "OPS-12"]


def test_without_the_rows_the_claims_alone_are_listed(claims: list[Claim]) -> None:
    """Where the requirements file is not beside the project nothing is unknown or unclaimed."""
    report = compare(None, claims)

    assert list(report.claimed) == ["A-01", "ID-01", "ID-02", "OPS-12", "T402-05"]
    assert (report.unclaimed, report.unknown) == ([], [])


def test_the_command_prints_a_table_or_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its status is 1 exactly when a marker names no row."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "rows.md").write_text(ROWS)
    (tmp_path / "tests" / "test_x.py").write_text("import pytest\npytestmark = pytest.mark.req('ID-01')\n")
    monkeypatch.setattr(requirements, "ROOT", tmp_path)

    assert main(["--rows", str(tmp_path / "rows.md")]) == 0
    assert "1 of 3 rows are claimed" in capsys.readouterr().out
    assert main(["--json", "--rows", str(tmp_path / "rows.md")]) == 0
    assert json.loads(capsys.readouterr().out)["claimed"] == {"ID-01": ["tests/test_x.py"]}
    (tmp_path / "tests" / "test_x.py").write_text("import pytest\npytestmark = pytest.mark.req('ID-99')\n")
    assert main(["--rows", str(tmp_path / "rows.md")]) == 1
    assert "tests/test_x.py:2: ID-99 is no requirement row" in capsys.readouterr().err


def test_every_marker_of_this_tree_names_a_row() -> None:
    """Checked against the requirements where they lie beside the project."""
    rows = read_rows(requirements.ROWS.read_text()) if requirements.ROWS.exists() else None

    assert compare(rows, read_claims(requirements.ROOT / "tests", requirements.ROOT)).unknown == []
