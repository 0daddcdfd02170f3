"""Checks what an import would do, before it does it."""

from __future__ import annotations

from typing import Any

from schemas.market.documents import ListingDocument
from services.cli.documents import Found
from services.cli.shop import _file_name, compare

TEA = {"id": "tea", "title": "Tea", "price": "10 EUR", "stock": "5"}


def found(**changes: str) -> list[tuple[str, Found]]:
    """A tea in a file."""
    fields = {**TEA, **changes}
    return [("listing", Found("tea.yaml", fields, ListingDocument.model_validate(fields)))]


def published(**changes: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """A tea on the relays."""
    return {("listing", "tea"): {"document": {**TEA, **changes}, "event_id": "ab"}}


def test_an_import_knows_what_is_new_changed_and_the_same() -> None:
    """Changed fields are named, and the version that was looked at goes with the wish."""
    (new,) = compare(found(), {}, with_stock=False)
    assert (new.state, new.expects) == ("new", "")
    (same,) = compare(found(), published(), with_stock=False)
    assert same.state == "same"
    (changed,) = compare(found(title="Leaf", price="11 EUR"), published(), with_stock=False)
    assert (changed.state, changed.what, changed.expects) == ("changed", "title, price", "ab")


def test_a_file_does_not_bring_back_what_was_sold_since() -> None:
    """Unless the stock is asked for by name."""
    (kept,) = compare(found(), published(stock="2"), with_stock=False)
    (counted,) = compare(found(), published(stock="2"), with_stock=True)
    assert (kept.state, counted.state, counted.what) == ("same", "changed", "stock")


def test_what_is_published_and_cannot_be_said_as_a_document_counts_as_changed() -> None:
    """It is never a crash."""
    (odd,) = compare(found(), published(price="10"), with_stock=False)
    assert odd.state == "changed"


def test_no_id_leads_out_of_the_folder() -> None:
    """Slashes, dots and colons are escaped; no two ids share a file."""
    names = [_file_name(one) for one in ("..", "../x", "a/b", "a%2Fb", ".hidden", "Tasse (blau)", "茶")]
    assert all("/" not in name and not name.startswith(".") for name in names)
    assert len(set(names)) == len(names)
