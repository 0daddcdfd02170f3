"""Checks the README against what it speaks of: targets, commands, options, settings, dialects."""

from __future__ import annotations

import re

import pytest

from schemas.dialects import DIALECTS
from services.config import Role, Settings
from services.metrics.statements import schema
from tests.docs.documents import ROOT, code, commands, options_of, said_commands

README = (ROOT / "README.md").read_text()
MAKE_TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))


def settings_table() -> dict[str, str]:
    """Variable → default, as the table says it."""
    rows = re.findall(r"^\| `(NCC_[A-Z_]+)` \| (.+?) \| .+ \|$", README, re.M)
    return {variable: default.strip("`") for variable, default in rows}


def test_it_is_short_enough_to_be_read() -> None:
    """And long enough to be of use."""
    assert 80 <= len(README.splitlines()) <= 150


def test_every_make_target_it_names_exists() -> None:
    """In code blocks and in sentences."""
    named = {target for line in code(README) for target in re.findall(r"\bmake ([a-z]+)", line)}

    assert {"demo", "test"} <= named
    assert named <= MAKE_TARGETS


def test_every_command_it_names_exists() -> None:
    """With its subcommand where it has some."""
    named = set(said_commands(README))

    assert {"up", "merchant add", "orders", "order ship", "quarantine replay", "sql"} <= named
    assert named <= commands()


def test_every_option_it_shows_exists() -> None:
    """Of the command on the same line."""
    shown = {
        (command, option)
        for line in code(README)
        for command in said_commands(f"`{line}`")
        for option in re.findall(r"(--[a-z-]+)", line)
    }

    assert ("up", "--relay") in shown
    assert {(command, option) for command, option in shown if option not in options_of(command)} == set()


@pytest.mark.req("OPS-16")
def test_every_setting_is_in_the_table_with_its_default() -> None:
    """A setting nobody can find might as well not be there."""
    defaults = {
        f"NCC_{name.upper()}": str(getattr(field.default, "value", field.default)) or "none"
        for name, field in Settings.model_fields.items()
    }

    assert settings_table() == defaults


@pytest.mark.req("OPS-16")
def test_every_dialect_is_in_the_matrix() -> None:
    """By the name that orders are marked with."""
    matrix = README.partition("## Dialects")[2].partition("\n## ")[0]

    assert all(re.search(rf"^\| {name}\b", matrix, re.M) for name in DIALECTS)


@pytest.mark.req("NCC-10")
def test_it_says_what_it_does_not_do() -> None:
    """Shop window, custody, escrow, relay."""
    section = README.partition("## What it does not do")[2].partition("\n## ")[0].lower()

    assert all(word in section for word in ("shop window", "custody", "escrow", "relay"))


def test_the_picture_names_every_role_once() -> None:
    """Each process has one place in it."""
    picture = README.partition("```\n")[2].partition("```")[0]

    for role in Role:
        others = re.sub(r"ncc\.\w+|through metrics|payments:", "", picture)
        assert len(re.findall(rf"\b{role.value}\b", others)) == 1, role


def test_every_view_it_names_exists() -> None:
    """Those it lists, and those its queries ask."""
    views = {statement.name for statement in schema()}
    listed = re.findall(r"`(\w+)`", README.partition("the views are ")[2].partition(".\n")[0])
    asked = [name for line in code(README) for name in re.findall(r"\bFROM (\w+)", line)]

    assert len(listed) > 5
    assert set(listed) | set(asked) <= views
