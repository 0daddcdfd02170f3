"""Bech32 of any length (BIP-173 without its 90 characters), for NIP-19 and NIP-49.

The bech32 package refuses more than 90 characters, which an `naddr` or `ncryptsec` exceeds.
"""

from typing import Final

_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_SIZE: Final = 6


class Bech32Refused(ValueError):
    """Text that is not bech32; the message never quotes it, since it may be a secret."""


def encode(prefix: str, data: bytes) -> str:
    """Write bytes as lower-case bech32 with a checksum."""
    words = _regroup(data, 8, 5, pad=True)
    checksum = _polymod([*_expand(prefix), *words, *[0] * _CHECKSUM_SIZE]) ^ 1
    tail = [(checksum >> 5 * (5 - place)) & 31 for place in range(_CHECKSUM_SIZE)]
    return prefix + "1" + "".join(_ALPHABET[word] for word in [*words, *tail])


def decode(text: str, size_max: int) -> tuple[str, bytes]:
    """Read prefix and bytes; raise `Bech32Refused` for mixed case, a wrong checksum or too much text."""
    if len(text) > size_max:
        raise Bech32Refused(f"bech32 text is longer than {size_max} characters")
    if not text.isascii() or (text != text.lower() and text != text.upper()):
        raise Bech32Refused("bech32 text is ASCII, and of one case")
    prefix, separator, body = text.lower().rpartition("1")
    if not separator or not prefix or len(body) < _CHECKSUM_SIZE or not set(body) <= _VALUES.keys():
        raise Bech32Refused("the text is not bech32")
    words = [_VALUES[letter] for letter in body]
    if _polymod([*_expand(prefix), *words]) != 1:
        raise Bech32Refused("the bech32 checksum does not match: a letter is wrong or missing")
    return prefix, bytes(_regroup(bytes(words[:-_CHECKSUM_SIZE]), 5, 8, pad=False))


def _regroup(values: bytes, from_bits: int, to_bits: int, *, pad: bool) -> list[int]:
    groups: list[int] = []
    pending = bits = 0
    for value in values:
        pending = ((pending << from_bits) | value) & 0xFFF
        bits += from_bits
        while bits >= to_bits:
            bits -= to_bits
            groups.append((pending >> bits) & ((1 << to_bits) - 1))
    rest = (pending << (to_bits - bits)) & ((1 << to_bits) - 1)
    if pad and bits:
        groups.append(rest)
    elif not pad and (bits >= from_bits or rest):
        raise Bech32Refused("the bech32 padding is not zero")
    return groups


def _expand(prefix: str) -> list[int]:
    return [*(ord(letter) >> 5 for letter in prefix), 0, *(ord(letter) & 31 for letter in prefix)]


def _polymod(words: list[int]) -> int:
    checksum = 1
    for word in words:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ word
        for place, generator in enumerate(_GENERATOR):
            if (top >> place) & 1:
                checksum ^= generator
    return checksum
