"""Decides whether a statement from outside may be run at all: one SELECT that stays inside our own tables.

The engine refuses writes and table functions itself (`readonly = 1`, set by the store).
In-process it still lets a SELECT write a file (`INTO OUTFILE`), read one (the scalar `file()`),
run a second statement, and look at other people's queries (`system.processes`): those are refused here.

The text is cut into the engine's own tokens; what is neither needed nor understood is refused,
so that no token can be live for the engine and dead for us. Comments are taken out for the same reason.
"""

from __future__ import annotations

import re
from typing import Final

from services.metrics.port import BadQuery

SQL_CHARS_MAX: Final = 20_000
"""Longer statements are no questions of people; the lexer is linear, the engine's planner is not."""

_TOKEN: Final = re.compile(
    r"""
      (?P<space>[ \t\r\n]+ | --[^\n]* | /\*.*?\*/)
    | (?P<text>'(?:[^'\\]|\\.|'')*')
    | (?P<quoted>"[^"\\]*" | `[^`\\]*`)
    | (?P<parameter>\{[ ]*[A-Za-z_][A-Za-z0-9_]*[ ]*:(?:[A-Za-z0-9_ ,()]|'[A-Za-z0-9_/+-]*')*\})
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>[0-9]+)
    | (?P<mark>[-+*/%=<>!.,()\[\]?:|])
    """,
    re.VERBOSE | re.DOTALL,
)
_WORDS_REFUSED: Final = {
    "into": "Results cannot be written to a file here.",
    "outfile": "Results cannot be written to a file here.",
    "settings": "Settings cannot be changed here.",
    "parallel": "Only one statement is run at a time.",
    "system": "System tables are not open to queries.",
    "information_schema": "System tables are not open to queries.",
}
_SYSTEM: Final = ("system", "information_schema")
_FUNCTIONS_REFUSED: Final = frozenset(
    {"file", "merge", "eval", "python", "arrowstream", "input", "sleep", "sleepeachrow", "showcertificate"}
    | {"cluster", "clusterallreplicas", "remote", "remotesecure", "url", "executable", "viewexplain", "view"}
)
_PREFIXES_REFUSED: Final = (
    "ai",
    "catboost",
    "dictget",
    "filesystem",
    "fuzz",
    "joinget",
    "mergetree",
    "reversedns",
)


def admit(sql: str) -> str:
    """The statement as it may be run, without comments. Raises `BadQuery` with one sentence for its author."""
    if len(sql) > SQL_CHARS_MAX:
        raise BadQuery(f"The statement has more than {SQL_CHARS_MAX:,} characters.")
    tokens = _tokens(sql)
    live = [(kind, text) for kind, text in tokens if kind != "space"]
    first = next((text.lower() for _, text in live if text != "("), "")
    if first not in ("select", "with"):
        raise BadQuery("Only SELECT is answered here.")
    for number, (kind, text) in enumerate(live):
        _check(kind, text, called=live[number + 1 : number + 2] == [("mark", "(")])
    return "".join(" " if kind == "space" else text for kind, text in tokens)


def has_parameters(sql: str) -> bool:
    """Whether an admitted statement has a `{name:Type}` parameter."""
    return any(kind == "parameter" for kind, _ in _tokens(sql))


def _tokens(sql: str) -> list[tuple[str, str]]:
    """Kind and text of every token, space and comments included; one semicolon at the end is dropped."""
    sql = sql.strip().removesuffix(";")
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(sql):
        found = _TOKEN.match(sql, at)
        if found is None or found.lastgroup is None:
            raise BadQuery(_unreadable(sql[at]))
        if found.group() == "/" and sql.startswith("/*", at):
            raise BadQuery("A comment is not closed.")
        tokens.append((found.lastgroup, found.group()))
        at = found.end()
    return tokens


def _unreadable(character: str) -> str:
    """Why a statement stops making sense at this character."""
    match character:
        case ";":
            return "Only one statement is run at a time."
        case "'" | '"' | "`":
            return f"A quote ({character}) is not closed, or a quoted name holds a backslash."
        case "{":
            return "A parameter is written {name:Type}."
        case _:
            return f"The character {character!r} is understood inside quotes only."


def _check(kind: str, text: str, called: bool) -> None:
    """Refuse a token that would leave our own tables; `called` says that a bracket follows it."""
    if kind == "parameter" and text.strip("{} ").rpartition(":")[2].strip().lower() == "identifier":
        raise BadQuery("A parameter cannot stand for a name.")
    if kind not in ("word", "quoted"):
        return
    name = text.strip('"`').lower()
    if name in _WORDS_REFUSED and (kind == "word" or name in _SYSTEM):
        raise BadQuery(_WORDS_REFUSED[name])
    if name == "format" and kind == "word" and not called:
        raise BadQuery("The form of the answer is fixed: leave FORMAT out.")
    if called and (name in _FUNCTIONS_REFUSED or name.startswith(_PREFIXES_REFUSED)):
        raise BadQuery(f"The function {name} is not open to queries.")
