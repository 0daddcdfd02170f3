"""Tokens that buyers hand in for a payment request: sealed on their way, and taken or refused by who swaps them."""

from __future__ import annotations

from base64 import b32decode
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas import limits
from schemas.cashu.faults import TokenFault
from schemas.values import EventId, OrderKey, SealedDetails, Value

HexName = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""64 lower-case hex digits."""


class EcashTerms(Value):
    """What a shop's mint list (kind 10019) asks of ecash (market spec §6, NIP-61).

    `mints` are those it names for sats, in its order; None where it names none at all. Tokens are to be locked to
    `lock_key` (compressed, prefix 02), if it has one.
    """

    mints: tuple[str, ...] | None = None
    lock_key: str | None = Field(default=None, pattern=r"^02[0-9a-f]{64}$")


class SealedToken(Value):
    """A token that a buyer's message shows: its name and its box, or why it is none.

    `request_id` is which request it says it is for: a back-end's reference, the start of an intent (`intent_start`).
    """

    token_id: HexName
    sealed: SealedDetails | None = Field(default=None, repr=False)
    fault: TokenFault | None = None
    request_id: str | None = Field(default=None, pattern=r"^[a-z2-7]{24}$")


SealedTokens = Annotated[tuple[SealedToken, ...], Field(max_length=limits.PROOFS_SAID.most)]
"""Those of one message."""


def intent_start(request_id: str) -> str:
    """The first 30 hex digits of the intent that a request's reference was made of."""
    return b32decode(request_id.upper()).hex()


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

    `rumor_id` is that of the message it came in, if it did. The payments role swaps the token, as often as its mint
    has to be asked, and says what came of it: a look-up, or a refusal.
    """

    type: Literal["TokenHandedIn"] = "TokenHandedIn"
    order: OrderKey
    intent_id: HexName
    token_id: HexName
    sealed: SealedDetails = Field(repr=False)
    rumor_id: EventId | None = None


class TokenRefused(Value):
    """A token was not taken. The buyer of a known order is told in the same record; the payments role forgets it.

    `order` is None where the token was for no request of this shop's.
    `rumor_id` is that of the message it came in, where it went no further than that.
    """

    type: Literal["TokenRefused"] = "TokenRefused"
    order: OrderKey | None
    intent_id: HexName
    token_id: HexName
    reason: TokenFault
    rumor_id: EventId | None = None
