"""People's messages in the books: every text is sealed, and only an order of the same shop is named (I8, I12)."""

from __future__ import annotations

from services.audit.ledger import Fact, Ledger
from services.audit.rules import PERSONAL

_SEALED = {"key_id", "box"}
_WORDS = PERSONAL - {"name"} | {"subject", "content"}
"""An answer's `name` is a number of ours."""


def written(ledger: Ledger, fact: Fact) -> None:
    """A message or an answer: who and when may be read, not a word of it."""
    text = fact.get("text")
    is_sealed = text is None or (isinstance(text, dict) and set(text) == _SEALED)
    is_clean = _WORDS.isdisjoint(fact)
    ledger.check("I12", is_sealed and is_clean, lambda: f"a message of {ledger.merchant[:8]}'s inbox shows its text")
    if fact.get("order") is not None:
        ledger.ref_of(fact)
