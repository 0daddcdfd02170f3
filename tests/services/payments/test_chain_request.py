"""Tries which requests to be paid on the chain a buyer may see."""

from __future__ import annotations

import pytest

from schemas.bolt11 import Network
from schemas.payments import Method
from services.payments.chain_request import chain_faults_of
from services.payments.port import Intent, Reference, RequestFault

INTENT = Intent("ab" * 32, Reference("a" * 24), 12_345_000, "Order", 1_900_000_000, Method.BITCOIN)
MAIN = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"
TEST = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"


def test_a_request_with_our_networks_address_and_the_very_amount_is_good() -> None:
    """Both test networks have one kind of address."""
    assert chain_faults_of(INTENT, f"bitcoin:{MAIN}?amount=0.00012345", Network.BITCOIN) is None
    for network in (Network.TESTNET, Network.SIGNET):
        assert chain_faults_of(INTENT, f"bitcoin:{TEST}?amount=0.00012345&label=Order", network) is None


@pytest.mark.req("PAY-08")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("lnbc1", RequestFault.UNREADABLE),
        (MAIN, RequestFault.UNREADABLE),
        (f"bitcoin:{MAIN[:-1]}v?amount=0.00012345", RequestFault.NETWORK),
        (f"bitcoin:{TEST}?amount=0.00012345", RequestFault.NETWORK),
        (f"bitcoin:{MAIN}", RequestFault.AMOUNT),
        (f"bitcoin:{MAIN}?amount=0.00012344", RequestFault.AMOUNT),
        (f"bitcoin:{MAIN}?amount=12345", RequestFault.AMOUNT),
    ],
)
def test_any_other_is_shown_to_nobody(text: str, fault: RequestFault) -> None:
    """Another chain, a wrong letter, another amount or none."""
    found = chain_faults_of(INTENT, text, Network.BITCOIN)
    assert found is not None
    assert found.reason is fault
