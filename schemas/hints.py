"""A reason to look payments up, as it travels from whoever was told to whoever asks the back-end."""

from __future__ import annotations

from pydantic import Field

from schemas.values import PublicKey, Value

REF_MAX = 200


class PaymentHint(Value):
    """Something may have happened to a merchant's request (`ncc.hints`), or to any of them without `backend_ref`.

    It carries no truth, so a lost one costs a few seconds and a false one a look-up (PAY-16).
    """

    v: int = 1
    merchant: PublicKey
    backend_ref: str | None = Field(default=None, max_length=REF_MAX)
    at_ms: int
