"""A shop's lightning address that is served here: who asks it for an invoice, and what came over it.

An order's own address (`schemas.lnurl.order_address`) leads to the order's own payment request, so money over it is
the order's like any other. The shop's address itself knows no order: each call gets an invoice of its own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas import limits
from schemas.nostr.nip57 import ZAP_CHARS_MAX
from schemas.payments import BackendState
from schemas.values import OrderKey, Value

IntentId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""64 lower-case hex digits."""
OrderRef = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""An order's reference (`OrderKey.ref`)."""


class AddressRefusal(StrEnum):
    """Why a call to an address gets no invoice; the words are stable and stand in the answer (LUD-06)."""

    SHOP_CLOSED = "shop_closed"
    SHOP_FROZEN = "shop_frozen"
    NOT_SERVED = "not_served"
    TOO_MANY_OPEN = "too_many_open"
    BAD_AMOUNT = "bad_amount"
    NOT_PAYABLE = "not_payable"
    WALLET_REFUSES = "wallet_refuses"
    TOO_MANY_CALLS = "too_many_calls"
    NO_ADDRESS = "no_address"
    NO_ANSWER = "no_answer"
    BAD_ZAP = "bad_zap"


class AskInvoice(Value):
    """Somebody called the shop's address for an invoice of `amount_msat`, which commits to `description_hash`.

    `intent_id` is the call's own, drawn by whoever heard it. `zap` is the text of a zap request (NIP-57), checked; the
    invoice then commits to that in place of what the address says.
    """

    type: Literal["AskInvoice"] = "AskInvoice"
    intent_id: IntentId
    address: str = Field(max_length=320)
    amount_msat: int = Field(gt=0)
    description_hash: IntentId
    expires_at: int
    zap: str = Field(default="", max_length=ZAP_CHARS_MAX)


class AskRequest(Value):
    """Somebody called an order's own address: which invoice does it lead to. `call_id` is the call's own."""

    type: Literal["AskRequest"] = "AskRequest"
    call_id: IntentId
    order_ref: OrderRef
    amount_msat: int = Field(gt=0)


class RecordInvoice(Value):
    """A back-end holds the invoice for this call; its text was checked against what was asked for (PAY-08)."""

    type: Literal["RecordInvoice"] = "RecordInvoice"
    intent_id: IntentId
    text: str
    payment_hash: str
    amount_msat: int
    expires_at: int


class RecordInvoiceFailure(Value):
    """The back-end refused for good to make an invoice for this call."""

    type: Literal["RecordInvoiceFailure"] = "RecordInvoiceFailure"
    intent_id: IntentId
    reason: str


class ObserveInvoice(Value):
    """A look-up at the back-end gave this; `gross_msat` is all that the invoice has received so far."""

    type: Literal["ObserveInvoice"] = "ObserveInvoice"
    intent_id: IntentId
    state: BackendState
    gross_msat: int
    settled_at: int | None = None


class Closing(StrEnum):
    """What became of money over the address that is no order's."""

    KEPT = "kept"
    RETURNED = "returned"


class AssignmentRefusal(StrEnum):
    """Why money over the address stays where it is; the words are stable."""

    UNKNOWN_PAYMENT = "unknown_payment"
    NO_MONEY = "no_money"
    ALREADY_ASSIGNED = "already_assigned"
    ALREADY_CLOSED = "already_closed"
    UNKNOWN_ORDER = "unknown_order"
    NO_PRICE = "no_price"


class AssignPayment(Value):
    """The merchant says for which order the money over the address came."""

    type: Literal["AssignPayment"] = "AssignPayment"
    intent_id: IntentId
    order: OrderKey
    cause: str = Field(max_length=128)


class ClosePayment(Value):
    """The merchant says that the money over the address is for no order: it is kept, or was given back.

    `reference` is how it is found where it was given back.
    """

    type: Literal["ClosePayment"] = "ClosePayment"
    intent_id: IntentId
    closing: Closing
    reference: str = Field(default="", max_length=limits.REFUND_REFERENCE.most)
    cause: str = Field(max_length=128)


class InvoiceWanted(Value):
    """A call to the shop's address is owed an invoice, valid until `expires_at` (unix seconds).

    The payments role makes it and answers with a command; called again, it finds the one it made.
    With `zap` a receipt is published once it is paid (NIP-57).
    """

    type: Literal["InvoiceWanted"] = "InvoiceWanted"
    intent_id: IntentId
    amount_msat: int
    expires_at: int
    memo: str
    description_hash: IntentId
    zap: str = ""


class InvoiceMade(Value):
    """The call has its invoice; whoever waits for it is answered, and the payments role watches it for money."""

    type: Literal["InvoiceMade"] = "InvoiceMade"
    intent_id: IntentId
    text: str
    payment_hash: str
    amount_msat: int
    expires_at: int


class InvoiceRefused(Value):
    """A call got no invoice. Nothing follows but the answer; a caller who asks again makes a call of its own."""

    type: Literal["InvoiceRefused"] = "InvoiceRefused"
    intent_id: IntentId
    reason: AddressRefusal
    detail: str = ""


class RequestShown(Value):
    """A call to an order's own address was led to the order's payment request; the order stands where it stood."""

    type: Literal["RequestShown"] = "RequestShown"
    call_id: IntentId
    order: OrderKey
    intent_id: str
    text: str
    amount_msat: int
    expires_at: int


class AddressPaid(Value):
    """Money came over the shop's address, for no order that anybody named. It is in no order's books.

    `gross_msat` is all that the invoice has received, `before_msat` of it was entered earlier.
    The payments role forgets the invoice; what is new counts once, however often it is looked up.
    """

    type: Literal["AddressPaid"] = "AddressPaid"
    intent_id: IntentId
    gross_msat: int
    before_msat: int = 0
    settled_at: int | None

    @property
    def new_msat(self) -> int:
        """What came in with this."""
        return self.gross_msat - self.before_msat


class AddressReversed(Value):
    """What an invoice of the shop's address had received, `amount_msat`, was taken back; it never counts again."""

    type: Literal["AddressReversed"] = "AddressReversed"
    intent_id: IntentId
    amount_msat: int


class AddressClaimed(Value):
    """A buyer shows the preimage of an invoice of the address that is not paid yet: once it is, the money is theirs.

    The first who does so counts.
    """

    type: Literal["AddressClaimed"] = "AddressClaimed"
    intent_id: IntentId
    order: OrderKey
    rumor_id: str


class AddressAssigned(Value):
    """What came over the address, `amount_msat`, is for this order; it is entered there in the same record.

    With `is_request` the order waits for money, and the invoice is its request from now on: the one it had was
    dropped. `cause` names the command, or the buyer's message that shows the preimage.
    """

    type: Literal["AddressAssigned"] = "AddressAssigned"
    intent_id: IntentId
    order: OrderKey
    amount_msat: int
    payment_hash: str | None
    is_request: bool
    cause: str


class AddressClosed(Value):
    """What came over the address, `amount_msat`, is for no order, and out of the queue."""

    type: Literal["AddressClosed"] = "AddressClosed"
    intent_id: IntentId
    amount_msat: int
    closing: Closing
    reference: str
    cause: str


class AssignmentRefused(Value):
    """Money over the address stays where it is, and why."""

    type: Literal["AssignmentRefused"] = "AssignmentRefused"
    intent_id: IntentId
    reason: AssignmentRefusal
    detail: str
    cause: str
