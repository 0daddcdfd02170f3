"""Checks how files become documents: what is read from YAML as it stands, and where a mistake is."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.market.documents import ListingDocument, ShippingDocument
from schemas.nostr.kinds import Kind
from services.cli.documents import DocumentRefused, read_file, setting, write

TEA = "id: tea\ntitle: Tea\nprice: 10.10 EUR\n"


def read(folder: Path, text: str, kind: Kind = Kind.PRODUCT, name: str = "a.yaml") -> list[object]:
    """The documents of a file with this text."""
    (folder / name).write_text(text)
    return [one.document for one in read_file(folder / name, kind)]


def test_every_scalar_is_the_text_that_was_written(tmp_path: Path) -> None:
    """Norway is no false, a price keeps its last digit, and an id may be a number."""
    (option,) = read(
        tmp_path, "id: 7\ntitle: Post\nprice: 5.10 EUR\ncountries: [NO, DE]\ncarrier:\n", Kind.SHIPPING_OPTION
    )
    assert isinstance(option, ShippingDocument)
    assert (option.id, option.price, option.countries, option.carrier) == ("7", "5.10 EUR", ("NO", "DE"), None)


def test_a_file_has_one_document_or_several_in_yaml_or_json(tmp_path: Path) -> None:
    """Divided by three dashes; JSON is YAML too."""
    assert len(read(tmp_path, f"{TEA}---\n{TEA.replace('tea', 'cup')}")) == 2
    (tea,) = read(tmp_path, '{"id": "tea", "title": "Tea", "price": "10 EUR", "stock": 3}', name="a.json")
    assert isinstance(tea, ListingDocument)
    assert tea.stock == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"{TEA}weight: 4 stone\n", "a.yaml, line 4: weight: is a number and one of"),
        (f"{TEA}shipping:\n  - post\n  - {{extra: 1}}\n", "line 6: shipping.1"),
        (f"{TEA}stok: 4\n", "line 4: stok"),
        ("title: Tea\nprice: 1 EUR\n", "line 1: id: Field required"),
        (f"{TEA}---\n{TEA}stock: many\n", "line 8: stock"),
        ("- a\n- b\n", "line 1: a document is a list of fields"),
        ("id: [\n", "a.yaml, line 2"),
        ("id: &a [*a]\n", "a.yaml"),
        ("[" * 40 + "]" * 40, "a.yaml"),
        ('id: "\\ud800"\ntitle: x\nprice: 1 EUR\n', "a.yaml"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_line(tmp_path: Path, text: str, sentence: str) -> None:
    """And with what to write there."""
    with pytest.raises(DocumentRefused) as refused:
        read(tmp_path, text)
    assert sentence in str(refused.value)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    """So is one that is no text."""
    with pytest.raises(DocumentRefused, match="cannot be read"):
        read_file(tmp_path / "none.yaml", Kind.PRODUCT)
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DocumentRefused, match="UTF-8"):
        read_file(tmp_path / "b.yaml", Kind.PRODUCT)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Texts of several lines, texts that look like something else, and lists of mappings."""
    fields = {
        "id": "tea",
        "title": "NO",
        "price": "10.10 EUR",
        "description": "One\n\nTwo: three\n",
        "specs": [{"color": "red"}, {"color": "1e3"}],
        "stock": 3,
    }
    (found,) = read(tmp_path, write(fields))
    assert found == ListingDocument.model_validate(fields)


def test_a_setting_is_a_name_and_a_value() -> None:
    """A list in brackets; nothing behind the sign takes the field away."""
    assert setting("price=10 EUR") == ("price", "10 EUR")
    assert setting("categories=[Tea, NO]") == ("categories", ["Tea", "NO"])
    assert setting("stock=") == ("stock", None)
    for wrong in ("price", "categories=[a"):
        with pytest.raises(DocumentRefused):
            setting(wrong)
