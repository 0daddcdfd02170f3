"""The shape that was given: what stands at the top, and which libraries carry the weight."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP = ("pyproject.toml", "services", "streams", "schemas", "tests", "deploy/compose", "README.md")
PACKAGES = {
    "faust-streaming": "faust",
    "aiokafka": "aiokafka",
    "coincurve": "coincurve",
    "cryptography": "cryptography",
    "websockets": "websockets",
    "orjson": "orjson",
    "clickhouse-connect": "clickhouse_connect",
    "pydantic": "pydantic",
}
"""As the package registry has them, and as they are imported."""


def imported() -> set[str]:
    """Every library that the product imports, by its first name."""
    names: set[str] = set()
    for folder in ("schemas", "streams", "services"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module.partition(".")[0])
    return names


@pytest.mark.req("OPS-13")
def test_the_tree_has_the_given_top_level() -> None:
    """A newcomer finds each part where the field expects it."""
    assert [name for name in TOP if not (ROOT / name).exists()] == []


@pytest.mark.req("OPS-13")
def test_the_given_libraries_are_locked_and_used() -> None:
    """A clean install brings them all, and the product stands on each."""
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.M))

    assert sorted(PACKAGES.keys() - locked) == []
    assert sorted(set(PACKAGES.values()) - imported()) == []
