"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _absolute(path: Path | None) -> Path:
    return (path or Path(".ncc")).expanduser().absolute()


Home = Annotated[
    Path | None,
    typer.Option("--home", envvar="NCC_HOME", callback=_absolute, help="The stack's folder; .ncc here without it."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
