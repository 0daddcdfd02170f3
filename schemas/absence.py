"""Wallets that do not answer or have forgotten: a request that is late, and an order that waits beyond its end."""

from __future__ import annotations

from typing import Literal

from schemas.values import OrderKey, Value


class RecordWalletAbsence(Value):
    """The wallet of this request does not answer: for a minute while it is to be made, or near its end once shown.

    Said again as long as that is so; what the journal has of it says nothing new.
    """

    type: Literal["RecordWalletAbsence"] = "RecordWalletAbsence"
    order: OrderKey
    intent_id: str


class WalletMissed(Value):
    """An order's request is late, or nobody can say whether it was paid.

    Without `deadline_ms` there is no request yet, and the buyer is told by the reply in the same record. With it the
    request was shown, and the order waits until then for its wallet to answer; the payments role asks again and again
    and says what it hears.
    """

    type: Literal["WalletMissed"] = "WalletMissed"
    order: OrderKey
    intent_id: str
    deadline_ms: int | None = None


class WalletAnswered(Value):
    """The wallet says of a request that is over that no money came: the order ends when it would have, `deadline_ms`.

    Where that is past it falls due at once.
    """

    type: Literal["WalletAnswered"] = "WalletAnswered"
    order: OrderKey
    intent_id: str
    deadline_ms: int


class RequestForgotten(Value):
    """The wallet says that it never had a request which the order's buyer was shown: nobody can say what it received.

    The merchant is asked (`orders_attention`): confirm, cancel, or ask anew (`RenewOrder`). Until then the order waits,
    to `deadline_ms` at most, and the payments role goes on looking.
    """

    type: Literal["RequestForgotten"] = "RequestForgotten"
    order: OrderKey
    intent_id: str
    deadline_ms: int


class RequestRecalled(Value):
    """The wallet knows it again: nobody needs to decide, and the order ends when it would have, `deadline_ms`.

    Where that is past, and the same record brings no money, it falls due at once.
    """

    type: Literal["RequestRecalled"] = "RequestRecalled"
    order: OrderKey
    intent_id: str
    deadline_ms: int
