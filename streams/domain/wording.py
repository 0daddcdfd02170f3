"""The sentences a buyer reads: a shop's own texts or the built-in ones, in the buyer's language or the shop's (C-36).

The journal keeps the parts of a price and the reasons of a refusal in English; they are put in words here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from schemas import limits
from schemas.currencies import FiatTotal
from schemas.orders import Finding, Quote, ShippingStatus
from schemas.shops import ShopSettings
from schemas.texts import BUILT_IN, Text, placeholders
from schemas.texts.phrases import Language, Phrase
from schemas.values import MSAT_PER_SAT, Refusal, Waiting
from streams.domain.money import FiatParts

TERMS_MAX = limits.REPLY_TEXT.most - 1_000
"""What is listed or quoted in a reply; the sentences round it have the rest."""
SUBJECT_MAX = 200


class Voice:
    """How one shop speaks to one buyer."""

    def __init__(self, language: Language, own: Mapping[Phrase, str]) -> None:
        self._texts = {**BUILT_IN[language], **own}
        self._has_comma = language in (Language.GERMAN, Language.SPANISH)
        self._is_plain = language is Language.ENGLISH and not any(phrase.is_part for phrase in own)

    def say(self, phrase: Phrase, **values: str) -> str:
        """The phrase with its values."""
        return self._texts[phrase].format_map(values)

    def number(self, amount: Decimal) -> str:
        """An amount with the language's decimal sign, no exponent and no trailing zeros."""
        return plain(amount).replace(".", ",") if self._has_comma else plain(amount)

    def part(self, text: str) -> str:
        """A part that the domain wrote in English, in this language; a merchant's own words in it stay as they are."""
        if self._is_plain:
            return text
        for phrase, pattern in _parts():
            if match := pattern.fullmatch(text):
                return self.say(phrase, **match.groupdict())
        return text


def voice_of(settings: ShopSettings, language: Language | None) -> Voice:
    """The shop's voice for a buyer of this language; its own texts are in its own language."""
    if language is None or language is settings.language:
        return _voice(settings.language, settings.texts)
    return _voice(language, ())


@lru_cache(maxsize=256)
def _voice(language: Language, texts: tuple[Text, ...]) -> Voice:
    return Voice(language, {text.phrase: text.text for text in texts})


@lru_cache(maxsize=1)
def _parts() -> tuple[tuple[Phrase, re.Pattern[str]], ...]:
    """Each part as the domain writes it, longest first, so that `Coupon X, 10 %` is not taken for a plain coupon."""
    found: list[tuple[Phrase, re.Pattern[str]]] = []
    for phrase, text in BUILT_IN[Language.ENGLISH].items():
        if phrase.is_part:
            pattern = re.escape(text)
            for name in placeholders(text):
                pattern = pattern.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>.+)", 1)
            found.append((phrase, re.compile(pattern, re.DOTALL)))
    return tuple(sorted(found, key=lambda one: -len(one[1].pattern)))


def plain(amount: Decimal) -> str:
    """A decimal for reading: at most eight places, no exponent, no trailing zeros."""
    text = f"{amount:.8f}" if int(amount.as_tuple().exponent) < -8 else f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def payment_request(voice: Voice, quote: Quote, claimed_sats: int | None, fiat: FiatTotal | None = None) -> str:
    """What is to be paid, in `fiat` where that is asked for, for what, and that it differs from the buyer's sum."""
    sats = str(quote.total_msat // MSAT_PER_SAT)
    terms = "; ".join(f"{voice.part(c.label)}: {voice.number(c.amount)} {c.currency}" for c in quote.charges)
    terms = _short(terms, TERMS_MAX)
    if fiat is None:
        sentences = [voice.say(Phrase.PAY, sats=sats, terms=terms)]
    else:
        sentences = [voice.say(Phrase.PAY_FIAT, amount=_fiat(voice, fiat), terms=terms)]
    taxes = ", ".join(
        voice.say(Phrase.TAX, tax=f"{voice.number(t.tax)} {t.currency}", name=t.name)
        for t in quote.taxes
        if t.is_included and t.tax
    )
    if taxes:
        sentences.append(voice.say(Phrase.INCLUDES, taxes=_short(taxes, SUBJECT_MAX)))
    if quote.coupon is not None and not quote.coupon_counts:
        sentences.append(voice.say(Phrase.COUPON_INVALID, coupon=quote.coupon))
    sentences += _pre_order(voice, quote)
    if fiat is None and claimed_sats is not None and str(claimed_sats) != sats:
        sentences.append(voice.say(Phrase.OTHER_SUM, claimed=str(claimed_sats), sats=sats))
    return _said(sentences)


def rest_request(voice: Voice, paid_msat: int, amount_msat: int, fiat: FiatParts | None = None) -> str:
    """What is still to be paid of a price that came only in part, in `fiat` where that is asked for (TR-07)."""
    if fiat is not None:
        return voice.say(Phrase.PAY_REST_FIAT, amount=_fiat(voice, fiat.missing), paid=_fiat(voice, fiat.paid))
    return voice.say(Phrase.PAY_REST, sats=_sats(voice, amount_msat), paid=_sats(voice, paid_msat))


def part_paid(voice: Voice, paid_msat: int, missing_msat: int, is_closed: bool, fiat: FiatParts | None = None) -> str:
    """What came, what is missing, in `fiat` where that is asked for, and over which request it is to be paid."""
    if fiat is not None:
        phrase = Phrase.PART_PAID_FIAT_NEW if is_closed else Phrase.PART_PAID_FIAT
        return voice.say(phrase, paid=_fiat(voice, fiat.paid), missing=_fiat(voice, fiat.missing))
    phrase = Phrase.PART_PAID_NEW if is_closed else Phrase.PART_PAID
    missing = str(-(-missing_msat // MSAT_PER_SAT))
    return voice.say(phrase, paid=_sats(voice, paid_msat), missing=missing)


def ended(voice: Voice, phrase: Phrase, owed_msat: int) -> str:
    """That an order is over, and what of its buyer's money the shop has."""
    sentences = [voice.say(phrase)]
    if owed_msat:
        sentences.append(voice.say(Phrase.OWED, sats=_sats(voice, owed_msat)))
    return _said(sentences)


def _sats(voice: Voice, amount_msat: int) -> str:
    return voice.number(Decimal(amount_msat) / MSAT_PER_SAT)


def _fiat(voice: Voice, total: FiatTotal) -> str:
    return f"{voice.number(total.amount)} {total.currency}"


def rejected(voice: Voice, findings: tuple[Finding, ...]) -> str:
    """Why an order is turned down, every fault named; a shop that is closed may say so in its own words (C-35)."""
    if findings[0].refusal is Refusal.SHOP_CLOSED and findings[0].subject:
        return findings[0].subject
    reasons = "; ".join(
        voice.say(Phrase(f"refusal_{f.refusal}"), subject=_short(voice.part(f.subject), SUBJECT_MAX)) for f in findings
    )
    return _said([voice.say(Phrase.REJECTED, reasons=_short(reasons, TERMS_MAX))])


def waiting(voice: Voice, reason: Waiting, detail: str) -> str:
    """What an order waits for."""
    detail = _short(voice.part(detail), TERMS_MAX)
    sentences = [voice.say(Phrase(f"waiting_{reason}"), detail=detail)]
    if reason is Waiting.CONTACT and detail:
        sentences.append(voice.say(Phrase.WAITING_ADDRESS, detail=detail))
    return _said(sentences)


def confirmed(voice: Voice, quote: Quote | None, over_msat: int = 0) -> str:
    """Thanks for the payment if there was one, with the place for a pickup (SHP-11) and the time it takes (SHP-16)."""
    if quote is None:
        return voice.say(Phrase.CONFIRMED_PAID)
    sentences = [voice.say(Phrase.CONFIRMED_PAID if quote.total_msat else Phrase.CONFIRMED_FREE)]
    if over_msat:
        sentences.append(voice.say(Phrase.SURPLUS, sats=_sats(voice, over_msat)))
    if quote.pickup_place:
        sentences.append(voice.say(Phrase.COLLECT, place=_short(quote.pickup_place, TERMS_MAX)))
    return _said([*sentences, *_arrival(voice, quote), *_pre_order(voice, quote)])


def _pre_order(voice: Voice, quote: Quote) -> list[str]:
    """Which goods are not there yet (CAT-05)."""
    titles = ", ".join(line.title for line in quote.lines if line.pre_order)
    return [voice.say(Phrase.PRE_ORDER, titles=_short(titles, SUBJECT_MAX))] if titles else []


def _arrival(voice: Voice, quote: Quote) -> list[str]:
    """Within what time the goods arrive (SHP-16)."""
    least, most = quote.delivery_min_h, quote.delivery_max_h
    if least is None or most is None:
        return []
    in_days = least % 24 == 0 and most % 24 == 0
    least, most = (least // 24, most // 24) if in_days else (least, most)
    span = str(most) if least == most else voice.say(Phrase.SPAN, least=str(least), most=str(most))
    return [voice.say(Phrase.ARRIVES_DAYS if in_days else Phrase.ARRIVES_HOURS, span=span)]


def goods(voice: Voice, title: str) -> str:
    """What comes with it in the same message."""
    return _said([voice.say(Phrase.GOODS, title=_short(title, SUBJECT_MAX))])


def ready(voice: Voice, place: str) -> str:
    """Where to come."""
    return _said([voice.say(Phrase.READY, place=_short(place, TERMS_MAX))])


def refunded(voice: Voice, amount_msat: int, rail: str, reference: str, is_all: bool) -> str:
    """How much came back, how, and whether that was all."""
    sentences = [voice.say(Phrase.REFUNDED, sats=voice.number(Decimal(amount_msat) / MSAT_PER_SAT), rail=rail)]
    if reference:
        sentences.append(voice.say(Phrase.REFUND_REFERENCE, reference=reference))
    if is_all:
        sentences.append(voice.say(Phrase.REFUNDED_ALL))
    return _said(sentences)


def refund_link(voice: Voice, amount_msat: int) -> str:
    """How much can be claimed; the link comes with it in the same message."""
    return _said([voice.say(Phrase.REFUND_LINK, sats=_sats(voice, amount_msat))])


def parcel(
    voice: Voice, status: ShippingStatus, tracking: str | None, carrier: str | None, name: str | None = None
) -> str:
    """Where the parcel is, and which one where there are several."""
    sentences = [voice.say(Phrase.PARCEL_NAME, name=name)] if name else []
    sentences.append(voice.say(Phrase(f"parcel_{status}")))
    if carrier:
        sentences.append(voice.say(Phrase.CARRIER, carrier=carrier))
    if tracking:
        sentences.append(voice.say(Phrase.TRACKING, tracking=tracking))
    return _said(sentences)


def _said(sentences: list[str]) -> str:
    return _short(" ".join(sentences), limits.REPLY_TEXT.most)


def _short(text: str, most: int) -> str:
    """The text, cut where it would make a message that is too long to be sent."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
