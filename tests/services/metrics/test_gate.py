"""Which statements from outside may be run."""

from __future__ import annotations

import pytest

from services.metrics.gate import SQL_CHARS_MAX, admit, has_parameters
from services.metrics.port import BadQuery
from services.metrics.statements import queries


@pytest.mark.parametrize("name", sorted(queries()))
def test_the_documented_queries_are_admitted(name: str) -> None:
    """What the project itself asks passes its own door."""
    assert admit(queries()[name].sql).strip()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "select count() from events -- how many\n where type = 'into outfile; settings'",
        "WITH x AS (SELECT 1) SELECT * FROM x;",
        "(SELECT 1) UNION ALL (SELECT 2)",
        'SELECT status AS "settings" FROM orders_now',
        "SELECT formatDateTime(at, '%F'), 'it''s \\' /* no comment */' FROM events",
        "SELECT format('{} {}', merchant, ref) FROM orders_now",
        "SELECT {since:DateTime64(3, 'UTC')}, { n : UInt8 }",
    ],
)
def test_ordinary_questions_are_admitted(sql: str) -> None:
    """Reading is free, and quoted words are only words."""
    admit(sql)


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("", "Only SELECT"),
        ("INSERT INTO events SELECT 1", "Only SELECT"),
        ("ALTER TABLE events DELETE WHERE 1", "Only SELECT"),
        ("DROP TABLE events", "Only SELECT"),
        ("SYSTEM FLUSH LOGS", "Only SELECT"),
        ("KILL QUERY WHERE 1", "Only SELECT"),
        ("SET readonly = 0", "Only SELECT"),
        ("EXPLAIN SELECT 1 INTO OUTFILE 'x'", "Only SELECT"),
        ("SELECT 1; DROP TABLE events", "one statement"),
        ("SELECT 1;;", "one statement"),
        ("SELECT 1 PARALLEL WITH DROP TABLE events", "one statement"),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", "file"),
        ("SELECT 1 in/**/TO OUTFILE '/tmp/x'", "file"),
        ("SELECT 1into OUTFILE '/tmp/x'", "file"),
        ("SELECT 1 SETTINGS readonly = 0", "Settings"),
        ("SELECT 1 FORMAT CSV", "FORMAT"),
        ("SELECT file('/etc/passwd')", "function file"),
        ("SELECT FILE ('/etc/passwd')", "function file"),
        ("SELECT `file`('/etc/passwd')", "function file"),
        ("SELECT \"file\" /* */ ('/etc/passwd')", "function file"),
        ("SELECT `fi\\x6ce`('/etc/passwd')", "backslash"),
        ("SELECT * FROM url('http://x')", "function url"),
        ("SELECT * FROM merge('system', '.*')", "function merge"),
        ("SELECT aiGenerate('hello')", "function ai"),
        ("SELECT * FROM system.processes", "System tables"),
        ("SELECT * FROM `system`.processes", "System tables"),
        ("SELECT * FROM INFORMATION_SCHEMA.TABLES", "System tables"),
        ("SELECT * FROM {t:Identifier}", "cannot stand for a name"),
        ("SELECT {t}", "{name:Type}"),
        ("SELECT 'open", "not closed"),
        ("SELECT $$text$$", "inside quotes"),
        ("SELECT ‘text’", "inside quotes"),
        ("SELECT 1 # comment", "inside quotes"),
        ("SELECT 1 /* open", "comment is not closed"),
        ("SELECT 1 /*/ INTO OUTFILE 'x'", "comment is not closed"),
        (f"SELECT {'1' * SQL_CHARS_MAX}", "characters"),
    ],
)
def test_everything_else_is_refused_in_one_sentence(sql: str, sentence: str) -> None:
    """Whoever asked is told what to change."""
    with pytest.raises(BadQuery) as refused:
        admit(sql)
    assert sentence in str(refused.value)


def test_comments_are_taken_out() -> None:
    """What the engine gets has nothing in it that only one of us understands."""
    assert admit("SELECT /* a ' quote */ 1 -- and `another\n + 2").split() == ["SELECT", "1", "+", "2"]


def test_parameters_are_seen_outside_quotes_only() -> None:
    """A brace in a text takes no value."""
    assert has_parameters("SELECT {n:UInt8}")
    assert not has_parameters("SELECT '{n:UInt8}'")
