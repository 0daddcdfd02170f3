"""What the documents' tests share: where they are, their links, and the command line they speak of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from services.cli.main import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")],
    key=lambda path: path.relative_to(ROOT).as_posix(),
)


def name_of(path: Path) -> str:
    """A document's path from the root."""
    return path.relative_to(ROOT).as_posix()


def links(text: str) -> list[str]:
    """Every link's target."""
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchors(text: str) -> set[str]:
    """The anchors a renderer makes of the headings: lower case, blanks to hyphens, marks dropped."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code(text: str) -> Iterator[str]:
    """Every line or span of code: fenced blocks line by line, and what stands between backticks."""
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def commands() -> set[str]:
    """Every command of `ncc`, subcommands as two words."""
    found: set[str] = set()
    for name, command in _below(typer.main.get_command(app)).items():
        found.add(name)
        found |= {f"{name} {sub}" for sub in _below(command)}
    return found


def said_commands(text: str) -> Iterator[str]:
    """The `ncc` commands a document names, one or two words each, as far as they are plain words."""
    known_groups = {command.split()[0] for command in commands() if " " in command}
    for line in code(text):
        for words in re.findall(r"(?:(?:^|[ /])ncc|\boperator) ([a-z][a-z-]*(?: [a-z]+(?:-[a-z]+)*)?)", line):
            first, _, second = words.partition(" ")
            yield words if first in known_groups and second else first


def options_of(command: str) -> set[str]:
    """The options of one command."""
    found: Any = typer.main.get_command(app)
    for word in command.split():
        found = _below(found)[word]
    return {option for parameter in found.params for option in parameter.opts if option.startswith("--")}


def _below(command: Any) -> dict[str, Any]:
    """A group's commands by name; nothing below a command that is none."""
    names = command.list_commands(None) if hasattr(command, "list_commands") else ()
    return {name: command.get_command(None, name) for name in names}
