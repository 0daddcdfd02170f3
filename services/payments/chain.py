"""Is paid on the chain: a fresh address for each request, from a public key, watched at an indexer.

Nothing here can spend. Which address was given for what stands in a book of our own (`chain_book`), written before a
buyer sees it; whether it was paid is what the indexer says, and only blocks count (`chain_state`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import structlog

from schemas import bip21
from schemas.bolt11 import Network
from schemas.payments import BackendState, Method
from schemas.values import MSAT_PER_SAT
from services.payments.asking import (
    clock_words,
    left_s,
    monotonic_s,
    refuse_another,
    refuse_expired,
    refuse_impossible,
)
from services.payments.chain_book import ChainBook, Row
from services.payments.chain_keys import Account, BadKey, read_account
from services.payments.chain_state import LATE_S, confirmations_for, is_missing, is_news, seen_now, sight_of
from services.payments.counted_cursor import count_of
from services.payments.credentials import GAP_LIMIT
from services.payments.esplora import WHOM, Esplora
from services.payments.port import (
    BackendError,
    BackendRef,
    Capabilities,
    Cursor,
    Hint,
    Intent,
    Observation,
    PaymentRequest,
    Probe,
    Proof,
    Push,
    Reference,
    Rejected,
    Retry,
    Scan,
    Unauthorized,
    Unsupported,
)
from services.payments.receiving import OnlyReceives

CAPABILITIES: Final = Capabilities(
    methods=frozenset({Method.BITCOIN}),
    amount_step_msat=MSAT_PER_SAT,
    custom_expiry=True,
    reference_unique=True,
    push=Push.CURSOR,
    late_settle=True,
    payable_late_s=LATE_S,
    partial=True,
    proof=Proof.TXID,
)
DUST_SATS: Final = 546
"""Less than this most nodes do not pass on, whatever it is paid to."""
SCAN_ROWS_MAX: Final = 500
WATCHED_MAX: Final = 10_000
POLLED_MAX: Final = 200
"""Addresses asked about in one round; those that can be paid now come first, the others by turns."""
POLLS_AT_ONCE: Final = 8
POLL_TIMEOUT_S: Final = 10.0
POLL_S: Final = 10.0
TIP_FRESH_S: Final = 2.0
HOT_S: Final = 3_600
"""How long after its end an address without money is asked about in every round, and not with each new block only."""
MOVING: Final = frozenset({BackendState.PENDING, BackendState.PARTIAL})

log = structlog.get_logger(role="payments")


@dataclass(frozen=True, slots=True)
class ChainConfig:
    """One merchant's account (its public key or a descriptor), the home's book of addresses, and its name in it.

    Without a network the indexer's is taken, which is for a trial that finds it out.
    `confirmations` is how many blocks any payment needs; None: by its amount (`chain_state`).
    """

    account: str
    book: Path
    owner: str = ""
    network: Network | None = Network.BITCOIN
    confirmations: int | None = None
    gap_limit: int = GAP_LIMIT


class ChainWallet(OnlyReceives):
    """An account that is paid on the chain: a `PaymentBackend`. Belongs to one event loop; its maker closes it."""

    no_notices = "an indexer sends no notices"
    no_cancel = "an address cannot be taken back"
    no_refund = "a public key only receives"

    capabilities: Final = CAPABILITIES

    def __init__(
        self,
        config: ChainConfig,
        indexer: Esplora,
        clock: Callable[[], float] = time.time,
        poll_s: float = POLL_S,
        tip_fresh_s: float = TIP_FRESH_S,
    ) -> None:
        """Raises `Rejected` for a key that gives no addresses, `Retry` where the book is busy."""
        try:
            self._account: Account = read_account(config.account)
        except BadKey as bad:
            raise Rejected(f"the account's key is not good: {bad}") from None
        if config.network is not None and config.network not in self._account.networks:
            raise Rejected(f"the account's key is not for {config.network.name.lower()}")
        self._name = self._account.name
        self._config, self._indexer, self._clock = config, indexer, clock
        self._poll_s, self._tip_fresh_s = poll_s, tip_fresh_s
        self._chain: Network | None = None
        """What the indexer follows, once that was asked."""
        self._tip, self._tip_until_s = 0, 0.0
        self._looked: dict[str, tuple[int, int]] = {}
        """By reference: how high the chain was at the last look, and the number of that look."""
        self._looks = count()
        self._giving = asyncio.Lock()
        self._book = ChainBook(config.book, config.owner)

    @property
    def network(self) -> Network:
        """What its addresses are for."""
        return self._config.network or self._chain or min(self._account.networks)

    async def close(self) -> None:
        """Let go of the connections and the book."""
        await self._indexer.calls.close()
        self._book.close()

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Give the address that stands in the book for this intent, or the next that nobody ever paid to."""
        if intent.description_hash is not None:
            raise Unsupported("an address commits to no description")
        refuse_impossible(intent, "an account on the chain", CAPABILITIES.amount_step_msat, Method.BITCOIN)
        row = self._book.of_reference(intent.reference)
        if row is None:
            try:
                async with asyncio.timeout(timeout_s), self._giving:
                    row = self._book.of_reference(intent.reference) or await self._give(intent, timeout_s)
            except TimeoutError:
                raise Retry(f"the time was up before {intent.reference} had an address") from None
        refuse_another(intent, row.intent_id, row.amount_sats * MSAT_PER_SAT)
        if row.account == self._name and row.address != self._account.address(row.number, self.network):
            raise Rejected(f"the book has another address for {intent.reference} than the account's key")
        return PaymentRequest(
            backend_ref=BackendRef(row.reference),
            reference=intent.reference,
            method=Method.BITCOIN,
            text=row.text,
            amount_msat=intent.amount_msat,
            expires_at=row.expires_at,
        )

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Tell how a request's address stands; one that is not watched any more, as it stood last."""
        row = self._book.of_reference(ref)
        if row is None:
            return Observation(backend_ref=ref, reference=None, state=BackendState.GONE)
        return _observed(row if row.is_final else self._keep(row, await self._look(row, timeout_s)))

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """Look at what is due, then give up to 500 addresses with news of money after the cursor."""
        news = count_of(cursor, "an account on the chain")
        await self._poll(self._due(await self._height(timeout_s)), timeout_s)
        rows = self._book.told_after(news, SCAN_ROWS_MAX)
        return Scan(tuple(map(_observed, rows)), Cursor(str(rows[-1].news)) if rows else cursor)

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Hint at addresses that have news, and at those whose money is on its way."""
        news = count_of(cursor, "an account on the chain")
        while True:
            for row in self._book.told_after(news, SCAN_ROWS_MAX):
                news = row.news or news
                yield Hint(BackendRef(row.reference), at=row.settled_at or 0)
            moved = await self._poll(self._due(await self._height(POLL_TIMEOUT_S)), POLL_TIMEOUT_S)
            for row in moved:
                if row.state == BackendState.PENDING:
                    yield Hint(BackendRef(row.reference), at=int(self._clock()))
            if not self._book.told_after(news, 1):
                await asyncio.sleep(self._poll_s)

    async def probe(self, *, timeout_s: float) -> Probe:
        """Tell the indexer's chain and clock, the next address, and whether too many were given out in a row."""
        deadline_s = monotonic_s() + timeout_s
        chain = await self._check_chain(timeout_s)
        _, answer = await self._indexer.tip(timeout_s=left_s(deadline_s, WHOM))
        offset_s = answer.clock_offset_s(self._clock())
        following = self._account.address(self._book.next_number(self._name), chain)
        warnings = clock_words(offset_s)
        unused = self._book.unused(self._name)
        if unused > self._config.gap_limit:
            warnings += (self._gap_words(unused),)
        return Probe(
            CAPABILITIES,
            chain,
            clock_offset_s=offset_s,
            warnings=warnings,
            may=("receive", f"the next address is {following}"),
            amount_min_msat=DUST_SATS * MSAT_PER_SAT,
        )

    # Giving addresses

    async def _give(self, intent: Intent, timeout_s: float) -> Row:
        """The next address without a history, once it stands in the book."""
        deadline_s, amount_sats = monotonic_s() + timeout_s, intent.amount_msat // MSAT_PER_SAT
        refuse_expired(intent, self._clock())
        if amount_sats < DUST_SATS:
            raise Rejected(
                f"request {intent.reference} asks for less than {DUST_SATS} sats, which is dust on the chain"
            )
        chain = await self._check_chain(timeout_s)
        while True:
            number = self._book.next_number(self._name)
            address = self._account.address(number, chain)
            if await self._indexer.history(address, timeout_s=left_s(deadline_s, WHOM)):
                # Paid to before it was given out: the account is used elsewhere too, or the book was lost.
                self._book.pass_over(self._name, number, address)
                continue
            text = bip21.write(bip21.ChainRequest(address, amount_sats, intent.memo))
            row = Row(
                self._config.owner,
                self._name,
                number,
                address,
                intent.reference,
                intent.intent_id,
                text,
                amount_sats,
                intent.expires_at,
            )
            if self._book.give(row):
                unused = self._book.unused(self._name)
                if unused > self._config.gap_limit:
                    log.warning("gap limit", detail=self._gap_words(unused))
                return row
            if (other := self._book.of_reference(intent.reference)) is not None:
                return other

    def _gap_words(self, unused: int) -> str:
        return (
            f"{unused} addresses in a row were given out and never paid: a wallet that looks {self._config.gap_limit}"
            " ahead does not see what comes to a later one; raise the gap limit in the wallet"
        )

    async def _check_chain(self, timeout_s: float) -> Network:
        """The chain that the indexer follows, asked once; raise `Unauthorized` where it is another one than ours."""
        if self._chain is None:
            chain = await self._indexer.network(timeout_s=timeout_s)
            wanted, host = self._config.network, self._indexer.calls.host
            if chain is None or wanted not in {None, chain}:
                found = "a chain that is not known here" if chain is None else f"{chain.name.lower()}'s chain"
                raise Unauthorized(f"the indexer at {host} follows {found}: give one of {self.network.name.lower()}")
            if chain not in self._account.networks:
                raise Unauthorized(f"the account's key is not for {chain.name.lower()}, whose chain {host} follows")
            self._chain = chain
        return self._chain

    # Watching

    async def _height(self, timeout_s: float) -> int:
        if monotonic_s() >= self._tip_until_s:
            await self._check_chain(timeout_s)
            self._tip, _ = await self._indexer.tip(timeout_s=timeout_s)
            self._tip_until_s = monotonic_s() + self._tip_fresh_s
        return self._tip

    async def _look(self, row: Row, timeout_s: float) -> Row:
        """What an address has now; one that cannot change without a new block is not asked about again."""
        deadline_s = monotonic_s() + timeout_s
        tip = await self._height(timeout_s)
        if self._looked_at(row) == tip and not self._is_hot(row):
            return row
        needed = confirmations_for(row.amount_sats, self._config.confirmations)
        history = await self._indexer.history(row.address, timeout_s=left_s(deadline_s, WHOM))
        sight = sight_of(row.address, history, tip, needed)
        is_lost = is_missing(row, sight)
        if is_lost:
            await self._prove_loss(row, tip, left_s(deadline_s, WHOM))
        self._looked[row.reference] = (tip, next(self._looks))
        return seen_now(row, sight, is_lost, tip, needed, int(self._clock()))

    async def _prove_loss(self, row: Row, tip: int, timeout_s: float) -> None:
        """Raise `Retry` unless the block that money was seen in is no more: an indexer may be behind, or wrong."""
        assert row.block_height is not None, "what was told stood in a block"
        if tip < row.block_height:
            raise Retry(f"{WHOM} at {self._indexer.calls.host} is behind: it does not have a block yet that it had")
        if await self._indexer.block_hash(row.block_height, timeout_s=timeout_s) == row.block_hash:
            raise Retry(f"{WHOM} at {self._indexer.calls.host} has a block, and not the payment that it said is in it")

    def _keep(self, row: Row, seen: Row) -> Row:
        """Note what was seen, if it is anything new, and give what stands."""
        if seen == row:
            return row
        if seen.is_final:
            self._looked.pop(row.reference, None)
        return self._book.note(row, seen, is_news=is_news(row, seen))

    def _is_hot(self, row: Row) -> bool:
        """Whether money may come to it at any moment, or is on its way."""
        is_open = row.state in {BackendState.OPEN, BackendState.EXPIRED} and self._clock() < row.expires_at + HOT_S
        return is_open or row.state in MOVING

    def _looked_at(self, row: Row) -> int | None:
        """How high the chain was when an address was looked at last."""
        return self._looked[row.reference][0] if row.reference in self._looked else None

    def _due(self, tip: int) -> list[Row]:
        """Addresses to look at now: hot ones, then those not looked at since the chain grew."""
        rows = self._book.watched(WATCHED_MAX)
        hot = [row for row in rows if self._is_hot(row)]
        cold = [row for row in rows if not self._is_hot(row) and self._looked_at(row) != tip]
        hot.sort(key=lambda row: self._looked.get(row.reference, (0, -1))[1])
        return (hot + cold)[:POLLED_MAX]

    async def _poll(self, rows: Sequence[Row], timeout_s: float) -> list[Row]:
        """Look at each; one that cannot be looked at now is so later. Gives those that changed."""
        places = asyncio.Semaphore(POLLS_AT_ONCE)

        async def look(row: Row) -> tuple[Row, Row]:
            async with places:
                try:
                    return row, await self._look(row, timeout_s)
                except BackendError as error:
                    log.warning("indexer not heard", error=type(error).__name__)
                    return row, row

        changed = [(row, seen) for row, seen in await asyncio.gather(*map(look, rows)) if seen != row]
        # What was paid in an earlier block is told first.
        changed.sort(key=lambda pair: (pair[1].block_height or 0, pair[1].number))
        return [self._keep(row, seen) for row, seen in changed]


def _observed(row: Row) -> Observation:
    state = BackendState(row.state)
    is_money = state in {BackendState.SETTLED, BackendState.PARTIAL, BackendState.REVERSED}
    return Observation(
        backend_ref=BackendRef(row.reference),
        reference=Reference(row.reference),
        state=state,
        gross_msat=row.told_sats * MSAT_PER_SAT if is_money else 0,
        settled_at=row.settled_at if is_money else None,
        expires_at=row.expires_at,
        evidence=row.evidence if is_money else "",
        raw_digest=row.digest,
    )
