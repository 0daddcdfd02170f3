"""Tries a wallet before a shop depends on it: what its credential may do, and whether its invoices are good."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from schemas.bolt11 import InvoiceRefused, Network, decode
from schemas.payments import Method
from services.payments.port import (
    Intent,
    MerchantBackend,
    RequestRefused,
    check_request,
    reference,
)

TRIAL_LIFE_S = 120
"""The trial invoice asks for one step (a sat) and is dead after two minutes."""


@dataclass(frozen=True, slots=True)
class WalletCheck:
    """What was found; `faults` are reasons not to use the wallet, `warnings` reasons to change something."""

    network: Network | None
    clock_offset_s: int
    warnings: tuple[str, ...]
    faults: tuple[str, ...]


async def check_wallet(backend: MerchantBackend, merchant: str, now_s: int, timeout_s: float) -> WalletCheck:
    """Probe a wallet, have it make one small invoice, and hold that against what was asked for.

    Raises what the back-end raises: `Unauthorized` for a key that may not even receive.
    """
    probe = await backend.probe(timeout_s=timeout_s)
    name = hashlib.sha256(f"ncc/trial/{merchant}/{now_s}".encode()).hexdigest()
    intent = Intent(
        intent_id=name,
        reference=reference(name),
        amount_msat=backend.capabilities.amount_step_msat,
        memo="Trial of this wallet, not to be paid",
        expires_at=now_s + TRIAL_LIFE_S,
        method=Method.BOLT11,
    )
    request = await backend.ensure(intent, timeout_s=timeout_s)
    try:
        network = decode(request.text).network
    except InvoiceRefused as refused:
        return WalletCheck(None, probe.clock_offset_s, probe.warnings, (str(refused),))
    checked = check_request(intent, request.text, now_s, network, probe.payee, request.payment_hash)
    faults = (checked.detail,) if isinstance(checked, RequestRefused) else ()
    return WalletCheck(network, probe.clock_offset_s, probe.warnings, faults)
