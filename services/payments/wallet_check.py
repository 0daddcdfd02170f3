"""Tries a wallet before a shop depends on it: what its credential may do, and whether its invoices are good."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from schemas.bolt11 import InvoiceRefused, Network, decode
from schemas.payments import Method
from services.payments.asking import clock_fault
from services.payments.cashu import check_ecash_request
from services.payments.invoice_request import check_request
from services.payments.port import Intent, PaymentBackend, PaymentRequest, Probe, RequestRefused, reference
from services.payments.preimages import Preimage

TRIAL_LIFE_S = 120
"""The trial invoice asks for as little as the wallet takes, and is dead after two minutes where that can be asked."""


@dataclass(frozen=True, slots=True)
class WalletCheck:
    """What was found; `faults` are reasons not to use the wallet, `warnings` reasons to change something.

    `may` is what the credential allows and `lacks` what it needs and does not have, in the wallet's own words.
    """

    network: Network | None
    clock_offset_s: int
    warnings: tuple[str, ...]
    faults: tuple[str, ...]
    may: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


async def check_wallet(backend: PaymentBackend, now_s: int, timeout_s: float) -> WalletCheck:
    """Probe a wallet, have it make one small invoice, and hold that against what was asked for.

    A credential that lacks something is not tried. Raises what the back-end raises: `Unauthorized` for a key that
    may not even receive.
    """
    probe = await backend.probe(timeout_s=timeout_s)
    if probe.lacks:
        return _found(probe, None, f"its credential lacks {', '.join(probe.lacks)}: allow it in the wallet")
    if backend.capabilities.methods & {Method.BITCOIN, Method.FIAT}:
        # What is given out for a trial is used up, or stands in somebody's books; so a page's clock is judged here.
        fault = clock_fault(probe.clock_offset_s) if Method.FIAT in backend.capabilities.methods else ""
        return _found(probe, probe.network, *((fault,) if fault else ()))
    step_msat = backend.capabilities.amount_step_msat
    name = secrets.token_hex(32)  # another one each time: what an earlier trial made says nothing of the wallet now
    intent = Intent(
        intent_id=name,
        reference=reference(name),
        amount_msat=max(step_msat, -(-probe.amount_min_msat // step_msat) * step_msat),
        memo="Trial of this wallet, not to be paid",
        expires_at=now_s + TRIAL_LIFE_S,
        method=min(backend.capabilities.methods),
        preimage=Preimage(secrets.token_bytes(32)) if backend.capabilities.preset_preimage else None,
    )
    request = await backend.ensure(intent, timeout_s=timeout_s)
    network, fault = _held(intent, request, probe, backend, now_s)
    if network is None:
        return _found(probe, None, fault)
    # Some wallets show what they can do with their first invoice only.
    probe = await backend.probe(timeout_s=timeout_s)
    return _found(probe, network, *((fault,) if fault else ()))


def _held(
    intent: Intent, request: PaymentRequest, probe: Probe, backend: PaymentBackend, now_s: int
) -> tuple[Network | None, str]:
    """The network that a trial's request is for, and what is wrong with it; no network for one that cannot be read."""
    if request.method is Method.CASHU:
        asked = check_ecash_request(intent, request.text, probe.payee)
        return probe.network, asked.detail if isinstance(asked, RequestRefused) else ""
    try:
        network = decode(request.text).network
    except InvoiceRefused as refused:
        return None, str(refused)
    checked = check_request(
        intent,
        request.text,
        now_s,
        network,
        probe.payee,
        request.payment_hash,
        custom_expiry=backend.capabilities.custom_expiry,
    )
    return network, checked.detail if isinstance(checked, RequestRefused) else ""


def _found(probe: Probe, network: Network | None, *faults: str) -> WalletCheck:
    return WalletCheck(network, probe.clock_offset_s, probe.warnings, faults, probe.may, probe.lacks)
