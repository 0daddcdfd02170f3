"""Reads and writes Lightning invoices (BOLT-11).

An invoice read here is proven whole: its checksum holds and its signature names the payee.
Nothing here says whether it is the invoice somebody asked for, nor whether it has been paid.
"""

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import xor
from typing import Final

from schemas.nostr.secp256k1 import KeyRefused, recover, sign_recoverable

TEXT_CHARS_MAX: Final = 8192
"""Longest text looked at: the checksum costs time per character, and real invoices stay under 2,000."""
EXPIRY_DEFAULT_S: Final = 3600
MIN_FINAL_CLTV_DEFAULT: Final = 18
FEATURES_DEFAULT: Final = bytes.fromhex("4100")
"""Bits 8 and 14: variable onion and payment secret, which every payer knows (BOLT-9)."""

AMOUNT_MSAT_MAX: Final = 21_000_000 * 100_000_000_000  # all bitcoin there will be
NUMBER_MAX: Final = 2**35 - 1
"""Cap for expiry and CLTV delta: the largest number that a timestamp has room for."""


class Network(StrEnum):
    """The BIP-173 currency prefix between `ln` and the amount."""

    BITCOIN = "bc"
    TESTNET = "tb"
    REGTEST = "bcrt"
    SIGNET = "tbs"


class InvoiceFault(StrEnum):
    """Why a text is not an invoice one may act on; the words are stable."""

    TOO_LONG = "too_long"
    TOO_SHORT = "too_short"
    BECH32 = "bech32"
    CHECKSUM = "checksum"
    NETWORK = "network"
    AMOUNT = "amount"
    FIELD = "field"
    PAYMENT_HASH = "payment_hash"
    PAYMENT_SECRET = "payment_secret"  # noqa: S105 - the name of a field
    DESCRIPTION = "description"
    FEATURES = "features"
    SIGNATURE = "signature"


class InvoiceRefused(ValueError):
    """A text that is no valid invoice, or terms that cannot be written as one."""

    def __init__(self, reason: InvoiceFault, detail: str) -> None:
        super().__init__(f"invoice refused ({reason}): {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice whose checksum and signature hold (BOLT-11).

    Hashes, secret and payee are lower-case hex; `timestamp` is unix seconds.
    Fallbacks, route hints and `others` (with their type letter: metadata, unknown and skipped fields)
    keep the bech32 characters they came in.
    """

    network: Network
    amount_msat: int | None
    timestamp: int
    payment_hash: str
    payment_secret: str
    description: str | None
    description_hash: str | None
    expiry_s: int
    min_final_cltv: int
    payee: str
    features: bytes
    fallbacks: tuple[str, ...]
    route_hints: tuple[str, ...]
    others: tuple[tuple[str, str], ...]
    signature: bytes

    @property
    def expires_at(self) -> int:
        """The unix second from which nobody should pay any more."""
        return self.timestamp + self.expiry_s


def decode(text: str) -> Invoice:
    """Read an invoice, with or without `lightning:` before it, in one case throughout.

    Of a field given twice the first counts. A fixed-size field of another size is skipped, as the BOLT's
    example has it (its requirement would refuse the invoice); if that leaves a needed field missing, so
    do we. Raises `InvoiceRefused`.
    """
    prefix, data = _read_bech32(text)
    network, amount_msat = _read_prefix(prefix)
    if len(data) < _TIMESTAMP_CHARS + _SIGNATURE_CHARS:
        raise InvoiceRefused(InvoiceFault.TOO_SHORT, f"{len(data)} characters of data")
    signed, signature = data[:-_SIGNATURE_CHARS], _bytes_of(data[-_SIGNATURE_CHARS:])
    fields, others = _read_fields(signed[_TIMESTAMP_CHARS:])
    return Invoice(
        network=network,
        amount_msat=amount_msat,
        timestamp=_number_of(signed[:_TIMESTAMP_CHARS]),
        payment_hash=_needed_hex(fields, "p", InvoiceFault.PAYMENT_HASH),
        payment_secret=_needed_hex(fields, "s", InvoiceFault.PAYMENT_SECRET),
        description=_read_description(fields),
        description_hash=_bytes_of(fields["h"][0]).hex() if "h" in fields else None,
        expiry_s=_read_number(fields, "x", EXPIRY_DEFAULT_S),
        min_final_cltv=_read_number(fields, "c", MIN_FINAL_CLTV_DEFAULT),
        payee=_read_payee(prefix, signed, signature, fields).hex(),
        features=_read_features(fields),
        fallbacks=tuple(chars for chars in fields.get("f", ()) if chars[:1] in _FALLBACK_VERSIONS),
        route_hints=tuple(fields.get("r", ())),
        others=others,
        signature=signature,
    )


def encode(
    *,
    network: Network,
    amount_msat: int | None,
    timestamp: int,
    payment_hash: str,
    payment_secret: str,
    secret: bytes,
    description: str | None = None,
    description_hash: str | None = None,
    expiry_s: int | None = None,
    min_final_cltv: int | None = None,
    features: bytes = FEATURES_DEFAULT,
    raw_fields: tuple[tuple[str, str], ...] = (),
) -> str:
    """Write and sign an invoice, the same text for the same terms (RFC 6979 nonce).

    `secret` is the payee's 32-byte node key; what is `None` is left out.
    `raw_fields` are fallbacks, route hints and the like, as pairs of type letter and bech32 characters.
    Exactly one of `description` (at most 639 bytes) and `description_hash` is given.
    Raises `InvoiceRefused` for terms that the format cannot hold.
    """
    if (description is None) == (description_hash is None):
        raise InvoiceRefused(InvoiceFault.DESCRIPTION, "give a description or its hash, and not both")
    prefix = f"ln{network}{_write_amount(amount_msat)}"
    fields: list[tuple[str, str | None]] = [
        ("s", _chars_of_hash(payment_secret)),
        ("p", _chars_of_hash(payment_hash)),
        ("d", None if description is None else _chars_of(description.encode())),
        ("h", None if description_hash is None else _chars_of_hash(description_hash)),
        ("x", None if expiry_s is None else _chars_of_count(expiry_s)),
        ("c", None if min_final_cltv is None else _chars_of_count(min_final_cltv)),
        *raw_fields,
        ("9", _chars_of_number(int.from_bytes(features)) or None),
    ]
    signed = _chars_of_count(timestamp).rjust(_TIMESTAMP_CHARS, "q")
    signed += "".join(_field(kind, chars) for kind, chars in fields if chars is not None)
    data = signed + _chars_of(sign_recoverable(secret, _digest(prefix, signed)))
    return f"{prefix}1{data}{_checksum(prefix, data)}"


# The human-readable part.

_PICO_OF: Final = {"": 10**12, "m": 10**9, "u": 10**6, "n": 10**3, "p": 1}
"""How many pico-bitcoin, tenths of a msat, each multiplier stands for; largest first."""
_PREFIX: Final = re.compile(r"ln([a-z]+)(.*)", re.ASCII | re.DOTALL)
_AMOUNT: Final = re.compile(r"([1-9][0-9]{0,18})([munp]?)", re.ASCII)


def _read_prefix(prefix: str) -> tuple[Network, int | None]:
    match = _PREFIX.fullmatch(prefix)
    if match is None or match[1] not in set(Network):
        raise InvoiceRefused(InvoiceFault.NETWORK, f"unknown prefix {prefix[:12]!r}")
    return Network(match[1]), _read_amount(match[2]) if match[2] else None


def _read_amount(amount: str) -> int:
    match = _AMOUNT.fullmatch(amount)
    if match is None:
        raise InvoiceRefused(InvoiceFault.AMOUNT, f"{amount[:24]!r} is no amount")
    tenths_of_msat = int(match[1]) * _PICO_OF[match[2]]
    if tenths_of_msat % 10:
        raise InvoiceRefused(InvoiceFault.AMOUNT, f"{amount} is not a whole number of msat")
    if tenths_of_msat > AMOUNT_MSAT_MAX * 10:
        raise InvoiceRefused(InvoiceFault.AMOUNT, f"{amount} is more than there is")
    return tenths_of_msat // 10


def _write_amount(amount_msat: int | None) -> str:
    """Write the shortest form, that is with the largest multiplier that divides the amount."""
    if amount_msat is None:
        return ""
    if not 0 < amount_msat <= AMOUNT_MSAT_MAX:
        raise InvoiceRefused(InvoiceFault.AMOUNT, f"{amount_msat} msat cannot be asked for")
    letter, pico = next((letter, pico) for letter, pico in _PICO_OF.items() if amount_msat * 10 % pico == 0)
    return f"{amount_msat * 10 // pico}{letter}"


# The tagged fields. Their type letters are the bech32 characters of the type numbers.

_TIMESTAMP_CHARS: Final = 7
_SIGNATURE_CHARS: Final = 104
_CHECKSUM_CHARS: Final = 6
_KNOWN_FIELDS: Final = frozenset("psdnhxcfr9")
_FIXED_CHARS: Final = {"p": 52, "s": 52, "h": 52, "n": 53}
_FIELD_CHARS_MAX: Final = 1023
_FEATURES_MAX: Final = 32**_FIELD_CHARS_MAX

_KNOWN_EVEN_FEATURES: Final = frozenset({0, 8, 12, 14, 16, 24, 36, 44, 48})
"""Compulsory bits that a reader of today knows: assumed by all, or allowed in invoices (BOLT-9)."""

type _Fields = dict[str, list[str]]


def _read_fields(chars: str) -> tuple[_Fields, tuple[tuple[str, str], ...]]:
    """Split the tagged fields into known ones by type, in order, and the rest."""
    fields: _Fields = {}
    others: list[tuple[str, str]] = []
    position = 0
    while position < len(chars):
        head = chars[position : position + 3]
        length = _number_of(head[1:])
        data = chars[position + 3 : position + 3 + length]
        if len(head) < 3 or len(data) < length:
            raise InvoiceRefused(InvoiceFault.FIELD, f"field {head[0]!r} runs past the end of the data")
        position += 3 + length
        kind = head[0]
        if kind in _KNOWN_FIELDS and length == _FIXED_CHARS.get(kind, length):
            fields.setdefault(kind, []).append(data)
        else:
            others.append((kind, data))
    return fields, tuple(others)


def _needed_hex(fields: _Fields, kind: str, fault: InvoiceFault) -> str:
    if kind not in fields:
        raise InvoiceRefused(fault, f"there is no {kind!r} field of the right size")
    return _bytes_of(fields[kind][0]).hex()


def _read_description(fields: _Fields) -> str | None:
    if ("d" in fields) == ("h" in fields):
        raise InvoiceRefused(InvoiceFault.DESCRIPTION, "needs a description or its hash, and not both")
    if "d" not in fields:
        return None
    try:
        return _bytes_of(fields["d"][0]).decode()
    except UnicodeDecodeError as error:
        raise InvoiceRefused(InvoiceFault.DESCRIPTION, "the description is not UTF-8") from error


def _read_number(fields: _Fields, kind: str, default: int, largest: int = NUMBER_MAX) -> int:
    if kind not in fields:
        return default
    chars = fields[kind][0]
    number = _number_of(chars)
    if chars.startswith("q") or number > largest:
        raise InvoiceRefused(InvoiceFault.FIELD, f"field {kind!r} begins with zeroes or is out of range")
    return number


def _read_features(fields: _Fields) -> bytes:
    """Give the feature bits, big-endian without leading zero bytes; refuse an unknown compulsory one."""
    bits = _read_number(fields, "9", 0, largest=_FEATURES_MAX)
    for bit in range(0, bits.bit_length(), 2):
        if bits >> bit & 1 and bit not in _KNOWN_EVEN_FEATURES:
            raise InvoiceRefused(InvoiceFault.FEATURES, f"asks for the unknown feature {bit}")
    return bits.to_bytes((bits.bit_length() + 7) // 8)


# The signature.

_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half the order of secp256k1: an `s` above it is the other, non-canonical form of the same signature."""


def _digest(prefix: str, signed: str) -> bytes:
    """Hash what is signed: the prefix's bytes, then the data's bits filled up with zeroes to a byte."""
    filler = -len(signed) * 5 % 8
    octets = (_number_of(signed) << filler).to_bytes((len(signed) * 5 + filler) // 8)
    return hashlib.sha256(prefix.encode() + octets).digest()


def _read_payee(prefix: str, signed: str, signature: bytes, fields: _Fields) -> bytes:
    """Name the node that signed: the `n` field's when there is one, else the key recovered."""
    digest = _digest(prefix, signed)
    if "n" not in fields:
        payee = _recover(digest, signature)
    else:
        payee = _bytes_of(fields["n"][0])
        # Verify without trusting the recovery id: the keys that verify are those that the four ids give.
        signers = {_recover(digest, signature[:64] + bytes([number])) for number in range(4)}
        if payee not in signers or int.from_bytes(signature[32:64]) > _HALF_ORDER:
            payee = None
    if payee is None:
        raise InvoiceRefused(InvoiceFault.SIGNATURE, "not the payee's, or with a high S beside a named payee")
    return payee


def _recover(digest: bytes, signature: bytes) -> bytes | None:
    with suppress(KeyRefused):
        return recover(digest, signature)
    return None


# Bech32 (BIP-173) without its limit of 90 characters. Five bits a character, kept as text.

_CHARSET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_TO_VALUES: Final = bytes.maketrans(_CHARSET.encode(), bytes(range(32)))
_HEX64: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FALLBACK_VERSIONS: Final = frozenset(_CHARSET[:19])  # witness versions, then 17 and 18 for hashes
_TO_DIGITS: Final = str.maketrans(_CHARSET, "0123456789abcdefghijklmnopqrstuv")  # as int(text, 32) reads
_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_MIXED: Final = tuple(
    reduce(xor, (generator for bit, generator in enumerate(_GENERATORS) if top >> bit & 1), 0) for top in range(32)
)
"""The generators xored for each value of the state's top five bits: one look-up instead of five tests."""


def _polymod(prefix: str, data: str) -> int:
    state = 1
    head = prefix.encode()
    head = bytes([char >> 5 for char in head]) + b"\0" + bytes([char & 31 for char in head])
    for value in head + data.encode().translate(_TO_VALUES):
        state = (state & 0x1FFFFFF) << 5 ^ value ^ _MIXED[state >> 25]
    return state


def _checksum(prefix: str, data: str) -> str:
    return _chars(_polymod(prefix, data + "q" * _CHECKSUM_CHARS) ^ 1, _CHECKSUM_CHARS)


def _read_bech32(text: str) -> tuple[str, str]:
    """Split into prefix and data, in lower case and without the checksum, which holds."""
    if len(text) > TEXT_CHARS_MAX:
        raise InvoiceRefused(InvoiceFault.TOO_LONG, f"{len(text)} characters, at most {TEXT_CHARS_MAX}")
    if text[:10].lower() == "lightning:":
        text = text[10:]
    if not text.isascii() or text not in (text.lower(), text.upper()):
        raise InvoiceRefused(InvoiceFault.BECH32, "upper and lower case are mixed, or it is not ASCII")
    prefix, separator, data = text.lower().rpartition("1")
    if not separator or data.strip(_CHARSET):
        raise InvoiceRefused(InvoiceFault.BECH32, "no separator '1', or characters that bech32 does not use")
    if _polymod(prefix, data) != 1:
        raise InvoiceRefused(InvoiceFault.CHECKSUM, "the checksum does not hold")
    return prefix, data[:-_CHECKSUM_CHARS]


def _number_of(chars: str) -> int:
    return int(chars.translate(_TO_DIGITS), 32) if chars else 0


def _bytes_of(chars: str) -> bytes:
    """Read whole bytes; the bits left over, fewer than five, must be zeroes."""
    bits = len(chars) * 5
    spare = bits % 8
    number = _number_of(chars)
    if spare >= 5 or number & (1 << spare) - 1:
        raise InvoiceRefused(InvoiceFault.FIELD, "a field's bytes are not filled up with zeroes")
    return (number >> spare).to_bytes(bits // 8)


def _chars(number: int, count: int) -> str:
    return "".join([_CHARSET[number >> shift & 31] for shift in range(5 * count - 5, -1, -5)])


def _chars_of(data: bytes) -> str:
    """Write bytes, filled up with zero bits to whole characters."""
    filler = -len(data) * 8 % 5
    return _chars(int.from_bytes(data) << filler, (len(data) * 8 + filler) // 5)


def _chars_of_count(number: int) -> str:
    if not 0 <= number <= NUMBER_MAX:
        raise InvoiceRefused(InvoiceFault.FIELD, f"{number} does not fit 35 bits")
    return _chars_of_number(number)


def _chars_of_number(number: int) -> str:
    """Write a number in as few characters as it needs: none for zero."""
    return _chars(number, (number.bit_length() + 4) // 5)


def _chars_of_hash(text: str) -> str:
    if not _HEX64.fullmatch(text):
        raise InvoiceRefused(InvoiceFault.FIELD, "hashes and secrets are 64 lower-case hex digits")
    return _chars_of(bytes.fromhex(text))


def _field(kind: str, chars: str) -> str:
    if len(chars) > _FIELD_CHARS_MAX or chars.strip(_CHARSET):
        raise InvoiceRefused(InvoiceFault.FIELD, f"field {kind!r} cannot be written")
    return f"{kind}{_CHARSET[len(chars) >> 5]}{_CHARSET[len(chars) & 31]}{chars}"
