"""Order messages of dialects that a shop may have switched off: what they ask for, and what they are as words."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.inbox import ReceiveMessage
from schemas.orders import MoveOrder, MoveShipping, PlaceOrder
from schemas.past import RecordPast
from schemas.payments import AnnouncePayment, ReportPayment, ReportUnnamedPayment
from schemas.values import Value

Heard = Annotated[
    PlaceOrder | MoveOrder | MoveShipping | ReportPayment | ReportUnnamedPayment | AnnouncePayment | RecordPast,
    Field(discriminator="type"),
]
"""What an order message asks for, in whichever dialect it was said."""


class HearMessage(Value):
    """Somebody said this in `dialect`. A shop that has it switched off takes the message as a person's `words`.

    Intake knows no shop's settings, so both are handed on and the shop decides (MSG-06).
    Without `words` (they are too old for an inbox) such a shop takes nothing.
    """

    type: Literal["HearMessage"] = "HearMessage"
    dialect: str
    said: Heard
    words: ReceiveMessage | None = None
