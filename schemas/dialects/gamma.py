"""The market spec's own messages: kinds 16 and 17 inside gift wraps (market spec §4)."""

from __future__ import annotations

from typing import assert_never

from schemas.dialects.contract import Draft, MessageFault, MessageRefused, Reading, Said
from schemas.dialects.readings import read_order, read_receipt, read_request, read_shipping, read_status
from schemas.dialects.tags import Tags, answer_tags, parcel_tags, request_tags
from schemas.nostr.kinds import Kind
from schemas.replies import PaymentRequestReply, ReplyPromised, ShippingReply, StatusReply, TextReply


class Gamma:
    """The native dialect."""

    name = "gamma"

    def recognises(self, kind: int, tags: tuple[tuple[str, ...], ...]) -> bool:
        """Kinds 16 and 17; what exactly was said is settled when it is read."""
        return kind in (Kind.ORDER, Kind.PAYMENT_RECEIPT)

    def read(self, said: Said) -> Reading:
        """Route by kind and `type` tag, never by subject or content (A-03, EVT-07)."""
        tags = Tags(said)
        tags.check_recipient()
        if said.kind == Kind.PAYMENT_RECEIPT:
            return read_receipt(said, tags)
        if said.kind != Kind.ORDER:
            raise MessageRefused(MessageFault.UNKNOWN_KIND)
        match tags.one("type"):
            case "1":
                return read_order(said, tags)
            case "2":
                return read_request(said, tags)
            case "3":
                return read_status(said, tags)
            case "4":
                return read_shipping(said, tags)
            case None:
                raise MessageRefused(MessageFault.NO_TYPE)
            case _ if said.content.lstrip().startswith("{"):
                raise MessageRefused(MessageFault.KNOWN_FOREIGN_DIALECT, "a worded type and JSON")
            case _:
                raise MessageRefused(MessageFault.NO_TYPE, "an unknown type")

    def write(self, promised: ReplyPromised) -> Draft:
        """The reply as kind 16 of type 2, 3 or 4, answering the order's rumor with an `e` tag (ORD-10).

        What is for a person alone is a kind 14 with the order as its subject (market spec §4 message 5).
        """
        order = promised.order
        reply = promised.reply
        own: tuple[tuple[str, ...], ...]
        match reply:
            case PaymentRequestReply():
                own = request_tags(reply)
            case StatusReply():
                own = (("subject", "order-info"), ("type", "3"), ("status", reply.status.value))
            case ShippingReply():
                own = (("subject", "shipping-info"), ("type", "4"), *parcel_tags(reply))
            case TextReply():
                tags = (("p", order.buyer), ("subject", order.order_id), ("e", promised.answers))
                return Draft(kind=Kind.CHAT_MESSAGE, tags=tags, content=reply.text)
            case _:
                assert_never(reply)
        return Draft(kind=Kind.ORDER, tags=(*answer_tags(promised), *own), content=reply.text)


DIALECT = Gamma()
