"""Bugs to plant where money is on its way, or comes as ecash; see `tests.simulation.planted`."""

from __future__ import annotations

from typing import Any

import services.payments.role
from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.payments import BackendState, ObservePayment
from services.payments.cashu_mint import Mint
from services.payments.cashu_swap import Swaps
from services.payments.role import PaymentsRole
from services.payments.token_taking import TokenTaker
from streams.domain import fold_money, settlement
from tests.simulation.planted import Bug, Change

# Money that is on its way


def _pay_by_seeing() -> list[Change]:
    def wrong(decision: Any, order: Any, intent: str) -> None:
        due_msat = order.asked_msat or 0
        seen = ObservePayment(
            order=order.key, intent_id=intent, state=BackendState.SETTLED, gross_msat=due_msat, settled_at=None
        )
        settlement.receive(decision, order, seen)

    return [(settlement, "_see", wrong)]


def _end_what_comes() -> list[Change]:
    return [(fold_money, "later", lambda order, earliest_ms: order)]


def _leave_a_paid_address() -> list[Change]:
    return [(services.payments.role, "TAKES_MORE", frozenset())]


# Ecash


def _forget_tokens() -> list[Change]:
    right = PaymentsRole.caught_up

    async def wrong(self: PaymentsRole, partition: int) -> None:
        for name, owed in list(self._tokens._owed.items()):
            if owed.partition == partition:
                self._tokens._forget(name)
        await right(self, partition)

    return [(PaymentsRole, "caught_up", wrong)]


def _refused_everywhere() -> list[Change]:
    right = TokenTaker._forget

    def wrong(self: TokenTaker, name: tuple[str, str]) -> None:
        for known in [known for known in self._owed if known[1] == name[1]]:
            right(self, known)

    return [(TokenTaker, "_forget", wrong)]


def _never_restore() -> list[Change]:
    async def wrong(self: Mint, outputs: Any, *, timeout_s: float) -> None:
        return None

    return [(Mint, "restore", wrong)]


def _pay_with_it_again() -> list[Change]:
    right = Swaps._take

    async def wrong(self: Swaps, reference: str, token: Any, deadline_s: float) -> None:
        try:
            await right(self, reference, token, deadline_s)
        except TokenRefused as refused:
            if refused.reason is not TokenFault.ALREADY_USED:
                raise
            self._book._run("UPDATE requests SET got = amount WHERE reference = ?", reference)

    return [(Swaps, "_take", wrong)]


RAILS: tuple[Bug, ...] = (
    Bug("pay by seeing", "money that is on its way counts as paid", _pay_by_seeing),
    Bug("end what comes", "an order expires while its money is on its way", _end_what_comes),
    Bug("leave a paid address", "what comes to an address after it was paid is never seen", _leave_a_paid_address),
    Bug("forget tokens", "ecash that was handed in is lost at a crash", _forget_tokens),
    Bug("refused everywhere", "a token refused for one order is forgotten for another", _refused_everywhere),
    Bug("never restore", "ecash whose mint's answer was lost is given up", _never_restore),
    Bug("pay with it again", "one token pays two orders", _pay_with_it_again),
)
