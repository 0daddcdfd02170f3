"""Documents in files: YAML or JSON, one or several in a file, with the line where something is wrong.

The one place that imports yaml. Every scalar is read as text: `NO` is Norway, and 10.10 keeps its last digit.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from schemas.market.describing import MODELS
from schemas.market.documents import Document, wrongs
from schemas.nostr.kinds import Kind

FILE_BYTES_MAX: Final = 1_000_000
DEPTH_MAX: Final = 12
SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})


class DocumentRefused(ValueError):
    """A file that is no document; the message says the file, the line and what to write there."""


@dataclass(frozen=True, slots=True)
class Found:
    """A document as it was read, and checked."""

    where: str
    fields: dict[str, Any]
    document: Document


def read_file(path: Path, kind: Kind) -> list[Found]:
    """Every document of a file, `-` being standard input. Raises `DocumentRefused`."""
    name = "standard input" if str(path) == "-" else str(path)
    try:
        text = sys.stdin.read() if str(path) == "-" else _text(path)
    except OSError as error:
        raise DocumentRefused(f"{name} cannot be read ({type(error).__name__}): give a YAML or JSON file") from None
    except UnicodeDecodeError:
        raise DocumentRefused(f"{name} is no UTF-8 text: save it as UTF-8") from None
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        return [_read(node, name, kind) for node in nodes if node is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise DocumentRefused(f"{name}, line {line}: {error.problem or 'cannot be read as YAML'}") from None
    except (yaml.YAMLError, RecursionError):
        raise DocumentRefused(f"{name} cannot be read as YAML: it is nested too deep, or has odd characters") from None


def write(fields: Mapping[str, Any]) -> str:
    """A document as YAML, its fields in their order, texts of several lines as blocks."""
    text: str = yaml.dump(dict(fields), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100)
    return text


def setting(text: str) -> tuple[str, Any]:
    """One NAME=VALUE, the value as YAML would have it; an empty one takes the field away. Raises `DocumentRefused`."""
    name, is_said, value = text.partition("=")
    if not is_said:
        raise DocumentRefused(f"{text!r} is no NAME=VALUE, like price='10 EUR'")
    if value[:1] not in ("[", "{"):
        return name.strip(), value or None
    try:
        node = yaml.compose(value, Loader=yaml.SafeLoader)
        return name.strip(), None if node is None else _plain(node)
    except yaml.YAMLError:
        raise DocumentRefused(f"{name}: {value!r} cannot be read: write a list like [one, two]") from None


def _text(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        text = file.read(FILE_BYTES_MAX + 1)
    if len(text) > FILE_BYTES_MAX:
        raise DocumentRefused(f"{path} has more than {FILE_BYTES_MAX:,} characters: divide it")
    return text


def _read(node: yaml.Node, name: str, kind: Kind) -> Found:
    where = f"{name}, line {node.start_mark.line + 1}"
    fields = _plain(node)
    if not isinstance(fields, dict):
        raise DocumentRefused(f"{where}: a document is a list of fields, like 'title: Tea'")
    try:
        return Found(where, fields, MODELS[kind].model_validate(fields))
    except ValidationError as error:
        path, what = wrongs(error)[0]
        line = _line_of(node, path)
        field = ".".join(str(step) for step in path)
        raise DocumentRefused(f"{name}, line {line}: {field + ': ' if field else ''}{what}") from None


def _plain(node: yaml.Node, depth: int = 0) -> Any:
    """A node as mappings, lists and texts; an empty value, or `null`, is none."""
    if depth > DEPTH_MAX:
        raise RecursionError
    match node:
        case yaml.MappingNode():
            return {str(key.value): value for key, one in node.value if (value := _plain(one, depth + 1)) is not None}
        case yaml.SequenceNode():
            return [_plain(one, depth + 1) for one in node.value]
        case _:
            return None if node.tag == "tag:yaml.org,2002:null" else str(node.value)


def _line_of(node: yaml.Node, path: tuple[str | int, ...]) -> int:
    """The line of what a path leads to, or of the last step that is there."""
    for step in path:
        children: list[tuple[Any, yaml.Node]] = []
        match node:
            case yaml.MappingNode():
                children = [(key.value, one) for key, one in node.value]
            case yaml.SequenceNode():
                children = list(enumerate(node.value))
        found = next((one for name, one in children if name == step), None)
        if found is None:
            break
        node = found
    return int(node.start_mark.line) + 1


class _Dumper(yaml.SafeDumper):
    """Lists indented under their field, and long texts as blocks."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Never without indent."""
        super().increase_indent(flow, False)


def _show_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _show_text)
