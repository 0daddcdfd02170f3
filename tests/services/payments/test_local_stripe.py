"""Runs the Stripe back-end through the payment contract with localstripe's payments, refunds and signed webhooks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas.bolt11 import Network
from schemas.payments import BackendState
from services.payments.port import FROM_THE_START, Unauthorized
from services.payments.stripe import StripeAccount
from services.payments.stripe_words import stripe_calls
from tests.services.payments.contract import Bench, PaymentBackendContract
from tests.services.payments.stripe_bench import SECRET, SUCCESS_URL, backend, bench, paid, url
from tests.support.local_stripe import CheckoutInFront, local_stripe
from tests.support.scripted_nodes import Ledger, serving

__all__ = ["backend", "bench", "url"]

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with local_stripe(tmp_path_factory.mktemp("localstripe")) as peer:
        yield peer


@pytest.fixture
async def server(peer: str) -> CheckoutInFront:
    return CheckoutInFront(url=peer)


class TestStripeWithLocalstripesMoney(PaymentBackendContract):
    """The contract; pages are the scripted account's, and their money localstripe's."""

    back_end, peer = "stripe", "half real"


@pytest.mark.case("F14")
@pytest.mark.parametrize(("units", "state"), [(None, BackendState.REVERSED), (5_000_000, BackendState.SETTLED)])
async def test_a_refund_at_localstripe_takes_back_the_whole_and_no_part(
    server: CheckoutInFront, bench: Bench, units: int | None, state: BackendState
) -> None:
    """By the charge's own word; the list of refunds leads to its request."""
    request, one = await paid(server, bench)
    _, cursor = await bench.scan_all(FROM_THE_START)
    server.give_back(one, units)
    assert (await bench.lookup(request)).state is state
    found, _ = await bench.scan_all(cursor)
    assert {seen.backend_ref for seen in found} == ({request.backend_ref} if units is None else set())


@pytest.mark.case("F11", "P7")
@pytest.mark.req("PAY-16")
async def test_what_localstripe_signed_is_known_and_nothing_else(server: CheckoutInFront, bench: Bench) -> None:
    """Its own `Stripe-Signature` over its own body; a letter more, or another secret, and it is nobody's."""
    heard: asyncio.Queue[tuple[bytes, dict[str, str]]] = asyncio.Queue()

    async def hear(request: Request) -> Response:
        heard.put_nowait((await request.body(), dict(request.headers)))
        return Response()

    async with serving(Ledger(), Starlette(routes=[Route("/", hear, methods=["POST"])])) as hook:
        await asyncio.to_thread(server.call, "POST", "/_config/webhooks/ours", {"url": hook, "secret": SECRET})
        await paid(server, bench)
        raw, headers = await asyncio.wait_for(heard.get(), 20)

    now, another = (
        StripeAccount(
            stripe_calls(SecretStr("rk_test_1"), server.url),
            SUCCESS_URL,
            Network.BITCOIN,
            time.time,
            webhook_secret=SecretStr(secret),
        )
        for secret in (SECRET, "whsec_another")
    )
    assert await now.parse_notice("", headers, raw) == ()  # a payment of its own kind: the session's event is the hint
    for account, body in ((now, raw + b" "), (another, raw)):
        with pytest.raises(Unauthorized):
            await account.parse_notice("", headers, body)
    await now.close()
    await another.close()
