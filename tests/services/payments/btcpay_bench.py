"""What the tests of a BTCPay store share: how one is opened on the scripted server, in either way, and paid."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from schemas import bip21
from schemas.bolt11 import Network
from services.payments.btcpay import BtcpayStore
from services.payments.btcpay_ways import CHAIN_WAY, LIGHTNING_WAY, Way
from services.payments.btcpay_words import btcpay_calls
from services.payments.port import PaymentRequest
from tests.services.payments.contract import Bench
from tests.support.scripted_btcpay import KEY, STORE, ScriptedBtcpay

SECRET = "what the webhook's page says"
POLL_S = 0.02


def backend_of(
    server: ScriptedBtcpay,
    url: str,
    key: str = KEY,
    doubt_s: float = 30.0,
    way: Way = LIGHTNING_WAY,
    may_refund: bool = False,
    network: Network | None = Network.REGTEST,
) -> BtcpayStore:
    """A back-end of the server's store."""
    return BtcpayStore(
        btcpay_calls(url, SecretStr(key)),
        STORE,
        network,
        server.ledger.clock,
        doubt_s,
        way=way,
        may_refund=may_refund,
        webhook_secret=SecretStr(SECRET),
        poll_s=POLL_S,
    )


@asynccontextmanager
async def opened(server: ScriptedBtcpay, url: str, way: Way = LIGHTNING_WAY) -> AsyncIterator[BtcpayStore]:
    """One that receives only, to be closed after the test."""
    backend = backend_of(server, url, way=way)
    yield backend
    await backend.close()


def bench_of(server: ScriptedBtcpay, backend: BtcpayStore) -> Bench:
    """A payer over Lightning, or on the chain, who waits for as many blocks as are needed."""
    clock = server.ledger.clock

    async def pay(text: str) -> None:
        await clock.pass_time(1)  # BTCPay tells the second, so two in one second have no order
        if backend.capabilities.methods == CHAIN_WAY.capabilities.methods:
            asked = bip21.read(text)
            assert asked.amount_sats is not None
            server.send(asked.address, asked.amount_sats, "Settled")
        else:
            await server.ledger.pay(text)

    return Bench(backend, pay, clock, clock.pass_time)


def address_of(request: PaymentRequest) -> str:
    """Where a request is to be paid on the chain."""
    return bip21.read(request.text).address
