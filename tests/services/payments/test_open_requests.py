"""What an open request asks a back-end for, and which of its answers a buyer may see."""

from __future__ import annotations

import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from schemas.currencies import FiatTotal
from schemas.payments import Method, RecordPaymentRequest
from services.payments.open_requests import Open, faults_of
from services.payments.port import RequestFault, RequestRefused
from services.payments.simulated import SimulatedAccount, SimulatedWallet
from tests.services.payments.contract import TIMEOUT_S
from tests.support.builders import MERCHANT
from tests.support.till import Till


class OnChain(SimulatedAccount):
    """An account that says it is paid on the chain."""

    @property
    def capabilities(self):  # type: ignore[no-untyped-def]
        """The simulated ones, with another method."""
        return replace(super().capabilities, methods=frozenset({Method.BITCOIN}))


async def test_a_back_end_is_asked_by_its_own_method_and_may_answer_with_no_other(tmp_path: Path) -> None:
    """The intent names the method; a text of another kind, an empty one or another sum is shown to nobody."""
    wallet = SimulatedWallet(tmp_path / "wallet.db")
    till = Till(wallet)
    (wanted,) = till.wanted(0, MERCHANT).events
    entry, account, now_s = Open(wanted, 0, 0, MERCHANT), wallet.account(MERCHANT), int(time.time())
    secret = b"\x01" * 32
    intent = entry.intent(secret, account)
    request = await account.ensure(intent, timeout_s=TIMEOUT_S)

    assert intent.method is Method.BOLT11
    assert faults_of(intent, request, account, now_s) is None
    made = entry.made(intent, request)
    assert isinstance(made, RecordPaymentRequest)
    assert made.medium == "lightning"

    chain = OnChain(wallet, MERCHANT)
    other = entry.intent(secret, chain)
    assert other.method is Method.BITCOIN
    assert refused(faults_of(other, request, chain, now_s)) is RequestFault.METHOD
    asked, empty = replace(intent, method=Method.FIAT), replace(request, method=Method.FIAT, text=" ")
    assert refused(faults_of(asked, empty, account, now_s)) is RequestFault.UNREADABLE
    told = replace(request, method=Method.FIAT, fiat=FiatTotal(amount=Decimal(1), currency="EUR"))
    assert refused(faults_of(asked, told, account, now_s)) is RequestFault.AMOUNT
    wallet.close()


def refused(found: RequestRefused | None) -> RequestFault | None:
    """Its reason."""
    return found.reason if found else None
