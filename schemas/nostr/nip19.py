"""Keys and pointers as people paste them: npub, nsec, note, nprofile, nevent, naddr (NIP-19).

On the wire keys are hex only; these forms are for configuration, the command line and pages.
"""

import re
from dataclasses import dataclass
from typing import Final

from schemas.nostr import bech32
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import KIND_MAX
from schemas.nostr.secp256k1 import KeyRefused, SecretKey, is_public_key

TEXT_SIZE_MAX: Final = 5_000
"""Characters, as the NIP advises."""

_SPECIAL, _RELAY, _AUTHOR, _KIND = 0, 1, 2, 3
_HEX64: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Nip19Refused(ValueError):
    """Text that is not the entity asked for; the message never quotes it, since it may be a secret."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What an nprofile points at."""

    pubkey: str
    relays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventPointer:
    """What an nevent points at."""

    id: str
    relays: tuple[str, ...] = ()
    author: str | None = None
    kind: int | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """What an naddr points at."""

    coordinate: Coordinate
    relays: tuple[str, ...] = ()


def read_secret_key(text: str) -> SecretKey:
    """Read an nsec or 64 hex digits, spaces around it allowed; raise `Nip19Refused`."""
    text = text.strip()
    secret = bytes.fromhex(text) if _HEX64.fullmatch(text) else _decode_32(text, "nsec")
    try:
        return SecretKey(secret)
    except KeyRefused as error:
        raise Nip19Refused(str(error)) from None


def read_public_key(text: str) -> str:
    """Read an npub, an nprofile or 64 hex digits to hex, on the curve; raise `Nip19Refused`."""
    text = text.strip()
    if _HEX64.fullmatch(text):
        return _on_curve(text)
    if text.lower().startswith("nprofile1"):
        return decode_nprofile(text).pubkey
    return decode_npub(text)


def read_coordinate(text: str) -> Coordinate:
    """Read an naddr or `kind:pubkey:d`; raise `Nip19Refused` or `CoordinateRefused`."""
    text = text.strip()
    return decode_naddr(text).coordinate if text.lower().startswith("naddr1") else Coordinate.parse(text)


def encode_npub(pubkey: str) -> str:
    """Write a public key for people."""
    return bech32.encode("npub", bytes.fromhex(_on_curve(pubkey)))


def encode_nsec(secret: SecretKey) -> str:
    """Write a secret key for its owner's eyes only."""
    return bech32.encode("nsec", secret.reveal())


def encode_nprofile(profile: Profile) -> str:
    """Write a key with relays where it is reached; raise `Nip19Refused` when one is longer than 255 bytes."""
    relays = [relay.encode("ascii") for relay in profile.relays]
    if any(len(relay) > 255 for relay in relays):
        raise Nip19Refused("a part of an nprofile has at most 255 bytes")
    fields = [(_SPECIAL, bytes.fromhex(_on_curve(profile.pubkey))), *((_RELAY, relay) for relay in relays)]
    return bech32.encode("nprofile", b"".join(bytes((type_, len(value))) + value for type_, value in fields))


def encode_naddr(coordinate: Coordinate, relays: tuple[str, ...] = ()) -> str:
    """Write an address with relay hints; raise `Nip19Refused` when a part is longer than 255 bytes."""
    fields = [
        (_SPECIAL, coordinate.d.encode()),
        *((_RELAY, relay.encode("ascii")) for relay in relays),
        (_AUTHOR, bytes.fromhex(coordinate.pubkey)),
        (_KIND, coordinate.kind.to_bytes(4)),
    ]
    if any(len(value) > 255 for _, value in fields):
        raise Nip19Refused("a part of an naddr has at most 255 bytes")
    return bech32.encode("naddr", b"".join(bytes((type_, len(value))) + value for type_, value in fields))


def decode_npub(text: str) -> str:
    """Read an npub to hex."""
    return _on_curve(_decode_32(text, "npub").hex())


def decode_note(text: str) -> str:
    """Read a note to its event id in hex."""
    return _decode_32(text, "note").hex()


def decode_nprofile(text: str) -> Profile:
    """Read an nprofile; unknown parts are ignored, as the NIP says."""
    parts = _decode_tlv(text, "nprofile")
    return Profile(_on_curve(_one_of_32(parts, _SPECIAL)), _relays(parts))


def decode_nevent(text: str) -> EventPointer:
    """Read an nevent; author and kind may be missing."""
    parts = _decode_tlv(text, "nevent")
    author = _one_of_32(parts, _AUTHOR) if _AUTHOR in parts else None
    kind = _kind(parts) if _KIND in parts else None
    return EventPointer(_one_of_32(parts, _SPECIAL), _relays(parts), author, kind)


def decode_naddr(text: str) -> Address:
    """Read an naddr: identifier, author and kind must be there."""
    parts = _decode_tlv(text, "naddr")
    try:
        d = _one(parts, _SPECIAL).decode()
    except UnicodeDecodeError:
        raise Nip19Refused("the identifier in an naddr is not UTF-8") from None
    return Address(Coordinate(_kind(parts), _on_curve(_one_of_32(parts, _AUTHOR)), d), _relays(parts))


def _decode(text: str, prefix: str) -> bytes:
    try:
        found, data = bech32.decode(text, TEXT_SIZE_MAX)
    except bech32.Bech32Refused as error:
        raise Nip19Refused(f"not an {prefix}: {error}") from None
    if found != prefix:
        raise Nip19Refused(f"expected an {prefix}")
    return data


def _decode_32(text: str, prefix: str) -> bytes:
    data = _decode(text, prefix)
    if len(data) != 32:
        raise Nip19Refused(f"an {prefix} holds 32 bytes")
    return data


def _decode_tlv(text: str, prefix: str) -> dict[int, list[bytes]]:
    data = _decode(text, prefix)
    parts: dict[int, list[bytes]] = {}
    while data:
        if len(data) < 2 or len(data) < 2 + data[1]:
            raise Nip19Refused(f"an {prefix} ends within a part")
        parts.setdefault(data[0], []).append(data[2 : 2 + data[1]])
        data = data[2 + data[1] :]
    return parts


def _one(parts: dict[int, list[bytes]], type_: int) -> bytes:
    values = parts.get(type_, [])
    if len(values) != 1:
        raise Nip19Refused("a pointer lacks a part, or has it twice")
    return values[0]


def _one_of_32(parts: dict[int, list[bytes]], type_: int) -> str:
    value = _one(parts, type_)
    if len(value) != 32:
        raise Nip19Refused("a key or id in a pointer has 32 bytes")
    return value.hex()


def _kind(parts: dict[int, list[bytes]]) -> int:
    value = _one(parts, _KIND)
    kind = int.from_bytes(value)
    if len(value) != 4 or kind > KIND_MAX:
        raise Nip19Refused("a kind in a pointer has four bytes and is at most 65535")
    return kind


def _relays(parts: dict[int, list[bytes]]) -> tuple[str, ...]:
    return tuple(value.decode("ascii") for value in parts.get(_RELAY, []) if value.isascii())


def _on_curve(pubkey: str) -> str:
    if not is_public_key(pubkey):
        raise Nip19Refused("the public key is not on the curve")
    return pubkey
