"""Tokens that buyers hand in for a payment request: sealed on their way, and taken or refused by who swaps them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.cashu.faults import TokenFault
from schemas.values import OrderKey, SealedDetails, Value

HexName = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""64 lower-case hex digits."""


class HandInToken(Value):
    """Somebody handed a token in for a request. Only its box stands here: whoever read it could spend it.

    `token_id` names the token without giving it away (`Token.digest`), so that a repeat is known as one.
    """

    type: Literal["HandInToken"] = "HandInToken"
    intent_id: HexName
    token_id: HexName
    sealed: SealedDetails


class RecordTokenRefusal(Value):
    """Its mint, or the wallet's own rules, take the token for nothing."""

    type: Literal["RecordTokenRefusal"] = "RecordTokenRefusal"
    intent_id: HexName
    token_id: HexName
    reason: TokenFault


class TokenHandedIn(Value):
    """A token came for an order's live request. The order's payment is reported, and nothing more (law L10).

    The payments role swaps it, as often as its mint has to be asked, and says what came of it: a look-up, or a refusal.
    """

    type: Literal["TokenHandedIn"] = "TokenHandedIn"
    order: OrderKey
    intent_id: HexName
    token_id: HexName
    sealed: SealedDetails = Field(repr=False)


class TokenRefused(Value):
    """A token was not taken. The buyer of a known order is told in the same record; the payments role forgets it.

    `order` is None where the token was for no request of this shop's.
    """

    type: Literal["TokenRefused"] = "TokenRefused"
    order: OrderKey | None
    intent_id: HexName
    token_id: HexName
    reason: TokenFault
