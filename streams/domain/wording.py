"""The English sentences a buyer reads; a template language per shop comes in by replacing this one module."""

from __future__ import annotations

from decimal import Decimal

from schemas import limits
from schemas.orders import Finding, Quote, ShippingStatus
from schemas.values import MSAT_PER_SAT, Refusal, Waiting

TERMS_MAX = limits.REPLY_TEXT.most - 1_000
"""What is listed or quoted in a reply; the sentences round it have the rest."""
SUBJECT_MAX = 200

_REFUSALS: dict[Refusal, str] = {
    Refusal.DECLINED: "the shop declined",
    Refusal.SHOP_BUSY: "the shop has as many unpaid orders as it takes at once; please try again in a while",
    Refusal.TOO_MANY_ORDERS: "you placed {subject} orders within this hour without paying; "
    "further ones are not answered before the next hour",
    Refusal.TOO_MANY_OPEN: "you have {subject} open orders at this shop; please pay or cancel one of them first",
    Refusal.WRONG_MERCHANT: "this shop does not sell {subject}",
    Refusal.UNKNOWN_ITEM: "there is no listing {subject}",
    Refusal.NOT_FOR_SALE: "{subject} is not for sale",
    Refusal.CHOOSE_VARIATION: "please choose one of its variations: {subject}",
    Refusal.ORPHAN_VARIATION: "{subject}",
    Refusal.BAD_QUANTITY: "the quantity of {subject} is not a whole number within limits",
    Refusal.INSUFFICIENT_STOCK: "not enough of {subject} is in stock",
    Refusal.STOCK_SHARE: "before you have paid, the shop sets no more pieces aside for you than it says: {subject}",
    Refusal.UNKNOWN_SHIPPING: "the shipping option {subject} is not offered",
    Refusal.OPTION_NOT_FOR_ALL: "not every item can be sent with {subject}",
    Refusal.COUNTRY_NOT_SERVED: "shipping does not go there ({subject})",
    Refusal.WEIGHT_OVER_MAX: "the order is too heavy ({subject})",
    Refusal.WEIGHT_UNDER_MIN: "the order is too light ({subject})",
    Refusal.SIZE_OVER_MAX: "something in the order is too large ({subject})",
    Refusal.SIZE_UNDER_MIN: "something in the order is too small ({subject})",
    Refusal.UNPRICEABLE: "no exchange rate was to be had for {subject}",
    Refusal.BELOW_MINIMUM: "the shop takes orders from {subject} on",
    Refusal.TOO_EXPENSIVE: "its price is above what the shop takes for one order ({subject})",
}

_WAITING: dict[Waiting, str] = {
    Waiting.ADDRESS: "Please send the order again with {detail}.",
    Waiting.SHIPPING_CHOICE: "Please send the order again with one of these shipping options: {detail}.",
    Waiting.RATE: "There is no fresh exchange rate for {detail} just now; you will be sent the price soon.",
    Waiting.PRICING: "The shop has to work out the shipping cost first ({detail}).",
}

_PARCEL: dict[ShippingStatus, str] = {
    ShippingStatus.NONE: "Your parcel has not been prepared yet.",
    ShippingStatus.PROCESSING: "Your parcel is being prepared.",
    ShippingStatus.SHIPPED: "Your parcel is on its way.",
    ShippingStatus.DELIVERED: "Your parcel was delivered.",
    ShippingStatus.EXCEPTION: "There is a problem with your parcel; the shop is looking into it.",
}


def plain(amount: Decimal) -> str:
    """A decimal for reading: at most eight places, no exponent, no trailing zeros."""
    text = f"{amount:.8f}" if int(amount.as_tuple().exponent) < -8 else f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def payment_request(quote: Quote, claimed_sats: int | None) -> str:
    """What is to be paid, for what, and that the sum differs from the buyer's if it does."""
    total_sats = quote.total_msat // MSAT_PER_SAT
    terms = _short("; ".join(f"{c.label}: {plain(c.amount)} {c.currency}" for c in quote.charges), TERMS_MAX)
    text = f"Please pay {total_sats} sats. {terms}."
    text += _included(quote) + _coupon(quote) + _pre_order(quote)
    if claimed_sats is not None and claimed_sats != total_sats:
        text += f" Your order named {claimed_sats} sats; the shop's own prices give {total_sats}."
    return text


def rejected(findings: tuple[Finding, ...]) -> str:
    """Why an order is turned down, every fault named."""
    reasons = [_REFUSALS[f.refusal].format(subject=_short(f.subject, SUBJECT_MAX)) for f in findings]
    return f"Your order cannot be accepted: {_short('; '.join(reasons), TERMS_MAX)}."


def waiting(reason: Waiting, detail: str) -> str:
    """What an order waits for."""
    return _WAITING[reason].format(detail=_short(detail, TERMS_MAX))


def confirmed(quote: Quote | None) -> str:
    """Thanks for the payment if there was one, with the place for a pickup (SHP-11)."""
    place = f" You can collect it at: {_short(quote.pickup_place, TERMS_MAX)}." if quote and quote.pickup_place else ""
    is_free = quote is not None and quote.total_msat == 0
    more = f"{place}{_arrival(quote)}{_pre_order(quote)}" if quote else ""
    return f"{'Your order is' if is_free else 'Your payment has arrived and your order is'} confirmed.{more}"


def _included(quote: Quote) -> str:
    """How much tax the prices include (C-09)."""
    taxes = ", ".join(f"{plain(t.tax)} {t.currency} of {t.name}" for t in quote.taxes if t.is_included and t.tax)
    return f" This includes {_short(taxes, SUBJECT_MAX)}." if taxes else ""


def _coupon(quote: Quote) -> str:
    """That a coupon was named and does not count."""
    return "" if quote.coupon is None or quote.coupon_counts else f" The coupon {quote.coupon} is not valid for this."


def _pre_order(quote: Quote) -> str:
    """Which goods are not there yet (CAT-05)."""
    titles = ", ".join(line.title for line in quote.lines if line.pre_order)
    return f" Pre-order, sent as soon as it is there: {_short(titles, SUBJECT_MAX)}." if titles else ""


def _arrival(quote: Quote) -> str:
    """Within what time the goods arrive (SHP-16)."""
    least, most = quote.delivery_min_h, quote.delivery_max_h
    if least is None or most is None:
        return ""
    in_days = least % 24 == 0 and most % 24 == 0
    least, most = (least // 24, most // 24) if in_days else (least, most)
    span = f"{most}" if least == most else f"{least} to {most}"
    return f" It should arrive within {span} {'days' if in_days else 'hours'}."


def parcel(status: ShippingStatus, tracking: str | None, carrier: str | None) -> str:
    """Where the parcel is."""
    by = f" Carrier: {carrier}." if carrier else ""
    number = f" Tracking: {tracking}." if tracking else ""
    return f"{_PARCEL[status]}{by}{number}"


def _short(text: str, most: int) -> str:
    """The text, cut where it would make a message that is too long to be sent."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


PROCESSING = "Your order is being prepared."
COMPLETED = "Your order is complete. Thank you."
CANCELLED_BY_BUYER = "Your order is cancelled as you asked."
CANCELLED_BY_MERCHANT = "The shop cancelled your order."
CANCELLED_PAID = "The shop cancelled your order; your payment is to be refunded."
EXPIRED = "Your order expired because no payment arrived in time."
FAILED = "No payment request could be made for your order, so it is cancelled."
INVITATION = "If you like, tell others how it was: the shop would be glad of your review."
