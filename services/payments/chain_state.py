"""Says what an address's history means for its request: nothing yet, on its way, in part, paid, or taken back.

Only blocks count, and only once enough stand on them. What was told and is gone was taken back where the chain was
reorganised for certain and has grown since; until then it is on its way, as a transaction comes back into a block
more often than not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.payments import BackendState
from services.payments.chain_book import Row
from services.payments.esplora import Incoming

FINAL_BLOCKS: Final = 6
"""How many blocks more than it needed stand on a payment that no reorganisation is looked for any more."""
LATE_S: Final = 7 * 86_400
"""How long after its end a request's address is still watched."""
SMALL_SATS: Final = 1_000_000
SMALL_CONFIRMATIONS: Final = 1
LARGE_CONFIRMATIONS: Final = 3
_PAID: Final = frozenset({BackendState.PARTIAL, BackendState.SETTLED})


@dataclass(frozen=True, slots=True)
class Sight:
    """What there is at an address: sats that count, sats that do not count yet, and the last block that counts."""

    deep_sats: int
    waiting_sats: int
    block_height: int | None
    block_hash: str | None
    paid_at: int
    evidence: str
    digest: str

    @property
    def all_sats(self) -> int:
        """Both together."""
        return self.deep_sats + self.waiting_sats


def confirmations_for(amount_sats: int, fixed: int | None) -> int:
    """How many blocks a payment needs, its own among them; `fixed` is the shop's own rule for every amount."""
    if fixed is not None:
        return fixed
    return SMALL_CONFIRMATIONS if amount_sats < SMALL_SATS else LARGE_CONFIRMATIONS


def sight_of(address: str, history: Sequence[Incoming], tip: int, needed: int) -> Sight:
    """What a history comes to while the chain is `tip` blocks high; dust and several payments add up."""
    deep = [one for one in history if one.block is not None and tip - one.block.height + 1 >= needed]
    blocks = [one.block for one in deep if one.block is not None]
    last = max(blocks, key=lambda block: block.height, default=None)
    deep_sats = sum(one.sats for one in deep)
    places = sorted((one.txid, one.sats, one.block.hash if one.block else "", one in deep) for one in history)
    newest = max((one for one in deep if one.block == last), key=lambda one: one.txid, default=None)
    return Sight(
        deep_sats,
        sum(one.sats for one in history) - deep_sats,
        last.height if last else None,
        last.hash if last else None,
        last.at if last else 0,
        f"bitcoin:{address}:{newest.txid}" if newest else "",
        hashlib.sha256(repr(places).encode()).hexdigest(),
    )


def is_missing(row: Row, sight: Sight) -> bool:
    """Whether less is there, in whatever state, than was told to have come."""
    return sight.all_sats < row.told_sats


def seen_now(row: Row, sight: Sight, is_lost: bool, tip: int, needed: int, now_s: int) -> Row:
    """What is to be kept of an address after a look; `is_lost`: what was told is missing, and its block is no more."""
    if row.state == BackendState.REVERSED:
        return row
    if is_lost:
        lost_height = tip if row.lost_height is None else row.lost_height
        if tip > lost_height:
            return row._replace(state=BackendState.REVERSED, is_final=1, digest=sight.digest)
        return row._replace(state=BackendState.PENDING, lost_height=lost_height, digest=sight.digest)
    kept = row._replace(lost_height=None, digest=sight.digest)
    is_over = now_s >= row.expires_at + LATE_S
    if sight.deep_sats < row.told_sats:  # it is there, and not deep enough any more
        return kept._replace(state=BackendState.PENDING)
    if sight.deep_sats == 0:
        if sight.waiting_sats:
            return kept._replace(state=BackendState.PENDING)
        state = BackendState.EXPIRED if now_s >= row.expires_at else BackendState.OPEN
        return kept._replace(state=state, is_final=int(is_over))
    is_paid = sight.deep_sats >= row.amount_sats
    is_new = sight.deep_sats > row.told_sats or row.settled_at is None
    depth = tip - (sight.block_height or tip) + 1
    return kept._replace(
        state=BackendState.SETTLED if is_paid else BackendState.PARTIAL,
        told_sats=sight.deep_sats,
        settled_at=min(sight.paid_at, now_s) if is_new else row.settled_at,
        evidence=sight.evidence,
        block_height=sight.block_height,
        block_hash=sight.block_hash,
        is_final=int(is_over and depth >= needed + FINAL_BLOCKS and not sight.waiting_sats),
    )


def is_news(row: Row, seen: Row) -> bool:
    """Whether a look found money, or its loss, that was not told before."""
    if seen.state == BackendState.REVERSED:
        return row.state != BackendState.REVERSED
    return seen.state in _PAID and seen.told_sats != row.told_sats
