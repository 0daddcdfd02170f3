"""Who may approve pay-outs: each with a token of their own, of which only the hash is kept in the home.

The operator's token asks and never approves; an approver's approves and does nothing else. So money leaves only with
the word of whoever holds a token that the asker was not shown. Who may write the home's files can make themselves an
approver: two persons are two as far as one of them alone has the home.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from pathlib import Path
from typing import Final

from services.home import Home, write_atomic

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}", re.ASCII)
TOKEN_BYTES: Final = 32


class BadApprover(ValueError):
    """A name that cannot be added; the message is for the operator."""


class Approvers:
    """The approvers of one home, read anew at each question."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @classmethod
    def of(cls, home: Home) -> Approvers:
        """Those of a home folder."""
        return cls(home.secrets / "approvers.json")

    def add(self, name: str) -> str:
        """Make an approver's token, which is shown here and nowhere else. Raises `BadApprover`."""
        if not NAME.fullmatch(name):
            raise BadApprover("a name has lower-case letters, digits, dots and dashes, 32 at most")
        known = self._known()
        if name in known:
            raise BadApprover(f"there is an approver {name} already: remove them first for a new token")
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._keep({**known, name: _hash(token)})
        return token

    def remove(self, name: str) -> bool:
        """Make a token worthless; tells whether there was one."""
        known = self._known()
        if name not in known:
            return False
        self._keep({one: digest for one, digest in known.items() if one != name})
        return True

    def names(self) -> tuple[str, ...]:
        """All of them, sorted."""
        return tuple(sorted(self._known()))

    def who(self, token: str) -> str | None:
        """Whose token it is; None for nobody's."""
        given = _hash(token)
        found = [name for name, digest in self._known().items() if secrets.compare_digest(digest, given)]
        return found[0] if found else None

    def _known(self) -> dict[str, str]:
        try:
            said = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        return {str(name): str(digest) for name, digest in said.items()}

    def _keep(self, known: dict[str, str]) -> None:
        write_atomic(self._file, json.dumps(known, indent=2, sort_keys=True).encode() + b"\n")


def _hash(token: str) -> str:
    """A token is 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
