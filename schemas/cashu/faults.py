"""Why a token is not taken: stable words, which the buyer's answer and the journal have."""

from __future__ import annotations

from enum import StrEnum


class TokenFault(StrEnum):
    """What is wrong with a token, by itself, for a request, or at its mint."""

    NO_TOKEN = "no_token"  # noqa: S105 - a reason, not a token
    TOO_LONG = "too_long"
    BAD_ENCODING = "bad_encoding"
    BAD_SHAPE = "bad_shape"
    BAD_PROOF = "bad_proof"
    TOO_MANY_PROOFS = "too_many_proofs"
    SAME_PROOF_TWICE = "same_proof_twice"
    SEVERAL_MINTS = "several_mints"
    WRONG_UNIT = "wrong_unit"
    FOREIGN_MINT = "foreign_mint"
    BAD_LOCK = "bad_lock"
    NOT_LOCKED = "not_locked"
    FOREIGN_LOCK = "foreign_lock"
    LOCK_OPENS = "lock_opens"
    UNKNOWN_KEYSET = "unknown_keyset"
    AMBIGUOUS_KEYSET = "ambiguous_keyset"
    NO_SUCH_AMOUNT = "no_such_amount"
    BAD_DLEQ = "bad_dleq"
    LESS_THAN_FEE = "less_than_fee"
    OVER_CAP = "over_cap"
    ALREADY_USED = "already_used"
    ALREADY_PAID = "already_paid"
    UNKNOWN_REQUEST = "unknown_request"
    NOT_PAYABLE = "not_payable"
    TOO_MANY_TOKENS = "too_many_tokens"
    NOT_TAKEN = "not_taken"
    SPENT = "spent"
    MINT_REFUSES = "mint_refuses"


class TokenRefused(ValueError):
    """A token that is not taken; it quotes nothing of it."""

    def __init__(self, reason: TokenFault) -> None:
        super().__init__(reason.value)
        self.reason = reason
