"""Checks every document: links resolve, commands exist, code shown is the code that stands, words are in place."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import pytest

from schemas.deliveries import DeliveryState
from schemas.dialects.contract import MessageFault
from schemas.market.reading import MarketFault
from schemas.nostr.nip01 import EventFault
from schemas.nostr.nip59 import WrapFault
from schemas.orders import OrderStatus, ShippingStatus
from schemas.payments import PaymentAxis
from schemas.shops import ShopSettings
from schemas.topics import TOPICS
from schemas.values import Refusal, Waiting
from services.api.hooks import Outcome
from services.payments.wallets import KINDS
from streams.domain.buyers import Silence
from tests.docs.documents import DOCUMENTS, ROOT, anchors, commands, links, name_of, said_commands
from tests.support import contract_doc
from tools import make_limits_doc, make_phrases_doc
from tools.make_topics_doc import TARGET, render

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
TABLES: dict[str, type[StrEnum]] = {
    "Order status": OrderStatus,
    "Payment": PaymentAxis,
    "Shipping": ShippingStatus,
    "Waiting for": Waiting,
    "Turned down because": Refusal,
    "Delivery": DeliveryState,
    "A webhook call ends as": Outcome,
}


def section(title: str) -> str:
    """A part of the glossary."""
    return GLOSSARY.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> list[str]:
    """The first column of a table, without its head."""
    return re.findall(r"^\| (.+?) \|", text, re.M)[1:]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_link_resolves(path: Path) -> None:
    """To a file or folder here, and to a heading in it; addresses of the world are not asked."""
    text = path.read_text()

    for link in links(text):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        found = (path.parent / target).resolve() if target else path
        assert found.exists(), link
        assert found.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(found.read_text()), link


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_command_named_exists(path: Path) -> None:
    """`ncc` and its subcommands; upper-case words stand for something of the reader's."""
    assert set(said_commands(path.read_text())) <= commands()


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_topic_named_exists(path: Path) -> None:
    """And no other word is written like one."""
    named = set(re.findall(r"\bncc\.(?!xml)[a-z]+\b", path.read_text()))

    assert named <= {topic.name for topic in TOPICS}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_file_named_exists(path: Path) -> None:
    """Paths of code and configuration, between backticks."""
    named = re.findall(r"`((?:schemas|streams|services|tests|tools|deploy)/[\w./-]+)`", path.read_text())

    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_topics_page_is_the_table() -> None:
    """Written by `python -m tools.make_topics_doc`, and nothing else."""
    assert render() == TARGET.read_text()


def test_the_phrases_page_is_what_is_built_in() -> None:
    """Written by `python -m tools.make_phrases_doc`, and nothing else."""
    assert make_phrases_doc.render() == make_phrases_doc.TARGET.read_text()


def test_the_payments_page_has_the_contracts_table() -> None:
    """Written by `python -m tests.support.contract_doc`, and nothing else."""
    page = contract_doc.TARGET.read_text()

    assert contract_doc.render(page) == page
    assert {run.back_end.partition(" ")[0] for run in contract_doc.runs()} == set(KINDS)


def test_the_limits_page_is_the_table_and_explains_every_setting() -> None:
    """Written by `python -m tools.make_limits_doc`, and nothing else."""
    assert make_limits_doc.render() == make_limits_doc.TARGET.read_text()
    assert list(make_limits_doc.SETTINGS) == list(ShopSettings.model_fields)


def test_the_glossary_is_sorted_and_says_each_term_once() -> None:
    """With a meaning and a source."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", section("Terms"), re.M)[1:]
    terms = [term for term, _, _ in rows]

    assert terms == sorted(set(terms), key=str.lower)
    assert all(meaning and source for _, meaning, source in rows)


@pytest.mark.parametrize("title", TABLES)
def test_the_glossary_explains_every_code(title: str) -> None:
    """In the order of the code, which for refusals is their precedence."""
    codes = [cell.strip("`") for cell in first_cells(section(title))]

    assert codes == [code.value for code in TABLES[title]]


def test_the_glossary_explains_every_quarantine_reason() -> None:
    """Those of the gates, of messages, and those that readers and rules add."""
    explained = {cell.strip("`") for cell in first_cells(section("Quarantine reasons"))}
    enums = (EventFault, WrapFault, MarketFault, MessageFault, Silence)
    faults = {fault.value for enum in enums for fault in enum}
    reading = (ROOT / "streams" / "reading.py").read_text()
    rules = "".join(path.read_text() for path in (ROOT / "streams" / "domain").glob("*.py"))
    named = set(re.findall(r'Refused\(\s*"(\w+)"', reading))
    named |= set(re.findall(r'"(illegal_\w+|\w+_order|already_\w+|underpaid|orphan|parked_\w+)"', rules))

    assert faults | named <= explained


def test_every_decision_is_listed_and_has_its_three_parts() -> None:
    """Numbered without gaps, half a page to a page."""
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()

    assert [path.name[:4] for path in DECISIONS] == [f"{n:04}" for n in range(1, len(DECISIONS) + 1)]
    for path in DECISIONS:
        text = path.read_text()
        assert re.findall(r"^## (.+)$", text, re.M) == ["Context", "Decision", "Consequence"]
        assert text.startswith(f"# {path.name[:4]} ")
        assert len(text.splitlines()) <= 60
        assert f"]({path.name})" in index
        assert text.splitlines()[0][7:] in index


def test_the_code_shown_to_contributors_is_the_code_that_stands() -> None:
    """Every block names its file and stands there line for line; `# …` leaves something out."""
    blocks = re.findall(r"^```python\n# (\S+)\n(.*?)^```", CONTRIBUTING, re.M | re.S)

    assert len(blocks) == len(re.findall(r"^```python", CONTRIBUTING, re.M)) > 5
    for name, block in blocks:
        stands = [line.rstrip() for line in (ROOT / name).read_text().splitlines()]
        for part in re.split(r"^ *# …\n", block, flags=re.M):
            shown = [line.rstrip() for line in part.rstrip().splitlines()]
            places = range(len(stands) - len(shown) + 1)
            assert any(stands[at : at + len(shown)] == shown for at in places), (name, part)


def test_the_changelog_keeps_its_form() -> None:
    """A version with its parts, in the words of whoever runs it."""
    assert re.search(r"^## \[0\.1\.0\] - unreleased$", CHANGELOG, re.M)
    assert re.findall(r"^### (.+)$", CHANGELOG, re.M)[0] == "Added"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_prose_has_one_sentence_a_line(path: Path) -> None:
    """So that a change of one sentence is a change of one line."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)
    prose = [line for line in text.splitlines() if line and not line.startswith(("|", "#", "-", "  ", "["))]
    crowded = [line for line in prose if len(re.findall(r"[a-z)`*]\. [A-Z]", line)) > 1]

    assert crowded == []
