"""Changes JSON as JSON: the readers behind it are compiled, so nothing guides a search through its bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

_NASTY: tuple[str, ...] = (
    *("null", "true", "false", "[]", "{}", '""', "0", "-1", "1.0", "-0", "1e400", "NaN", "-Infinity", "[[[[[[]]]]]]"),
    *(str(2**53), str(2**63), str(-(2**63) - 1), "9" * 400, "0." + "3" * 60, "1e-400", '"\\ud800"', '"\\u0000"'),
    *('"0"', '" 1 "', '"1e3"', '"NaN"', '"0x1"', '"1_0"', '"\u0661"', '"\u2028\u202e"', '"\\ud83d\\ude00"', '{"":{}}'),
)


def mutated_json(data: bytes, size_max: int, chance: Random) -> bytes | None:
    """The document with one to three members changed, as bytes; None where it is no JSON or grows too large."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    raw: dict[str, str] = {}
    for _ in range(chance.randint(1, 3)):
        document = _changed(document, chance, raw)
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=chance.random() < 0.5)
    for name, value in raw.items():
        text = text.replace(f'"{name}"', value)
    changed = text.encode("utf-8", "surrogatepass")
    return changed if len(changed) <= size_max else None


def _changed(document: Any, chance: Random, raw: dict[str, str]) -> Any:
    """One member replaced, removed, doubled, or swapped for another of the document."""
    places = list(_places(document))
    if not places:
        return _nasty(chance, raw)
    container, key = chance.choice(places)
    other_container, other_key = chance.choice(places)
    match chance.randrange(6):
        case 0:
            del container[key]
        case 1:
            container[key] = json.loads(json.dumps(other_container[other_key]))
        case 2:
            container[key] = [container[key]]
        case 3 if isinstance(container, list):
            container.extend([container[key]] * chance.choice((1, 2, 40)))
        case 4 if isinstance(container[key], str):
            container[key] = _retyped(container[key], chance)
        case _:
            container[key] = _nasty(chance, raw)
    return document


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every member of every object and array, as what holds it and its key."""
    members: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            members.append((holder, key))
            waiting.append(holder[key])
    return members


def _nasty(chance: Random, raw: dict[str, str]) -> str:
    """A stand-in for a value that Python's own writer would not write, put in its place at the end."""
    name = f"\u00a7{len(raw)}\u00a7"
    raw[json.dumps(name)[1:-1]] = raw[name] = chance.choice(_NASTY)
    return name


def _retyped(text: str, chance: Random) -> str:
    place = chance.randint(0, len(text))
    changes: tuple[Callable[[], str], ...] = (
        lambda: text[:place] + chr(chance.choice((0, 9, 10, 31, 127, 0xE9, 0x2028, 0x10FFFF))) + text[place:],
        lambda: text[:place],
        lambda: text * 3,
        text.upper,
        lambda: text[:place] + text[place + 1 :],
    )
    return chance.choice(changes)()
