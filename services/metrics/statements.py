"""Reads SQL files in which every statement has a name and a description.

A file is a sequence of blocks:

    -- name: sales_by_day
    -- One or more lines that say what the statement is for.
    SELECT …;

A block ends at a semicolon at the end of a line. Comments inside a statement belong to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent
_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)$")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a file, without its semicolon."""

    name: str
    description: str
    sql: str


def parse(text: str) -> tuple[Statement, ...]:
    """Every block of a file, in order. Raises ValueError for a block without a name or a description, or a repeat."""
    statements = tuple(
        _parse_block(block) for block in re.split(r";[ \t]*$", text, flags=re.MULTILINE) if block.strip()
    )
    names = [statement.name for statement in statements]
    if len(set(names)) != len(names):
        raise ValueError(f"statements share a name: {sorted(names)}")
    return statements


def _parse_block(block: str) -> Statement:
    lines = block.strip().splitlines()
    named = _NAME.match(lines[0])
    if named is None:
        raise ValueError(f"a statement starts with '-- name: …', not with {lines[0][:60]!r}")
    body = next((n for n, line in enumerate(lines) if not line.startswith("--")), len(lines))
    description = " ".join(line.removeprefix("--").strip() for line in lines[1:body])
    if not description or body == len(lines):
        raise ValueError(f"statement {named[1]} lacks its description or its SQL")
    return Statement(named[1], description, "\n".join(lines[body:]))


@cache
def schema() -> tuple[Statement, ...]:
    """The statements that make the tables and views, in the order they are run."""
    return parse((_HERE / "schema.sql").read_text(encoding="utf-8"))


@cache
def queries() -> dict[str, Statement]:
    """The documented query set, by name."""
    return {statement.name: statement for statement in parse((_HERE / "queries.sql").read_text(encoding="utf-8"))}
