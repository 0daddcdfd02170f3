"""The market spec's former draft: every order message is a kind 15, told apart by its `subject` (T15-01)."""

from __future__ import annotations

from typing import assert_never

from schemas.dialects.contract import Draft, MessageFault, MessageRefused, Reading, Said
from schemas.dialects.human import FILE_TAGS
from schemas.dialects.readings import SUBJECTS, read_order_info, read_receipt, read_request, read_shipping
from schemas.dialects.tags import Tags, answer_tags, parcel_tags
from schemas.nostr.kinds import Kind
from schemas.replies import PaymentRequestReply, ReplyPromised, ShippingReply, StatusReply, TextReply


class Kind15:
    """The dialect of clients that were written before kinds 16 and 17 were chosen."""

    name = "k15"

    def recognises(self, kind: int, tags: tuple[tuple[str, ...], ...]) -> bool:
        """A kind 15 with one of the four subjects; what says how a file is opened is a person's file (T15-02)."""
        if kind != Kind.FILE_MESSAGE or any(tag[0] in FILE_TAGS for tag in tags):
            return False
        return any(tag[0] == "subject" and tag[1] in SUBJECTS for tag in tags if len(tag) > 1)

    def read(self, said: Said) -> Reading:
        """Route by subject; an order and its state share one, and are told apart by their tags (A-41)."""
        tags = Tags(said)
        tags.check_recipient()
        match tags.one("subject"):
            case "order-info":
                return read_order_info(said, tags)
            case "order-payment":
                return read_request(said, tags)
            case "order-receipt":
                return read_receipt(said, tags)
            case "shipping-info":
                return read_shipping(said, tags)
            case _:
                raise MessageRefused(MessageFault.NO_TYPE, "a subject of no order message")

    def write(self, promised: ReplyPromised) -> Draft:
        """The reply as the draft prints it; what is for a person alone is a kind 14 about the order (its message 7)."""
        order, reply = promised.order, promised.reply
        common = answer_tags(promised)
        own: tuple[tuple[str, ...], ...]
        match reply:
            case PaymentRequestReply():
                own = (
                    ("subject", "order-payment"),
                    ("amount", str(reply.amount_sats), "SATS"),
                    *(("payment", option.medium, option.where) for option in reply.options),
                    ("expiry", str(reply.expires_at)),
                )
            case StatusReply():
                own = (("subject", "order-info"), ("status", reply.status.value), ("date", str(promised.at_s)))
            case ShippingReply():
                own = (("subject", "shipping-info"), *parcel_tags(reply))
            case TextReply():
                about = ("subject", order.order_id)
                return Draft(kind=Kind.CHAT_MESSAGE, tags=(*common, about), content=reply.text)
            case _:
                assert_never(reply)
        return Draft(kind=Kind.FILE_MESSAGE, tags=(*common, *own), content=reply.text)


DIALECT = Kind15()
