"""SQL files whose statements have names and descriptions."""

from __future__ import annotations

import pytest

from services.metrics.statements import parse, queries, schema


def test_a_block_has_a_name_a_description_and_its_sql() -> None:
    """Comments above the SQL describe it, comments inside belong to it."""
    (statement,) = parse("-- name: one\n-- The first\n-- number.\nSELECT 1 -- yes\n;\n")
    assert (statement.name, statement.description, statement.sql) == (
        "one",
        "The first number.",
        "SELECT 1 -- yes",
    )


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1;",
        "-- name: One\n-- Upper case.\nSELECT 1;",
        "-- name: one\nSELECT 1;",
        "-- name: one\n-- Without SQL.\n;",
        "-- name: one\n-- Twice.\nSELECT 1;\n-- name: one\n-- Twice.\nSELECT 1;",
    ],
)
def test_a_block_that_lacks_one_of_them_is_refused(text: str) -> None:
    """The files are documentation, so a gap in them is a fault."""
    with pytest.raises(ValueError, match=r"statement"):
        parse(text)


def test_the_schema_and_the_query_set_are_described() -> None:
    """Every table, view and query can be found by its name."""
    assert {"events", "orders", "inventory", "reviews", "stock_movements"} <= {s.name for s in schema()}
    assert {"sales_by_day", "ledger_check", "conversion_funnel", "top_items"} <= queries().keys()
    assert all(s.name in s.sql for s in schema())
