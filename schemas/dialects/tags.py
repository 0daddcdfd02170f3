"""The tags of a private message, as every dialect that writes tags reads them."""

from __future__ import annotations

from typing import Final

from schemas import limits
from schemas.dialects.contract import MessageFault, MessageRefused, Said
from schemas.replies import PaymentRequestReply, ReplyPromised, ShippingReply
from schemas.values import Actor, OrderKey

ORDER_ID_MAX: Final = limits.ORDER_ID.most


class Tags:
    """A message's tags; anything that must be single is refused when it is not (attack 43)."""

    def __init__(self, said: Said) -> None:
        self.said = said
        self.warnings: list[str] = []

    def all(self, name: str) -> list[tuple[str, ...]]:
        """Every tag of this name that has a value."""
        return [tag for tag in self.said.tags if tag[0] == name and len(tag) > 1]

    def one(self, name: str, *aliases: str) -> str | None:
        """The single value of a tag, or of the first alias that is there; None without one."""
        for candidate in (name, *aliases):
            values = {tag[1] for tag in self.all(candidate)}
            if len(values) > 1:
                raise MessageRefused(MessageFault.AMBIGUOUS, f"more than one {name}")
            if values:
                if candidate != name:
                    self.warnings.append(f"alias_{candidate}")
                return values.pop()
        return None

    def check_recipient(self) -> None:
        """A buyer's message names this merchant and nobody else; the merchant's own copy names one buyer."""
        people = {tag[1] for tag in self.all("p")}
        if self.said.actor is Actor.BUYER and self.said.merchant not in people:
            raise MessageRefused(MessageFault.RECIPIENT_MISMATCH, "the message is for somebody else")
        if len(people - {self.said.author}) > 1:
            raise MessageRefused(MessageFault.GROUP_ORDER, "more than one recipient")

    def order_key(self) -> OrderKey:
        """The order that the message is about: its buyer is the author, or whom the merchant writes to."""
        order_id = self.one("order") or ""
        if not 1 <= len(order_id) <= ORDER_ID_MAX or not (order_id.isascii() and order_id.isprintable()):
            raise MessageRefused(MessageFault.NO_ORDER, "no order id of 1 to 128 printable characters")
        if self.said.actor is Actor.BUYER:
            buyer = self.said.author
        else:
            buyer = next(iter({tag[1] for tag in self.all("p")} - {self.said.merchant}), "")
            if not is_key(buyer):
                raise MessageRefused(MessageFault.RECIPIENT_MISMATCH, "no buyer is named")
        return OrderKey(merchant=self.said.merchant, buyer=buyer, order_id=order_id)


def is_key(text: str) -> bool:
    """Whether a text is a public key in hex."""
    return len(text) == 64 and all(c in "0123456789abcdef" for c in text)


def answer_tags(promised: ReplyPromised) -> tuple[tuple[str, ...], ...]:
    """Whom a reply is for, which order it is about, and the message it answers (ORD-10)."""
    return (("p", promised.order.buyer), ("order", promised.order.order_id), ("e", promised.answers))


def request_tags(reply: PaymentRequestReply) -> tuple[tuple[str, ...], ...]:
    """A payment request of type 2, as the market spec writes it (§4 message 2)."""
    return (
        ("subject", "order-payment"),
        ("type", "2"),
        ("amount", str(reply.amount_sats)),
        *(("payment", option.medium, option.where) for option in reply.options),
        ("expiration", str(reply.expires_at)),
    )


def parcel_tags(reply: ShippingReply) -> tuple[tuple[str, ...], ...]:
    """Where a parcel is; what is not known is left out, not left blank."""
    known = (
        ("status", reply.status.value),
        ("tracking", reply.tracking),
        ("carrier", reply.carrier),
        ("eta", None if reply.eta is None else str(reply.eta)),
    )
    return tuple((name, value) for name, value in known if value is not None)
