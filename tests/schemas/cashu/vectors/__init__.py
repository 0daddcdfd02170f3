"""The vectors that the NUTs publish, as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def published(name: str) -> Any:
    """One file of them: `nut00` and the like."""
    return json.loads((Path(__file__).parent / f"{name}.json").read_text())
