"""Seals what only few may read before it leaves intake: personal details, and ecash that messages show (D9)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from schemas.cashu.faults import TokenFault
from schemas.dialects.contract import PersonalDetails, Said
from schemas.dialects.shown_tokens import ShownToken, tokens_in_tags
from schemas.ecash import SealedToken
from schemas.orders import MoveOrder, MoveShipping
from schemas.payments import AnnouncePayment, ReportPayment, ReportUnnamedPayment
from schemas.values import SealedDetails


class Vault(Protocol):
    """Where that is done."""

    def seal(self, merchant: str, order_ref: str, rumor_id: str, details: PersonalDetails) -> SealedDetails | None:
        """The details under this order's own key; the same call gives the same box; None once they were erased."""

    def seal_token(self, merchant: str, intent_id: str, token_id: str, text: str) -> SealedDetails | None:
        """A token under a key of its own, named by what brought it; the same of both."""


Spoken = MoveOrder | MoveShipping | ReportPayment | ReportUnnamedPayment | AnnouncePayment


def with_tokens(vault: Vault, said: Said, body: Spoken) -> Spoken:
    """What a buyer says of a payment, with the tokens of its `payment` tags; anything else as it is."""
    match body:
        case ReportPayment() | AnnouncePayment():
            return body.model_copy(update={"tokens": seal_tokens(vault, said, tokens_in_tags(said.tags))})
        case ReportUnnamedPayment(receipt=receipt):
            tokens = seal_tokens(vault, said, tokens_in_tags(said.tags))
            return body.model_copy(update={"receipt": receipt.model_copy(update={"tokens": tokens})})
        case _:
            return body


def seal_tokens(vault: Vault, said: Said, shown: Iterable[ShownToken]) -> tuple[SealedToken, ...]:
    """Each with its box; one whose box was erased before is refused, as is one that is no token."""
    return tuple(_seal(vault, said, one) for one in shown)


def _seal(vault: Vault, said: Said, shown: ShownToken) -> SealedToken:
    name, request_id = shown.token_id, shown.request_id
    if shown.text is None:
        return SealedToken(token_id=name, fault=shown.fault)
    sealed = vault.seal_token(said.merchant, said.rumor_id, name, shown.text)
    fault = TokenFault.ALREADY_USED if sealed is None else None
    return SealedToken(token_id=name, sealed=sealed, fault=fault, request_id=request_id)
