"""Marks the invoices a wallet makes for us, and finds them again in the wallet's own list (NIP-47).

NIP-47 has no idempotency key. So each invoice carries its intent's reference: in its metadata, or at the end
of its description where a wallet keeps no metadata. Before one is made, the list is read as far back as the
intent could reach; what was made and never answered for is found there.
"""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from schemas.nostr.nip47_wallet import Transaction
from services.payments.port import Intent, Reference

REFERENCE_KEY: Final = "ncc_reference"
INTENT_KEY: Final = "ncc_intent"
DESCRIPTION_BYTES_MAX: Final = 639
"""What an invoice's description holds (BOLT-11)."""

PAGE_SIZE: Final = 20
"""Transactions a page: 20 with invoice and metadata stay far below what NIP-44 can carry."""
SHORT_PAGE: Final = 10
"""A page shorter than this is the last; a longer one may have been cut short by the wallet's own cap."""
OVERLAP_S: Final = 120
"""How far behind the newest transaction known a further reading begins: a wallet may list a new one late."""
KEPT_MAX: Final = 50_000
"""Marked transactions remembered of one wallet; then the older half is forgotten, and read again when asked for."""

_IN_DESCRIPTION: Final = re.compile(r"\(([a-z2-7]{24})\)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Page:
    """Some incoming transactions, unpaid ones too, newest first; `said` counts those that could not be read as well."""

    transactions: tuple[Transaction, ...]
    said: int


type ListPage = Callable[[int, int, int], Awaitable[Page]]
"""From (unix seconds), offset and limit → a page."""


def metadata_for(intent: Intent) -> dict[str, str]:
    """What is sent along as the metadata of an intent's invoice."""
    return {REFERENCE_KEY: intent.reference, INTENT_KEY: intent.intent_id}


def marked_memo(intent: Intent) -> str:
    """The memo with the reference at its end, the memo cut where both do not fit."""
    mark = f" ({intent.reference})"
    return intent.memo.encode()[: DESCRIPTION_BYTES_MAX - len(mark)].decode(errors="ignore") + mark


def mark_of(transaction: Transaction) -> Reference | None:
    """The reference that a transaction carries, if it is one of ours."""
    said = transaction.metadata.get(REFERENCE_KEY)
    if isinstance(said, str):
        return Reference(said)
    found = _IN_DESCRIPTION.search(transaction.description)
    return Reference(found[1]) if found else None


@dataclass(slots=True)
class _Walk:
    """A reading into the past that goes on where it was interrupted."""

    from_s: int
    offset: int = 0
    newest_s: int | None = None


class Marks:
    """The marked transactions of one wallet, as far back as they were asked for; not for two tasks at once."""

    def __init__(self, list_page: ListPage) -> None:
        self._list_page = list_page
        self._found: dict[Reference, Transaction] = {}
        self._complete_from_s: int | None = None
        self._complete_to_s = 0
        self._walk: _Walk | None = None

    async def find(self, reference: Reference, from_s: int) -> Transaction | None:
        """The transaction with this mark that was created at `from_s` or later; None if there is none.

        Of two made by accident it is always the same one: the one with the mark in its description, since that
        is made only where another is given up, else the oldest.
        """
        if self._complete_from_s is None or from_s < self._complete_from_s:
            await self._walk_back(from_s)
        else:
            await self._catch_up()
        return self._found.get(reference)

    def remember(self, transaction: Transaction) -> None:
        """Keep a transaction with a mark; without one it is not ours."""
        mark = mark_of(transaction)
        if mark is None or not transaction.is_incoming:
            return
        known = self._found.get(mark)
        if known is None or _rank(transaction) <= _rank(known):
            self._found[mark] = transaction
        if len(self._found) > KEPT_MAX:
            self._forget_older_half()

    async def _walk_back(self, from_s: int) -> None:
        """Read everything since `from_s`; an interrupted reading is gone on with by the next call."""
        is_resumed = self._walk is not None and self._walk.from_s <= from_s
        walk = self._walk if self._walk is not None and is_resumed else _Walk(from_s)
        self._walk = walk
        # What arrives meanwhile moves the rest down the list: some of it is read twice, and none left out.
        async for page in self._pages(walk):
            if walk.newest_s is None:
                walk.newest_s = max((one.created_at for one in page.transactions), default=walk.from_s)
        self._walk = None
        self._complete_from_s, self._complete_to_s = walk.from_s, walk.newest_s or walk.from_s
        if is_resumed:
            await self._catch_up()

    async def _catch_up(self) -> None:
        from_s, newest_s = self._complete_to_s - OVERLAP_S, self._complete_to_s
        known_from_s, self._complete_from_s = self._complete_from_s, None  # unless this comes to its end
        async for page in self._pages(_Walk(from_s)):
            newest_s = max(newest_s, *(one.created_at for one in page.transactions))
        self._complete_from_s, self._complete_to_s = known_from_s, newest_s

    async def _pages(self, walk: _Walk) -> AsyncGenerator[Page, None]:
        async for page in pages(self._list_page, walk.from_s, walk.offset):
            for one in page.transactions:
                self.remember(one)
            walk.offset += page.said
            yield page

    def _forget_older_half(self) -> None:
        by_age = sorted(self._found.items(), key=lambda entry: entry[1].created_at)
        kept = by_age[len(by_age) // 2 :]
        self._found = dict(kept)
        self._complete_from_s = kept[0][1].created_at + 1


async def pages(list_page: ListPage, from_s: int, offset: int = 0) -> AsyncGenerator[Page, None]:
    """Give the pages of the list down to `from_s`, until one is short, too old, or says nothing new."""
    seen: set[str] = set()
    while True:
        page = await list_page(from_s, offset, PAGE_SIZE)
        fresh = {one.payment_hash for one in page.transactions} - seen
        if not fresh:  # a wallet that knows no offsets repeats its first page
            return
        yield page
        if page.said < SHORT_PAGE or all(one.created_at < from_s for one in page.transactions):
            return
        seen |= fresh
        offset += page.said


def _rank(transaction: Transaction) -> tuple[bool, int, str]:
    is_second_choice = _IN_DESCRIPTION.search(transaction.description) is None
    return (is_second_choice, transaction.created_at, transaction.payment_hash)
