"""Fills the last column of docs/payment-faults.md: the tests that hold each case (`@pytest.mark.case("F1")`).

`python -m tools.make_faults_doc` writes the file; a test renders it and compares.
The other columns are written by hand, and may not hold a vertical bar.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.requirements import Claim, read_claims

ROOT: Final = Path(__file__).parents[1]
TARGET: Final = ROOT / "docs" / "payment-faults.md"
BEGIN: Final = "<!-- cases: begin -->\n"
END: Final = "<!-- cases: end -->\n"

_ROW: Final = re.compile(r"^\| ([FP]\d+) \| ([^|\n]+) \| ([^|\n]+) \|.*$", re.M)
_OPEN: Final = re.compile(r"^- \*\*([FP]\d+)\*\*: .", re.M)


def cases(page: str) -> list[str]:
    """The ids of the page's rows, in their order."""
    return [match[1] for match in _ROW.finditer(_tables(page))]


def not_built(page: str) -> list[str]:
    """The ids in the list of what is not built yet, which stands after the tables."""
    return _OPEN.findall(page.partition(END)[2])


def claims() -> list[Claim]:
    """Which test holds which case, read from the tests' source."""
    return read_claims(ROOT / "tests", ROOT, "case")


def render(page: str, held: Sequence[Claim]) -> str:
    """The page with its last column as it has to stand."""
    tests: dict[str, list[str]] = {}
    for claim in held:
        names = tests.setdefault(claim.row, [])
        if (name := _short(claim.test)) not in names:
            names.append(name)
    head, _, rest = page.partition(BEGIN)

    def filled(match: re.Match[str]) -> str:
        return f"| {match[1]} | {match[2]} | {match[3]} | {'<br>'.join(tests.get(match[1], ['none']))} |"

    return head + BEGIN + _ROW.sub(filled, _tables(page)) + END + rest.partition(END)[2]


def _tables(page: str) -> str:
    return page.partition(BEGIN)[2].partition(END)[0]


def _short(test: str) -> str:
    """`file::name`, without the tests' folder and without the class that the test stands in."""
    parts = test.removeprefix("tests/").split("::")
    return f"`{'::'.join([parts[0], *parts[-1:]]) if len(parts) > 1 else parts[0]}`"


if __name__ == "__main__":
    TARGET.write_text(render(TARGET.read_text(), claims()))
