"""Remembers what a lightning address said of itself when it was taken, and tells what is otherwise since (F7).

Somebody who takes an address over makes its invoices somewhere else, or says something else of it: then nothing new
is asked for there until a person has looked. Another node alone is only warned of, since custodians change theirs.
Who takes over the server itself and says the same of it, at another node, is not told from such a custodian.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import structlog

from schemas.lnurl import PayTerms
from services.payments.lud16_book import Book, Pin

ACCEPT = "if that is right, `ncc wallet check SHOP --accept`"

log = structlog.get_logger(role="payments")


class Pins:
    """What one address is held to; every call may raise `Retry`, as its book does."""

    def __init__(self, book: Book, address: str) -> None:
        self._book, self._address = book, address

    def renew(self) -> None:
        """Hold it to what it says next, whatever that is."""
        self._book.unpin(self._address)

    def changes(self, terms: PayTerms) -> str:
        """What it says otherwise than when it was taken, in words for the operator; empty where all is the same.

        What an address says first is what it is held to.
        """
        host, pin = urlsplit(terms.callback).netloc.lower(), self._book.pin(self._address)
        if pin is None:
            self._book.add_pin(Pin(self._address, host, terms.description_hash))
            return ""
        words = [f"its invoices are made at {host} and not at {pin.host} any more"] if host != pin.host else []
        if terms.description_hash != pin.description_hash:
            words.append("it says another text of itself")
        return f"the lightning address has changed: {', and '.join(words)}; {ACCEPT}" if words else ""

    def note_payee(self, payee: str) -> None:
        """Remember which node an invoice is of: the first one, and the newest."""
        pin = self._book.pin(self._address)
        if pin is None or payee == (pin.payee_now or pin.payee):
            return
        self._book.note_payee(self._address, payee)
        if pin.payee is not None:
            log.warning("a lightning address gives invoices of another node", node=payee[:16], first=pin.payee[:16])

    def warnings(self) -> tuple[str, ...]:
        """What to look at, and to use the address all the same."""
        pin = self._book.pin(self._address)
        if pin is None or pin.payee_now in {None, pin.payee}:
            return ()
        return (f"its invoices are of another node than at first, as custodians' may be; {ACCEPT}",)
