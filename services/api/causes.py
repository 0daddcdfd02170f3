"""What an operator's wish is known by, so that the same one sent again is decided once."""

from __future__ import annotations

import secrets


def cause_of(request: str | None) -> str:
    """The cause of what follows: named by the caller's own request id, else it is a wish of its own."""
    return f"operator {request or secrets.token_hex(8)}"
