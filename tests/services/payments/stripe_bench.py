"""A Stripe account on the bench, and what its tests do there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from schemas.bolt11 import Network
from services.payments.port import (
    PaymentRequest,
)
from services.payments.stripe import StripeAccount
from services.payments.stripe_words import stripe_calls
from tests.services.payments.contract import Bench
from tests.support.scripted_nodes import Entry
from tests.support.scripted_stripe import KEY, ScriptedStripe

SECRET = "whsec_what the endpoint's page says"
SUCCESS_URL = "https://shop.example/thanks"
POLL_S = 0.02
LIFE_S = 3_600
DAY_S = 86_400


@pytest.fixture
async def server() -> ScriptedStripe:
    return ScriptedStripe()


@pytest.fixture
async def url(server: ScriptedStripe) -> AsyncIterator[str]:
    async with server.serve() as url:
        yield url


@pytest.fixture
async def backend(server: ScriptedStripe, url: str) -> AsyncIterator[StripeAccount]:
    backend = backend_of(server, url)
    yield backend
    await backend.close()


@pytest.fixture
def bench(server: ScriptedStripe, backend: StripeAccount) -> Bench:
    clock = server.ledger.clock

    async def pay(text: str) -> None:
        await clock.pass_time(1)  # Stripe tells the second, so two in one second have no order
        await server.pay(text)

    def shown(request: PaymentRequest) -> str | None:
        return entry_of(server, request).memo

    return Bench(backend, pay, clock, clock.pass_time, LIFE_S, shown=shown)


def backend_of(server: ScriptedStripe, url: str, key: str = KEY) -> StripeAccount:
    return StripeAccount(
        stripe_calls(SecretStr(key), url),
        SUCCESS_URL,
        Network.BITCOIN,
        server.ledger.clock,
        webhook_secret=SecretStr(SECRET),
        poll_s=POLL_S,
    )


def entry_of(server: ScriptedStripe, request: PaymentRequest) -> Entry:
    """A request's session at the server."""
    return next(one for one in server.ledger.entries if one.text == request.text)


def strangers(server: ScriptedStripe, count: int, at: int) -> None:
    """Add sessions that somebody else made in the account."""
    one = replace(server.ledger.entries[0], label="somebody's", number=99, made_at=at)
    server.made[99] = {**server.made[1], "metadata[ncc_reference]": "somebody's"}
    server.ledger.entries += [replace(one, preimage=number.to_bytes(32, "big")) for number in range(count)]


async def paid(server: ScriptedStripe, bench: Bench, order_id: str = "order-1") -> tuple[PaymentRequest, Entry]:
    """A request that was paid, and its session at the server."""
    request = await bench.request(order_id)
    await bench.pay(request.text)
    return request, entry_of(server, request)
