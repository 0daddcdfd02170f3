"""The market spec's own messages: kinds 16 and 17 inside gift wraps (market spec §4)."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from schemas import limits
from schemas.dialects.address import ADDRESS_MAX, destination_of
from schemas.dialects.contract import (
    Draft,
    MessageFault,
    MessageRefused,
    OrderDraft,
    PersonalDetails,
    Reading,
    Said,
)
from schemas.dialects.payment_tags import MEDIUM_MAX, named, preimage_hash
from schemas.market.geohash import geohash_of
from schemas.market.reading import currency_code, exact_decimal, unix_seconds, whole_number
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.orders import LINES_MAX, MoveOrder, MoveShipping, OrderLine, OrderStatus, ShippingStatus
from schemas.payments import AnnouncePayment, PaymentForm, ReportPayment, ReportUnnamedPayment
from schemas.replies import PaymentRequestReply, ReplyPromised, ShippingReply, StatusReply, TextReply, WireStatus
from schemas.texts.phrases import Language
from schemas.values import Actor, Destination, OrderKey

_CLAIM_MAX = 21_000_000 * 100_000_000
_QUANTITY_READ_MAX = 10**12
_SATS = frozenset({"SAT", "SATS"})
_ORDER_ID_MAX = limits.ORDER_ID.most


class Gamma:
    """The native dialect."""

    name = "gamma"

    def recognises(self, kind: int, tags: tuple[tuple[str, ...], ...]) -> bool:
        """Kinds 16 and 17; what exactly was said is settled when it is read."""
        return kind in (Kind.ORDER, Kind.PAYMENT_RECEIPT)

    def read(self, said: Said) -> Reading:
        """Route by kind and `type` tag, never by subject or content (A-03, EVT-07)."""
        tags = _Tags(said)
        tags.check_recipient()
        if said.kind == Kind.PAYMENT_RECEIPT:
            return _read_receipt(said, tags)
        if said.kind != Kind.ORDER:
            raise MessageRefused(MessageFault.UNKNOWN_KIND)
        match tags.one("type"):
            case "1":
                return _read_order(said, tags)
            case "2":
                return _read_request(said, tags)
            case "3":
                return _read_status(said, tags)
            case "4":
                return _read_shipping(said, tags)
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
        common = (("p", order.buyer), ("order", order.order_id), ("e", promised.answers))
        match reply:
            case PaymentRequestReply():
                own = (
                    ("subject", "order-payment"),
                    ("type", "2"),
                    ("amount", str(reply.amount_sats)),
                    *(("payment", option.medium, option.text) for option in reply.options),
                    ("expiration", str(reply.expires_at)),
                )
            case StatusReply():
                own = (("subject", "order-info"), ("type", "3"), ("status", reply.status.value))
            case ShippingReply():
                own = (("subject", "shipping-info"), ("type", "4"), ("status", reply.status.value))
                optional = (
                    ("tracking", reply.tracking),
                    ("carrier", reply.carrier),
                    ("eta", None if reply.eta is None else str(reply.eta)),
                )
                own = (*own, *((name, value) for name, value in optional if value is not None))
            case TextReply():
                tags = (("p", order.buyer), ("subject", order.order_id), ("e", promised.answers))
                return Draft(kind=Kind.CHAT_MESSAGE, tags=tags, content=reply.text)
            case _:
                assert_never(reply)
        return Draft(kind=Kind.ORDER, tags=(*common, *own), content=reply.text)


DIALECT = Gamma()


class _Tags:
    """A message's tags; anything that must be single is refused when it is not (attack 43)."""

    def __init__(self, said: Said) -> None:
        self.said = said
        self.warnings: list[str] = []

    def all(self, name: str) -> list[tuple[str, ...]]:
        return [tag for tag in self.said.tags if tag[0] == name and len(tag) > 1]

    def one(self, name: str, *aliases: str) -> str | None:
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
        order_id = self.one("order") or ""
        if not 1 <= len(order_id) <= _ORDER_ID_MAX or not (order_id.isascii() and order_id.isprintable()):
            raise MessageRefused(MessageFault.NO_ORDER, "no order id of 1 to 128 printable characters")
        if self.said.actor is Actor.BUYER:
            buyer = self.said.author
        else:
            buyer = next(iter({tag[1] for tag in self.all("p")} - {self.said.merchant}), "")
            if not _is_key(buyer):
                raise MessageRefused(MessageFault.RECIPIENT_MISMATCH, "no buyer is named")
        return OrderKey(merchant=self.said.merchant, buyer=buyer, order_id=order_id)


def _read_order(said: Said, tags: _Tags) -> OrderDraft:
    if said.actor is Actor.MERCHANT:
        raise MessageRefused(MessageFault.NOT_ALLOWED, "the merchant's own copy of an order")
    key = tags.order_key()
    address = tags.one("address")
    destination = destination_of(address[:ADDRESS_MAX]) if address else Destination()
    claimed = _sats(tags)
    if claimed is None:
        tags.warnings.append("bad_amount")
    shipping = tags.one("shipping", "shipping_option")
    return OrderDraft(
        order_id=key.order_id,
        lines=_lines(said, tags),
        shipping=_coordinate(shipping, Kind.SHIPPING_OPTION, said.merchant) if shipping else None,
        country=destination.country,
        region=destination.region,
        personal=PersonalDetails(
            address=address, email=tags.one("email"), phone=tags.one("phone"), note=said.content or None
        ),
        claimed_sats=claimed,
        coupon=_coupon(tags),
        language=_language(tags),
        geohash=_cell(tags),
        warnings=tuple(tags.warnings),
    )


def _cell(tags: _Tags) -> str | None:
    """Where the goods go, for prices by distance (A-13), cut to a cell the size of a town before it leaves here."""
    cells = [cell for tag in tags.all("g") if (cell := geohash_of(tag[1]))]
    return max(cells, key=len)[: limits.DESTINATION_CELL.most] if cells else None


def _language(tags: _Tags) -> Language | None:
    """What the buyer reads, by a label of ISO-639-1 (NIP-32) or a plain `language` tag; the first that is built in."""
    named = [tag[1] for tag in tags.all("l") if tag[2:3] == ("ISO-639-1",)]
    named += [tag[1] for tag in tags.all("language")]
    codes = (code.strip().lower().partition("-")[0] for code in named)
    return next((Language(code) for code in codes if code in Language), None)


def _coupon(tags: _Tags) -> str | None:
    """The first coupon; whether it counts is the shop's to say (C-10)."""
    code = next((tag[1].strip() for tag in tags.all("coupon")), "")
    if not code:
        return None
    if len(code) > limits.COUPON.most or not (code.isascii() and code.isprintable()):
        tags.warnings.append("bad_coupon")
        return None
    return code


def _lines(said: Said, tags: _Tags) -> tuple[OrderLine, ...]:
    """Every `item [coordinate, quantity]`; a quantity that is no whole number becomes 0, which no shop accepts."""
    items = tags.all("item")
    if not items:
        raise MessageRefused(MessageFault.NO_ITEM)
    if len(items) > LINES_MAX:
        raise MessageRefused(MessageFault.TOO_MANY_LINES, f"more than {LINES_MAX}")
    return tuple(
        OrderLine(
            coordinate=_coordinate(item[1], Kind.PRODUCT, said.merchant),
            quantity=whole_number(item[2] if len(item) > 2 else "1", _QUANTITY_READ_MAX) or 0,
        )
        for item in items
    )


def _read_request(said: Said, tags: _Tags) -> MoveOrder | AnnouncePayment:
    """The merchant asked for payment with another program: the order is answered. A buyer's says how they pay."""
    if said.actor is Actor.BUYER:
        return _read_announcement(said, tags)
    return MoveOrder(
        order=tags.order_key(), actor=said.actor, to=OrderStatus.PENDING, cause=said.rumor_id, announce=False
    )


def _read_status(said: Said, tags: _Tags) -> MoveOrder:
    status = tags.one("status") or ""
    if status not in WireStatus:
        raise MessageRefused(MessageFault.BAD_STATUS)
    return MoveOrder(
        order=tags.order_key(),
        actor=said.actor,
        to=OrderStatus(status),
        cause=said.rumor_id,
        announce=said.actor is Actor.BUYER,
    )


def _read_shipping(said: Said, tags: _Tags) -> MoveShipping:
    if said.actor is Actor.BUYER:
        raise MessageRefused(MessageFault.NOT_ALLOWED, "only the merchant ships")
    status = tags.one("status") or ""
    if status not in ShippingStatus or status == ShippingStatus.NONE:
        raise MessageRefused(MessageFault.BAD_STATUS)
    eta = tags.one("eta")
    return MoveShipping(
        order=tags.order_key(),
        actor=said.actor,
        to=ShippingStatus(status),
        cause=said.rumor_id,
        tracking=_short(tags.one("tracking"), limits.TRACKING.most),
        carrier=_short(tags.one("carrier"), limits.CARRIER.most),
        eta=unix_seconds(eta) if eta else None,
        announce=False,
    )


def _read_announcement(said: Said, tags: _Tags) -> AnnouncePayment:
    """A buyer's own payment request: how their application is going to pay, and how much (A-23)."""
    payments = tags.all("payment")
    if not payments:
        raise MessageRefused(MessageFault.NO_PAYMENT)
    if len(payments) > limits.PROOFS_SAID.most:
        raise MessageRefused(MessageFault.BAD_SHAPE, f"more than {limits.PROOFS_SAID.most} payments")
    return AnnouncePayment(
        order=tags.order_key(),
        rumor_id=said.rumor_id,
        amount_sats=_sats(tags),
        payments=tuple(named(tag) for tag in payments),
    )


def _read_receipt(said: Said, tags: _Tags) -> ReportPayment | ReportUnnamedPayment:
    """A claim to have paid; without an order it is for whichever the invoice it shows belongs to (T17-01)."""
    if said.actor is Actor.MERCHANT:
        raise MessageRefused(MessageFault.NOT_ALLOWED, "a receipt by the merchant proves nothing")
    payments = tags.all("payment")
    if not payments:
        raise MessageRefused(MessageFault.NO_PAYMENT)
    payments = payments[: limits.PROOFS_SAID.most]
    preimage_hashes = tuple(dict.fromkeys(hash_ for tag in payments if (hash_ := preimage_hash(tag))))
    is_named = tags.one("order") is not None
    shown = () if is_named else tuple(named(tag) for tag in payments)  # reading an invoice costs a millisecond
    invoices = tuple(one.name for one in shown if one.form is PaymentForm.INVOICE)
    if not is_named and not (preimage_hashes or invoices):
        raise MessageRefused(MessageFault.NO_ORDER, "neither an order nor an invoice")
    if not is_named:
        tags.warnings.append("no_order")
    amount, currency = _paid(tags)
    receipt = ReportPayment(
        order=tags.order_key() if is_named else _unnamed(said, (*invoices, *preimage_hashes)[0]),
        rumor_id=said.rumor_id,
        medium=payments[0][1][:MEDIUM_MAX],
        preimage_hashes=preimage_hashes,
        amount=amount,
        currency=currency,
        said_at=_date(tags),
        warnings=tuple(tags.warnings),
    )
    if is_named:
        return receipt
    hashes = tuple(dict.fromkeys((*invoices, *preimage_hashes)))
    return ReportUnnamedPayment(buyer=said.author, payment_hashes=hashes, receipt=receipt)


def _unnamed(said: Said, payment_hash: str) -> OrderKey:
    """Stands for the order until the shop knows which one it is."""
    return OrderKey(merchant=said.merchant, buyer=said.author, order_id=f"invoice {payment_hash}")


def _paid(tags: _Tags) -> tuple[Decimal | None, str | None]:
    """What was paid by the buyer's word: sats, unless a second element names a currency."""
    text = tags.one("amount")
    if text is None:
        return None, None
    amount = exact_decimal(text.strip())
    units = {currency_code(unit) for tag in tags.all("amount") for unit in tag[2:3] if unit.strip()}
    if amount is None or None in units or len(units) > 1:
        tags.warnings.append("bad_amount")
        return None, None
    currency = next(iter(units), None)
    return amount, None if currency in _SATS else currency


def _date(tags: _Tags) -> int | None:
    text = tags.one("date")
    at = unix_seconds(text.strip()) if text else None
    if text and at is None:
        tags.warnings.append("bad_date")
    return at


def _sats(tags: _Tags) -> int | None:
    """The amount in whole sats; None where it is anything else."""
    claimed = whole_number(tags.one("amount") or "", _CLAIM_MAX)
    units = {unit.strip().upper() for tag in tags.all("amount") for unit in tag[2:3]}
    return None if units - {"", *_SATS} else claimed


def _coordinate(text: str, kind: Kind, merchant: str) -> str:
    """An address of this kind; a bare id means the merchant's own (T16A-04, T16A-05)."""
    if ":" not in text:
        text = f"{int(kind)}:{merchant}:{text}"
    try:
        coordinate = Coordinate.parse(text)
    except ValueError:
        raise MessageRefused(MessageFault.BAD_COORD) from None
    if coordinate.kind != kind:
        raise MessageRefused(MessageFault.BAD_COORD, "an address of another kind")
    return str(coordinate)


def _short(text: str | None, longest: int) -> str | None:
    return text[:longest] if text else None


def _is_key(text: str) -> bool:
    return len(text) == 64 and all(c in "0123456789abcdef" for c in text)
