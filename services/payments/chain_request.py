"""Holds a request that is to be paid on the chain against the intent, before it is shown to anybody (PAY-08)."""

from __future__ import annotations

from schemas import bip21
from schemas.bolt11 import Network
from schemas.values import MSAT_PER_SAT
from services.payments.chain_keys import networks_of
from services.payments.port import Intent, RequestFault, RequestRefused


def chain_faults_of(intent: Intent, request_text: str, network: Network) -> RequestRefused | None:
    """What is wrong with a BIP-21 text: no address of the network, or another amount; None where nothing is."""
    try:
        request = bip21.read(request_text)
    except bip21.UriRefused as refused:
        return RequestRefused(RequestFault.UNREADABLE, str(refused))
    if network not in networks_of(request.address):
        return RequestRefused(RequestFault.NETWORK, f"the address is none of {network.name.lower()}")
    if request.amount_sats is None or request.amount_sats * MSAT_PER_SAT != intent.amount_msat:
        offered = "any amount" if request.amount_sats is None else f"{request.amount_sats} sats"
        return RequestRefused(RequestFault.AMOUNT, f"the request asks for {offered}")
    return None
