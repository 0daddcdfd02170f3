"""An order that is paid by card, as the payments role lives it: asked for, called about, paid, charged back."""

from __future__ import annotations

import time
from decimal import Decimal
from types import SimpleNamespace
from typing import cast

import pytest

from schemas.currencies import FiatTotal
from schemas.hints import PaymentHint
from schemas.payments import (
    BackendState,
    ObservePayment,
    PaymentSettled,
    PaymentWanted,
)
from services.payments.simulated import SimulatedWallet
from services.payments.stripe import StripeAccount
from tests.services.payments.stripe_bench import SECRET, backend_of
from tests.support.builders import MERCHANT, a_key
from tests.support.scripted_nodes import Clock, Ledger
from tests.support.scripted_stripe import ScriptedStripe
from tests.support.till import Till, a_record, until

TOTAL = FiatTotal(amount=Decimal("30.57"), currency="EUR")


@pytest.mark.case("F14", "P19")
@pytest.mark.req("PAY-12")
async def test_an_order_in_euro_is_asked_for_paid_by_card_and_charged_back() -> None:
    """The look-up says paid, not the call; and a bank that takes the money back is heard of without any call."""
    clock = Clock()
    clock.now_s = int(time.time())
    server = ScriptedStripe(Ledger(clock))
    async with server.serve() as url:
        backend = backend_of(server, url)
        till = Till(cast(SimulatedWallet, SimpleNamespace(account=lambda _: backend)))
        wanted = till.wanted(0, MERCHANT)
        (event,) = wanted.events
        assert isinstance(event, PaymentWanted)
        await till.role.take(0, 0, wanted.model_copy(update={"events": (event.model_copy(update={"fiat": TOTAL}),)}))
        await till.role.caught_up(0)
        asked = await till.requested(1, MERCHANT)
        (one,) = server.ledger.entries
        assert (asked.medium, asked.text, asked.amount_msat, one.amount_msat) == ("fiat", one.text, 10_000, 3_057)
        assert asked.expires_at == event.expires_at < one.expires_at

        server.happened("checkout.session.completed", server.row(one))  # a call that lies
        await call(till, server, backend)
        await server.pay(asked.text)
        await call(till, server, backend)
        await until(lambda: till.observed(MERCHANT))
        assert seen(till) == [(BackendState.SETTLED, 10_000)]

        settled = PaymentSettled(
            order=a_key(merchant=MERCHANT), intent_id=event.intent_id, gross_msat=10_000, due_msat=10_000, settled_at=1
        )
        await till.role.take(0, 2, a_record(2, MERCHANT, settled))
        server.dispute(one, "needs_response")
        await until(lambda: len(seen(till)) > 1)
        assert seen(till)[1:] == [(BackendState.REVERSED, 10_000)]
        await till.role.close()
        await backend.close()


def seen(till: Till) -> list[tuple[BackendState, int]]:
    """What look-ups found, as the role says it."""
    found = [command.body for command in till.said if isinstance(command.body, ObservePayment)]
    return [(body.state, body.gross_msat) for body in found]


async def call(till: Till, server: ScriptedStripe, backend: StripeAccount) -> None:
    """Have Stripe call about its newest event."""
    raw, headers = server.notice(server.events[-1], SECRET)
    (hint,) = await backend.parse_notice("", headers, raw)
    assert hint.backend_ref is not None
    till.role.hinted(0, PaymentHint(merchant=MERCHANT, backend_ref=hint.backend_ref, at_ms=0))
