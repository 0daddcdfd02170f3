"""Stalls' own messages: JSON inside kind 4, encrypted by NIP-04, as NIP-15 and nostrmarket have them.

    type 0   order             buyer to merchant
    type 1   payment request   merchant to buyer; without options it turns an order down
    type 2   status            merchant to buyer; `paid` and `shipped` always, and the `status` of the stalls' draft

Words to a person go as plain text. Read tolerantly, written strictly: no field but those of the text.
"""

from __future__ import annotations

from typing import Any, Final, assert_never

import orjson

from schemas import limits
from schemas.dialects.address import ADDRESS_MAX, destination_of
from schemas.dialects.contract import Draft, MessageFault, MessageRefused, OrderDraft, PersonalDetails, Said
from schemas.market.reading import whole_number
from schemas.nostr.coordinates import Coordinate, CoordinateRefused
from schemas.nostr.kinds import Kind
from schemas.orders import LINES_MAX, OrderLine, OrderStatus
from schemas.replies import (
    PaymentOption,
    PaymentRequestReply,
    ReplyPromised,
    ShippingReply,
    Standing,
    StatusReply,
    TextReply,
)
from schemas.values import Destination

ORDER, PAYMENT_REQUEST, STATUS = 0, 1, 2

_NOT_BUYERS: Final = {PAYMENT_REQUEST: "payment_request_by_buyer", STATUS: "status_by_buyer"}
"""What only a merchant says: counted by these names where a buyer says it, and never believed."""
_WORD_OF: Final = {
    OrderStatus.WAITING: "pending",
    OrderStatus.PENDING: "pending",
    OrderStatus.CONFIRMED: "processing",
    OrderStatus.PROCESSING: "processing",
    OrderStatus.COMPLETED: "completed",
    OrderStatus.CANCELLED: "cancelled",
    OrderStatus.REJECTED: "cancelled",
    OrderStatus.EXPIRED: "cancelled",
    OrderStatus.FAILED: "failed",
    OrderStatus.REFUNDED: "refunded",
}
_QUANTITY_READ_MAX: Final = 10**12


class Nip15:
    """The dialect of NIP-15 stalls."""

    name = "nip15"

    def recognises(self, kind: int, tags: tuple[tuple[str, ...], ...]) -> bool:
        """Kind 4; `is_checkout` says of its text whether it is a person's."""
        return kind == Kind.ENCRYPTED_DIRECT_MESSAGE

    def read(self, said: Said) -> OrderDraft:
        """An order; nothing else of a buyer's moves anything. Raises `MessageRefused`."""
        fields = _object(said.content) or {}
        kind = type_of(said.content)
        if kind is None:
            raise MessageRefused(MessageFault.NO_TYPE, "no type of 0, 1 or 2")
        if kind != ORDER:
            raise MessageRefused(MessageFault.NOT_ALLOWED, "only the merchant asks for payment and says how it stands")
        if {tag[1] for tag in said.tags if tag[0] == "p" and len(tag) > 1} - {said.author, said.merchant}:
            raise MessageRefused(MessageFault.GROUP_ORDER, "more than one recipient")
        return _read_order(said, fields)

    def write(self, promised: ReplyPromised) -> Draft:
        """The reply as the JSON to encrypt; what is for a person alone is plain text."""
        reply = promised.reply
        standing = promised.standing or Standing(status=OrderStatus.PENDING, paid=False, shipped=False)
        match reply:
            case TextReply():
                return _to_buyer(promised, reply.text)
            case PaymentRequestReply():
                options = [
                    {"type": kind, "link": option.where}
                    for option in reply.options
                    if (kind := _option_of(option)) is not None
                ]
                return _request(promised, reply.text, options)
            case StatusReply() if standing.status is OrderStatus.REJECTED:
                return _request(promised, reply.text, [])
            case StatusReply() | ShippingReply():
                fields = {
                    "type": STATUS,
                    "id": promised.order.order_id,
                    "message": reply.text,
                    "paid": standing.paid,
                    "shipped": standing.shipped,
                    "status": _WORD_OF[standing.status],
                }
                return _to_buyer(promised, orjson.dumps(fields).decode())
            case _:
                assert_never(reply)


DIALECT = Nip15()


def is_checkout(text: str) -> bool:
    """Whether a text is a stall's message: a JSON object that has a `type`; anything else is a person's words."""
    fields = _object(text)
    return fields is not None and "type" in fields


def type_of(text: str) -> int | None:
    """The type of a stall's message, 0 to 2; None for any other, and for what is none."""
    said = (_object(text) or {}).get("type")
    if isinstance(said, str):
        said = {"0": ORDER, "1": PAYMENT_REQUEST, "2": STATUS}.get(said.strip())
    is_known = isinstance(said, int) and not isinstance(said, bool) and said in (ORDER, PAYMENT_REQUEST, STATUS)
    return said if is_known else None


def ignored(text: str) -> str | None:
    """Why a buyer's message is only counted: it says what only the merchant says."""
    kind = type_of(text)
    return None if kind is None else _NOT_BUYERS.get(kind)


def listing_address(merchant: str, product_id: str) -> str:
    """The address of the listing a product id means. Raises `MessageRefused`.

    A shop's catalogue is of kind 30402, and the same `d` is a stall's product id; a whole address is taken as it is.
    """
    return _address(merchant, Kind.PRODUCT, product_id)


def option_address(merchant: str, shipping_id: str) -> str:
    """The address of the shipping option a stall's zone id means. Raises `MessageRefused`."""
    return _address(merchant, Kind.SHIPPING_OPTION, shipping_id)


def _address(merchant: str, kind: Kind, name: str) -> str:
    if not name:
        raise MessageRefused(MessageFault.BAD_COORD)
    try:
        named = Coordinate.parse(name)
    except CoordinateRefused:  # ids are any text, and may have colons in them
        return str(Coordinate(int(kind), merchant, name))
    if named.kind != kind:
        raise MessageRefused(MessageFault.BAD_COORD, "an address of another kind")
    return str(named)


def _read_order(said: Said, fields: dict[str, Any]) -> OrderDraft:
    order_id = _text(fields.get("id"))
    if not 1 <= len(order_id) <= limits.ORDER_ID.most or not (order_id.isascii() and order_id.isprintable()):
        raise MessageRefused(MessageFault.NO_ORDER, "no order id of 1 to 128 printable characters")
    contact = fields.get("contact")
    contact = contact if isinstance(contact, dict) else {}
    address, name = _text(fields.get("address")), _text(fields.get("name"))
    destination = destination_of(address[:ADDRESS_MAX]) if address else Destination()
    shipping = _text(fields.get("shipping_id"))
    note = _text(fields.get("message"))
    if name and not address:
        note = f"{name}\n{note}".strip()
    return OrderDraft(
        order_id=order_id,
        lines=_lines(said, fields.get("items")),
        shipping=option_address(said.merchant, shipping) if shipping else None,
        country=destination.country,
        region=destination.region,
        personal=PersonalDetails(
            address=f"{name}\n{address}" if name and address else address or None,
            email=_text(contact.get("email")) or None,
            phone=_text(contact.get("phone")) or None,
            note=note or None,
        ),
        claimed_sats=None,
        warnings=(),
    )


def _lines(said: Said, items: Any) -> tuple[OrderLine, ...]:
    """Every item; a quantity that is no whole number becomes 0, which no shop accepts."""
    if not isinstance(items, list) or not items:
        raise MessageRefused(MessageFault.NO_ITEM)
    if len(items) > LINES_MAX:
        raise MessageRefused(MessageFault.TOO_MANY_LINES, f"more than {LINES_MAX}")
    if not all(isinstance(item, dict) for item in items):
        raise MessageRefused(MessageFault.BAD_SHAPE, "an item that is no object")
    return tuple(
        OrderLine(
            coordinate=listing_address(said.merchant, _text(item.get("product_id"))),
            quantity=_quantity(item.get("quantity", 1)),
        )
        for item in items
    )


def _quantity(said: Any) -> int:
    if isinstance(said, str):
        said = whole_number(said.strip(), _QUANTITY_READ_MAX)
    if isinstance(said, float) and said.is_integer():
        said = int(said)
    is_whole = isinstance(said, int) and not isinstance(said, bool) and 0 < said <= _QUANTITY_READ_MAX
    return said if is_whole else 0


def _text(said: Any) -> str:
    """A field as text: numbers as they read, an object as its JSON, and nothing for nothing."""
    match said:
        case str():
            return said.strip()
        case bool() | None | float() | list():
            return ""
        case int():
            return str(said)
        case _:
            return orjson.dumps(said).decode()


def _object(text: str) -> dict[str, Any] | None:
    """A text's JSON object, or None."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) else None


def _option_of(option: PaymentOption) -> str | None:
    """Its word in `payment_options`; what has none is not offered."""
    text = option.text.lower()
    match option.medium:
        case "bitcoin":
            return "btc"
        case "lightning" if text.startswith("lnurl1"):
            return "lnurl"
        case "lightning" if "@" not in text:  # a stall's button takes an invoice
            return "ln"
        case _ if text.startswith("https://"):
            return "url"
        case _:
            return None


def _request(promised: ReplyPromised, text: str, options: list[dict[str, str]]) -> Draft:
    fields = {"type": PAYMENT_REQUEST, "id": promised.order.order_id, "message": text, "payment_options": options}
    return _to_buyer(promised, orjson.dumps(fields).decode())


def _to_buyer(promised: ReplyPromised, content: str) -> Draft:
    return Draft(kind=Kind.ENCRYPTED_DIRECT_MESSAGE, tags=(("p", promised.order.buyer),), content=content)
