"""What order messages in tags ask for, whichever kind and subject a dialect wraps them in (market spec §4)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from schemas import limits
from schemas.dialects.address import ADDRESS_MAX, destination_of
from schemas.dialects.contract import MessageFault, MessageRefused, OrderDraft, PersonalDetails, Said
from schemas.dialects.payment_tags import MEDIUM_MAX, named, preimage_hash
from schemas.dialects.shown_tokens import tokens_in_tags
from schemas.dialects.tags import Tags
from schemas.market.geohash import geohash_of
from schemas.market.reading import currency_code, exact_decimal, unix_seconds, whole_number
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.orders import LINES_MAX, MoveOrder, MoveShipping, OrderLine, OrderStatus, ShippingStatus
from schemas.payments import AnnouncePayment, PaymentForm, ReportPayment, ReportUnnamedPayment
from schemas.replies import WireStatus
from schemas.texts.phrases import Language
from schemas.values import Actor, Destination, OrderKey

SUBJECTS: Final = frozenset({"order-info", "order-payment", "order-receipt", "shipping-info"})
"""What drafts of the spec told messages apart by, and what the spec's samples still say beside `type` (A-03)."""
NO_WORDS: Final[Mapping[str, str]] = MappingProxyType({})
_CLAIM_MAX = 21_000_000 * 100_000_000
_QUANTITY_READ_MAX = 10**12
_SATS = frozenset({"SAT", "SATS"})


def read_order_info(said: Said, tags: Tags, words: Mapping[str, str] = NO_WORDS) -> OrderDraft | MoveOrder:
    """A subject that means both an order and its state: `item` makes it the one, `status` the other (A-41)."""
    if tags.all("status") and tags.all("item"):
        raise MessageRefused(MessageFault.AMBIGUOUS, "both items and a status")
    return read_status(said, tags, words) if tags.all("status") else read_order(said, tags)


def read_order(said: Said, tags: Tags) -> OrderDraft:
    """What a buyer wants. Raises `MessageRefused`, as all of these do."""
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


def read_request(said: Said, tags: Tags) -> MoveOrder | AnnouncePayment:
    """The merchant asked for payment with another program: the order is answered. A buyer's says how they pay."""
    if said.actor is Actor.BUYER:
        return _read_announcement(said, tags)
    return MoveOrder(
        order=tags.order_key(), actor=said.actor, to=OrderStatus.PENDING, cause=said.rumor_id, announce=False
    )


def read_status(said: Said, tags: Tags, words: Mapping[str, str] = NO_WORDS) -> MoveOrder:
    """A wish to move the order to its `status`; `words` are the dialect's own ones, with what they mean."""
    status = tags.one("status") or ""
    status = words.get(status, status)
    if status not in WireStatus:
        raise MessageRefused(MessageFault.BAD_STATUS)
    return MoveOrder(
        order=tags.order_key(),
        actor=said.actor,
        to=OrderStatus(status),
        cause=said.rumor_id,
        announce=said.actor is Actor.BUYER,
    )


def read_shipping(said: Said, tags: Tags) -> MoveShipping:
    """The merchant's own copy of where a parcel is."""
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


def read_receipt(said: Said, tags: Tags) -> ReportPayment | ReportUnnamedPayment:
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
    tokens = () if is_named else tuple(one.token_id for one in tokens_in_tags(payments))
    if not is_named and not (preimage_hashes or invoices or tokens):
        raise MessageRefused(MessageFault.NO_ORDER, "neither an order nor an invoice")
    if not is_named:
        tags.warnings.append("no_order")
    amount, currency = _paid(tags)
    receipt = ReportPayment(
        order=tags.order_key() if is_named else _unnamed(said, (*invoices, *preimage_hashes, *tokens)[0]),
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


def _cell(tags: Tags) -> str | None:
    """Where the goods go, for prices by distance (A-13), cut to a cell the size of a town before it leaves here."""
    cells = [cell for tag in tags.all("g") if (cell := geohash_of(tag[1]))]
    return max(cells, key=len)[: limits.DESTINATION_CELL.most] if cells else None


def _language(tags: Tags) -> Language | None:
    """What the buyer reads, by a label of ISO-639-1 (NIP-32) or a plain `language` tag; the first that is built in."""
    named = [tag[1] for tag in tags.all("l") if tag[2:3] == ("ISO-639-1",)]
    named += [tag[1] for tag in tags.all("language")]
    codes = (code.strip().lower().partition("-")[0] for code in named)
    return next((Language(code) for code in codes if code in Language), None)


def _coupon(tags: Tags) -> str | None:
    """The first coupon; whether it counts is the shop's to say (C-10)."""
    code = next((tag[1].strip() for tag in tags.all("coupon")), "")
    if not code:
        return None
    if len(code) > limits.COUPON.most or not (code.isascii() and code.isprintable()):
        tags.warnings.append("bad_coupon")
        return None
    return code


def _lines(said: Said, tags: Tags) -> tuple[OrderLine, ...]:
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


def _read_announcement(said: Said, tags: Tags) -> AnnouncePayment:
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


def _unnamed(said: Said, payment_hash: str) -> OrderKey:
    """Stands for the order until the shop knows which one it is."""
    return OrderKey(merchant=said.merchant, buyer=said.author, order_id=f"invoice {payment_hash}")


def _paid(tags: Tags) -> tuple[Decimal | None, str | None]:
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


def _date(tags: Tags) -> int | None:
    text = tags.one("date")
    at = unix_seconds(text.strip()) if text else None
    if text and at is None:
        tags.warnings.append("bad_date")
    return at


def _sats(tags: Tags) -> int | None:
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
