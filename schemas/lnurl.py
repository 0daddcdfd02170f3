"""Lightning addresses: where to ask, what is answered, and what an invoice must agree with (LUD-06, -12, -16, -21).

Everything a service says is data of a stranger: it is read here and judged by whoever asks for the money.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson

from schemas.bolt11 import AMOUNT_MSAT_MAX

URL_CHARS_MAX: Final = 2_048
COMMENT_CHARS_MAX: Final = 639
REASON_CHARS_MAX: Final = 200

_ADDRESS: Final = re.compile(r"([a-z0-9._+-]{1,64})@([a-z0-9.-]{1,253}(?::[0-9]{1,5})?)", re.ASCII)
_PREIMAGE: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


class AddressRefused(ValueError):
    """A text that is no lightning address; the message says how one is written."""


class AnswerRefused(ValueError):
    """An answer that is not what the LUD says; the message quotes nothing but a service's own reason."""


class ServiceSaysNo(AnswerRefused):
    """The service answered with `status: ERROR`; the message is its reason, cut short."""


@dataclass(frozen=True, slots=True)
class Address:
    """`name@domain` (LUD-16); the domain may carry a port."""

    name: str
    domain: str

    def __str__(self) -> str:
        return f"{self.name}@{self.domain}"

    def url(self, scheme: str = "https") -> str:
        """Where its terms are asked for."""
        return f"{scheme}://{self.domain}/.well-known/lnurlp/{self.name}"


@dataclass(frozen=True, slots=True)
class PayTerms:
    """What a service takes, and where it makes an invoice; amounts in msat."""

    callback: str
    min_msat: int
    max_msat: int
    metadata: str
    comment_chars: int = 0

    @property
    def description_hash(self) -> str:
        """What every invoice of these terms commits to: 64 hex digits (LUD-06)."""
        return hashlib.sha256(self.metadata.encode()).hexdigest()

    def callback_url(self, amount_msat: int, comment: str) -> str:
        """Where to ask for one invoice; the comment is cut to what the service takes, and left out if that is none."""
        parts = urlsplit(self.callback)
        query = [*parse_qsl(parts.query, keep_blank_values=True), ("amount", str(amount_msat))]
        cut = comment[: min(self.comment_chars, COMMENT_CHARS_MAX)]
        query += [("comment", cut)] if cut else []
        return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(query), ""))


@dataclass(frozen=True, slots=True)
class MadeInvoice:
    """An invoice, and where its state can be asked for (LUD-21) if the service tells it."""

    text: str
    verify: str | None


@dataclass(frozen=True, slots=True)
class VerifiedState:
    """What a service says of an invoice it made; `text` and `preimage` (hex) may be missing."""

    is_settled: bool
    text: str | None
    preimage: str | None


def read_address(text: str) -> Address:
    """Read `name@domain` in lower case, as LUD-16 wants it; raise `AddressRefused`."""
    found = _ADDRESS.fullmatch(text.strip().lower())
    if found is None or found[2].startswith(".") or ".." in found[2]:
        raise AddressRefused("a lightning address is written like name@domain.example")
    return Address(found[1], found[2])


def read_terms(body: bytes) -> PayTerms:
    """Read a service's first answer (LUD-06); raise `AnswerRefused`."""
    fields = _object(body)
    callback, metadata, comment = fields.get("callback"), fields.get("metadata"), fields.get("commentAllowed", 0)
    if fields.get("tag") != "payRequest":
        raise AnswerRefused("the address is not one to pay to")
    url = _url(callback)
    if url is None or not isinstance(metadata, str) or not isinstance(_parsed(metadata.encode()), list):
        raise AnswerRefused("the address says no callback, or no metadata")
    terms = PayTerms(
        callback=url,
        min_msat=_amount(fields.get("minSendable")),
        max_msat=_amount(fields.get("maxSendable")),
        metadata=metadata,
        comment_chars=comment if type(comment) is int and comment > 0 else 0,
    )
    if not 0 < terms.min_msat <= terms.max_msat:
        raise AnswerRefused("the address says no amounts that can be paid")
    return terms


def read_made(body: bytes) -> MadeInvoice:
    """Read the callback's answer (LUD-06, LUD-21); raise `AnswerRefused`."""
    fields = _object(body)
    text = fields.get("pr")
    if not isinstance(text, str) or not text:
        raise AnswerRefused("the address gave no invoice")
    return MadeInvoice(text, _url(fields.get("verify")))


def read_verified(body: bytes) -> VerifiedState:
    """Read a verify URL's answer (LUD-21); raise `AnswerRefused`."""
    fields = _object(body)
    settled, text, preimage = fields.get("settled"), fields.get("pr"), fields.get("preimage")
    if not isinstance(settled, bool):
        raise AnswerRefused("the address does not say whether the invoice is settled")
    return VerifiedState(
        is_settled=settled,
        text=text if isinstance(text, str) and text else None,
        preimage=preimage if isinstance(preimage, str) and _PREIMAGE.fullmatch(preimage) else None,
    )


def _object(body: bytes) -> dict[str, Any]:
    fields = _parsed(body)
    if not isinstance(fields, dict):
        raise AnswerRefused("the address answered with something else than an object")
    if str(fields.get("status", "")).upper() == "ERROR":
        reason = "".join(c if c.isprintable() else " " for c in str(fields.get("reason", ""))[:REASON_CHARS_MAX])
        raise ServiceSaysNo(reason or "no reason given")
    return fields


def _parsed(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:  # its error carries the whole text
        raise AnswerRefused("the address answered with something else than JSON") from None


def _url(said: object) -> str | None:
    if not isinstance(said, str) or not said.startswith(("https://", "http://")) or len(said) > URL_CHARS_MAX:
        return None
    try:
        return said if urlsplit(said).hostname else None
    except ValueError:
        return None


def _amount(said: object) -> int:
    if type(said) is not int or said < 0:
        raise AnswerRefused("the address says amounts that are none")
    return min(said, AMOUNT_MSAT_MAX)
