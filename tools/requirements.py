"""Lists which requirement rows the tests claim with `@pytest.mark.req("ID-02")`, and which none claims.

`python -m tools.requirements [--json] [--rows FILE]`; an unknown row in a marker is an error (status 1).
The rows are read from the requirements file beside the project; without it the claims alone are listed.
"""

import argparse
import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
ROWS: Final = ROOT.parent / "shared" / "requirements.md"

_ROW: Final = re.compile(r"^\| *([A-Z][A-Z0-9]*-\d+[a-z]?) *\| *(.*?) *\|", re.M)
_NOTE: Final = re.compile(r"^[ABC]-")
"""Ambiguities, versions and unnamed needs: a test may claim one, but they are no rows to fulfil."""
_TITLE_CHARS_MAX: Final = 90


@dataclass(frozen=True)
class Claim:
    """One marker on one test, or on a whole module or class of tests."""

    row: str
    test: str
    """`tests/path/test_x.py::test_name`; without a name for a whole module."""
    line: int


@dataclass
class Report:
    """What is claimed, and by whom."""

    claimed: dict[str, list[str]] = field(default_factory=dict)
    unclaimed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """`file:line: row` for each marker with a row that does not exist."""


def read_rows(text: str) -> dict[str, str]:
    """Each row's id with the start of its text, in the file's order."""
    return {match[1]: match[2][:_TITLE_CHARS_MAX] for match in _ROW.finditer(text)}


def read_claims(tests: Path, root: Path, marker: str = "req") -> list[Claim]:
    """Every claim under `tests` by this marker, found in the source: nothing is imported or run."""
    return [
        claim
        for file in sorted(tests.rglob("*.py"))
        for claim in _claims_of(ast.parse(file.read_text()), file.relative_to(root).as_posix(), marker)
    ]


def compare(rows: dict[str, str] | None, claims: Sequence[Claim]) -> Report:
    """Claims against rows; without rows nothing is unclaimed or unknown."""
    report = Report()
    tests: defaultdict[str, list[str]] = defaultdict(list)
    for claim in claims:
        if rows is not None and claim.row not in rows:
            report.unknown.append(f"{claim.test.partition('::')[0]}:{claim.line}: {claim.row}")
        elif claim.test not in tests[claim.row]:
            tests[claim.row].append(claim.test)
    order = list(rows) if rows is not None else sorted(tests)
    report.claimed = {row: tests[row] for row in order if tests.get(row)}
    report.unclaimed = [row for row in order if not tests.get(row) and not _NOTE.match(row)]
    return report


def _claims_of(tree: ast.AST, test: str, marker: str) -> Iterator[Claim]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _claims_of(node, f"{test}::{node.name}", marker)
            continue
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"pytest.mark.{marker}":
            for argument in node.args:
                row = argument.value if isinstance(argument, ast.Constant) else ast.unparse(argument)
                yield Claim(str(row), test, node.lineno)
        yield from _claims_of(node, test, marker)


def _print_table(rows: dict[str, str] | None, report: Report) -> None:
    for row, tests in report.claimed.items():
        print(f"{row:<10} {len(tests):>3}  {(rows or {}).get(row, '')}")
    if report.unclaimed:
        print("\nclaimed by no test:")
    for row in report.unclaimed:
        print(f"{row:<10}      {(rows or {}).get(row, '')}")
    count = sum(not _NOTE.match(row) for row in report.claimed)
    if rows is None:
        print(f"\n{count} rows are claimed; the requirements file is not here, so they are not checked")
    else:
        print(f"\n{count} of {count + len(report.unclaimed)} rows are claimed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table, or JSON for a program."""
    parser = argparse.ArgumentParser(prog="tools.requirements", description="Which rows the tests claim.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rows", type=Path, default=ROWS, help="the requirements file")
    chosen = parser.parse_args(arguments)
    rows = read_rows(chosen.rows.read_text()) if chosen.rows.exists() else None
    report = compare(rows, read_claims(ROOT / "tests", ROOT))
    if chosen.json:
        print(json.dumps(asdict(report), indent=2))
    else:
        _print_table(rows, report)
    for unknown in report.unknown:
        print(f"{unknown} is no requirement row: mend the marker", file=sys.stderr)
    return 1 if report.unknown else 0


if __name__ == "__main__":
    sys.exit(main())
