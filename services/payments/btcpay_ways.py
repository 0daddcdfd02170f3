"""States the two ways to pay into a BTCPay store, over Lightning and on the chain, and how their invoices differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from schemas import bip21
from schemas.bolt11 import InvoiceRefused, decode
from schemas.payments import Method
from schemas.values import MSAT_PER_SAT
from services.payments.asking import bolt11_request
from services.payments.btcpay_words import CHAIN, LIGHTNING, Invoice
from services.payments.chain import DUST_SATS
from services.payments.chain_state import LATE_S, SMALL_SATS
from services.payments.port import (
    BackendRef,
    Capabilities,
    Intent,
    PaymentRequest,
    Proof,
    Push,
    PushAuth,
    Rejected,
)

FINAL_AFTER_S: Final = 8 * 86_400
"""How long after it was made money may still come for a Lightning invoice: the longest offer, and a day."""
MONITORED_MIN: Final = 60
"""How long after its end a Lightning invoice is still watched there: as long as we look (`LATE_WATCH_S`)."""
SPEED_SMALL: Final = "MediumSpeed"
SPEED_LARGE: Final = "LowSpeed"
"""One block, and six. BTCPay does not look at a payment again that has as many, so a large one gets all it can."""


@dataclass(frozen=True, slots=True)
class Way:
    """One payment method of a store, by BTCPay's name; `monitored_min` and `final_after_s` as the constants say.

    A request for less than `least_sats` is refused.
    """

    id: str
    method: Method
    capabilities: Capabilities
    monitored_min: int
    final_after_s: int
    least_sats: int = 1

    def of(self, row: Invoice) -> Invoice | None:
        """An invoice with the money of this way alone; None for one that is only to be paid in the other."""
        mine = tuple(one for one in row.methods if (one.payment_method_id == CHAIN) == (self.id == CHAIN))
        if row.methods and not mine:
            return None
        return row if len(mine) == len(row.methods) else row.model_copy(update={"payment_methods": mine})

    def checkout(self, amount_sats: int) -> Mapping[str, object]:
        """What an invoice says of its payment, whatever the store's settings are."""
        terms = {
            "paymentMethods": [self.id],
            "defaultPaymentMethod": self.id,
            "lazyPaymentMethods": False,
            "monitoringMinutes": self.monitored_min,
            "paymentTolerance": 0,
            "redirectAutomatically": False,
        }
        speed = SPEED_SMALL if amount_sats < SMALL_SATS else SPEED_LARGE
        return terms if self.method is Method.BOLT11 else terms | {"speedPolicy": speed}

    def request(self, intent: Intent, made: Invoice) -> PaymentRequest:
        """What the payer is shown: the invoice's own text, or its address with what it asks for."""
        ref = BackendRef(intent.reference)
        if self.method is Method.BOLT11:
            return bolt11_request(intent, _payment_hash(made), made.text, made.ends_at, ref)
        if not made.text.isalnum():
            raise Rejected(f"BTCPay gives no address for {intent.reference}")
        asked = bip21.ChainRequest(made.text, made.amount_msat // MSAT_PER_SAT, str(made.metadata.get("itemDesc", "")))
        return PaymentRequest(
            backend_ref=ref,
            reference=intent.reference,
            method=Method.BITCOIN,
            text=bip21.write(asked),
            amount_msat=intent.amount_msat,
            expires_at=made.ends_at,
        )


LIGHTNING_WAY: Final = Way(
    LIGHTNING,
    Method.BOLT11,
    Capabilities(
        methods=frozenset({Method.BOLT11}),
        amount_step_msat=MSAT_PER_SAT,
        custom_expiry=True,
        reference_searchable=True,
        push=Push.WEBHOOK,
        push_auth=PushAuth.HMAC,
        takes_notices=True,
        proof=Proof.PREIMAGE,
    ),
    MONITORED_MIN,
    FINAL_AFTER_S,
)
CHAIN_WAY: Final = Way(
    CHAIN,
    Method.BITCOIN,
    replace(
        LIGHTNING_WAY.capabilities,
        methods=frozenset({Method.BITCOIN}),
        late_settle=True,
        payable_late_s=LATE_S,
        partial=True,
        proof=Proof.TXID,
    ),
    LATE_S // 60,
    FINAL_AFTER_S + LATE_S + 86_400,  # and a day for the blocks
    DUST_SATS,
)


def _payment_hash(made: Invoice) -> str:
    """What the invoice's own text says; a text that is none is refused by the check."""
    try:
        return decode(made.text).payment_hash
    except InvoiceRefused:
        return ""
