"""Orders among the chat messages: kind 14 with an order's tags, as Shopstr writes and reads them (MSG-06)."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final, assert_never

from schemas.dialects.contract import Draft, MessageFault, MessageRefused, OrderDraft, Reading, Said
from schemas.dialects.readings import (
    SUBJECTS,
    read_order,
    read_order_info,
    read_receipt,
    read_request,
    read_shipping,
    read_status,
)
from schemas.dialects.tags import Tags, answer_tags, parcel_tags, request_tags
from schemas.nostr.kinds import Kind
from schemas.replies import PaymentRequestReply, ReplyPromised, ShippingReply, StatusReply, TextReply, WireStatus

_SUBJECTS: Final = SUBJECTS | {"order-completed"}
_MARKS: Final = frozenset({"item", "type"})
"""Without one of these a chat message is a person's, whatever its subject: words never order anything (MSG-04)."""
_READ_AS: Final = MappingProxyType({"canceled": WireStatus.CANCELLED.value})
_WRITTEN_AS: Final = MappingProxyType({meant: word for word, meant in _READ_AS.items()})
_WISHES: Final = ("size", "volume", "weight", "bulk", "pickup")
"""What such an order says in tags of its own and no listing of ours prices: the merchant reads it in the note."""
_VARIANTS: Final = frozenset({"size", "volume", "weight", "bulk"})


class Kind14:
    """The dialect of clients whose every private message is a kind 14."""

    name = "k14"

    def recognises(self, kind: int, tags: tuple[tuple[str, ...], ...]) -> bool:
        """A kind 14 that names its order, has an order's subject, and items or a type (T14-01)."""
        names = {tag[0] for tag in tags if len(tag) > 1}
        if kind != Kind.CHAT_MESSAGE or "order" not in names or not names & _MARKS:
            return False
        return any(tag[0] == "subject" and tag[1] in _SUBJECTS for tag in tags if len(tag) > 1)

    def read(self, said: Said) -> Reading:
        """Route by subject; where it is that of an order and of its state, `type` says which, if it is there."""
        tags = Tags(said)
        tags.check_recipient()
        match tags.one("subject"), tags.one("type"):
            case "order-info", "1":
                return _with_wishes(read_order(said, tags), tags)
            case (("order-info" | "order-completed"), "3"):
                return read_status(said, tags, _READ_AS)
            case "order-info", None:
                reading = read_order_info(said, tags, _READ_AS)
                return _with_wishes(reading, tags) if isinstance(reading, OrderDraft) else reading
            case "order-payment", _:
                return read_request(said, tags)
            case "order-receipt", _:
                return read_receipt(said, tags)
            case "shipping-info", _:
                return read_shipping(said, tags)
            case _:
                raise MessageRefused(MessageFault.NO_TYPE, "a subject and a type that do not fit")

    def write(self, promised: ReplyPromised) -> Draft:
        """The reply with the subjects and the spelling such clients look for.

        They have no button for a payment request and show the text, so what is to be paid stands in it as well.
        Any subject but theirs is dropped, so that what is for a person alone has one of them and no type.
        """
        reply = promised.reply
        own: tuple[tuple[str, ...], ...]
        content = reply.text
        match reply:
            case PaymentRequestReply():
                own = request_tags(reply)
                content = "\n\n".join((reply.text, *(o.text for o in reply.options if o.text not in reply.text)))
            case StatusReply():
                word = _WRITTEN_AS.get(reply.status.value, reply.status.value)
                own = (("subject", "order-info"), ("type", "3"), ("status", word))
            case ShippingReply():
                own = (("subject", "shipping-info"), ("type", "4"), *parcel_tags(reply))
            case TextReply():
                own = (("subject", "order-info"),)
            case _:
                assert_never(reply)
        return Draft(kind=Kind.CHAT_MESSAGE, tags=(*answer_tags(promised), *own), content=content)


DIALECT = Kind14()


def _with_wishes(draft: OrderDraft, tags: Tags) -> OrderDraft:
    """The order with its wishes in the note and its `contact` where it belongs.

    Its `amount` may be in the listing's currency or in sats, and does not say which: nothing is claimed.
    """
    wishes = [f"{tag[0]}: {tag[1]}" for tag in tags.said.tags if tag[0] in _WISHES and len(tag) > 1]
    note = "\n".join((*([draft.personal.note] if draft.personal.note else ()), *wishes))
    warnings = [warning for warning in draft.warnings if warning != "bad_amount"]
    if any(tags.all(name) for name in _VARIANTS):
        warnings.append("variant")
    personal = replace(draft.personal, note=note or None)
    if contact := tags.one("contact"):
        by_mail, by_phone = (contact, None) if "@" in contact else (None, contact)
        personal = replace(personal, email=personal.email or by_mail, phone=personal.phone or by_phone)
    return replace(draft, claimed_sats=None, personal=personal, warnings=tuple(warnings))
