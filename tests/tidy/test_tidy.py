"""The tree obeys its own rules, and each rule finds what it is there for."""

from pathlib import Path, PurePosixPath

import pytest

from tools.tidy import ROOT, check_file, check_tree

DOC = '"""A module."""\n'


def findings(path: str, text: str) -> list[str]:
    return [str(found) for found in check_file(PurePosixPath(path), text)]


@pytest.mark.case("P38")
def test_the_tree_is_tidy() -> None:
    """Nothing in this tree breaks a rule; each line of a failure says what to do."""
    count, found = check_tree(ROOT)

    assert count > 50
    assert [str(one) for one in found] == []


@pytest.mark.parametrize(
    ("path", "line", "message"),
    [
        ("schemas/x.py", "import services.home", "imports services.home"),
        ("schemas/nostr/x.py", "from streams.domain import shop", "imports streams.domain.shop"),
        ("streams/x.py", "from services import home", "imports services.home"),
        ("streams/domain/x.py", "from streams import kafka", "imports streams.kafka"),
        ("streams/domain/x.py", "from .. import kafka", "imports streams.kafka"),
        ("services/x.py", "from streams.decider import Decider", "imports streams.decider.Decider"),
        ("services/x.py", "def f() -> None:\n    import streams", "imports streams"),
        ("services/x.py", "from tests.support import builders", "imports tests.support.builders"),
    ],
)
def test_the_import_rule_holds_between_folders(path: str, line: str, message: str) -> None:
    """Schemas know nobody, the domain knows schemas, streams and services do not know each other."""
    found = findings(path, DOC + line)

    assert len(found) == 1
    assert message in found[0]
    assert "this folder may import" in found[0]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("schemas/x.py", "from schemas.nostr import nip01"),
        ("schemas/nostr/x.py", "from . import nip01"),
        ("streams/domain/x.py", "from streams.domain.shop import Shop"),
        ("streams/x.py", "import streams.domain.shop"),
        ("services/roles/x.py", "from streams.decider import Decider"),
        ("services/cli/x.py", "import streams.kafka"),
        ("services/supervisor.py", "import streams.kafka"),
        ("tests/x.py", "import streams, services, schemas, tests"),
    ],
)
def test_what_the_import_rule_allows_is_quiet(path: str, line: str) -> None:
    """Own folder, schemas, and the composers' both halves are fine."""
    assert findings(path, DOC + line) == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("services/x.py", "import aiokafka"),
        ("streams/x.py", "from aiokafka.errors import KafkaError"),
        ("services/publisher.py", "import coincurve"),
        ("streams/decider.py", "import faust"),
        ("services/x.py", "from clickhouse_connect import get_client"),
    ],
)
def test_a_vendors_library_is_imported_in_its_one_place(path: str, line: str) -> None:
    """A second place that imports a vendor's library is told whom to call."""
    found = findings(path, DOC + line)

    assert len(found) == 1
    assert "call what is there" in found[0]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("streams/kafka/cluster.py", "import aiokafka"),
        ("services/relays/connection.py", "import websockets"),
        ("services/embedded/relay.py", "import nostr_sdk"),
        ("tests/x.py", "import aiokafka, coincurve, nostr_sdk"),
    ],
)
def test_a_vendors_library_is_fine_at_home_and_in_tests(path: str, line: str) -> None:
    """Its own place may, and so may every test."""
    assert findings(path, DOC + line) == []


@pytest.mark.case("P38")
@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "from os import environ",
        "import random",
        "from urllib.request import urlopen",
        "def f() -> None:\n    import secrets",
        "TEXT = open('x').read()",
        "from datetime import datetime\nNOW = datetime.now()",
    ],
)
def test_pure_folders_reach_for_nothing(line: str) -> None:
    """No clock, no randomness, no file and no socket in schemas and the domain; elsewhere they are fine."""
    for pure in ("schemas/x.py", "streams/domain/x.py"):
        assert len(findings(pure, DOC + line)) == 1
    assert findings("services/x.py", DOC + line) == []


def test_reading_a_given_time_is_pure() -> None:
    """A time that arrives as an argument may be taken apart."""
    text = "from datetime import UTC, datetime\n\n\ndef year(at_s: int) -> int:\n"
    assert findings("schemas/x.py", DOC + text + "    return datetime.fromtimestamp(at_s, UTC).year\n") == []


def test_a_module_says_what_it_is_for() -> None:
    """Only an empty file needs no docstring."""
    assert findings("services/x.py", "X = 1\n") == [
        "services/x.py:1: no module docstring: say in one line what the module is for"
    ]
    assert findings("services/__init__.py", "") == []


def test_a_long_module_is_found() -> None:
    """400 lines are the most."""
    assert findings("services/x.py", DOC + "X = 1\n" * 399) == []
    assert len(findings("services/x.py", DOC + "X = 1\n" * 400)) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("docs/x.md", "TO" + "DO: more"),
        ("README.md", "see /wo" + "rk/main"),
        ("deploy/x.sh", "pip install --index-url https://py" + "pi.org/simple x"),
        ("requirements.lock", "--extra-index-url https://files.py" + "thonhosted.org/"),
        ("pom.xml", "<url>https://repo1.ma" + "ven.org</url>"),
    ],
)
def test_words_that_belong_to_nobodys_tree_are_found_in_every_file(path: str, text: str) -> None:
    """Notes to self, one machine's paths and registry hosts are found whatever the file is."""
    assert len(findings(path, text)) == 1


@pytest.mark.parametrize("mark", ["@pytest.mark.ski" + "p", "pytest.xfa" + "il('x')", "@pytest.mark.ski" + "pif(True)"])
def test_a_test_that_may_not_run_is_found(mark: str) -> None:
    """A test runs or goes."""
    text = DOC + (f"{mark}\ndef test_x() -> None:\n    '''A fact.'''\n" if mark.startswith("@") else f"{mark}\n")
    assert len(findings("tests/test_x.py", text)) == 1


@pytest.mark.parametrize("handler", ["except:\n    x = 1", "except Exception:\n    pass", "except BaseException: pass"])
def test_a_handler_that_hides_everything_is_found(handler: str) -> None:
    """A bare except and a silent catch-all hide our own bugs."""
    assert len(findings("services/x.py", f"{DOC}try:\n    x = 2\n{handler}\n")) == 1


def test_a_named_handler_is_quiet() -> None:
    """What is expected may be passed over."""
    assert findings("services/x.py", f"{DOC}try:\n    x = 2\nexcept KeyError:\n    pass\n") == []


def test_every_test_states_its_fact() -> None:
    """A test function without a docstring is found, in classes as well; a helper needs none."""
    text = (
        "def helper() -> None: ...\nasync def test_a() -> None: ...\nclass TestB:\n    def test_c(self) -> None: ...\n"
    )

    assert [found.split(":")[1] for found in findings("tests/test_x.py", DOC + text)] == ["3", "5"]


def test_a_file_that_cannot_be_parsed_is_one_finding() -> None:
    """A syntax error is named with its line instead of stopping the tool."""
    assert findings("services/x.py", "def (\n") == [
        "services/x.py:1: cannot be parsed: invalid syntax: mend the syntax"
    ]


def test_an_unpacked_archive_is_checked_too(tmp_path: Path) -> None:
    """Without git every file outside hidden folders is read."""
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "x.py").write_text("import streams\n")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "y.py").write_text("import streams\n")
    count, found = check_tree(tmp_path)

    assert count == 1
    assert len(found) == 2
