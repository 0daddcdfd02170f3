"""Reads what an LND macaroon allows, without asking anybody: its rights stand in it in plain words.

A macaroon (version 2, binary) begins with its identifier, which LND writes as a byte 3 and a protobuf message:
a nonce, a storage id, and the rights, each an entity with actions (`macaroons/` in LND; `bakery.Version3`).
What is read here is not proven; LND proves it at every call. Caveats can only take away from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MACAROON_BYTES_MAX: Final = 4_096
NEEDS: Final = {
    "/lnrpc.Lightning/AddInvoice": "invoices:write",
    "/lnrpc.Lightning/LookupInvoice": "invoices:read",
    "/lnrpc.Lightning/ListInvoices": "invoices:read",
    "/lnrpc.Lightning/SubscribeInvoices": "invoices:read",
}
"""The calls that are made, each with the right that allows it; a right may also name the call itself (`uri:`)."""
SPENDS: Final = frozenset(
    {"offchain:write", "onchain:write", "signer:generate", "remotesigner:generate"}
    | {"macaroon:generate", "macaroon:write"}  # a holder of these gives itself any other
)

_SPENDING_CALL: Final = re.compile(r"uri:/(lnrpc\.Lightning/(Send|Open|BatchOpen|Close|Bake)|routerrpc\.Router/Send|"
                                   r"(walletrpc|signrpc)\.)")  # fmt: skip
_LOCATION, _IDENTIFIER = 1, 2
_VERSION, _LND_IDENTIFIER = 2, 3
_OPERATION, _ENTITY, _ACTION = 3, 1, 2
_BYTES, _NUMBER = 2, 0


class BadMacaroon(ValueError):
    """Bytes that are no macaroon of an LND; the message is for the operator and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a macaroon allows, as `entity:action`, sorted."""

    words: tuple[str, ...]

    @property
    def may_spend(self) -> bool:
        """Whether money could leave the node with it, directly or by way of another macaroon."""
        return any(word in SPENDS or _SPENDING_CALL.match(word) for word in self.words)

    @property
    def lacks(self) -> tuple[str, ...]:
        """The rights that are needed and not there."""
        held = set(self.words)
        return tuple(sorted({right for call, right in NEEDS.items() if not held & {right, f"uri:{call}"}}))


def read_rights(raw: bytes) -> Rights:
    """The rights in a macaroon's bytes. Raises `BadMacaroon`."""
    if len(raw) > MACAROON_BYTES_MAX or raw[:1] != bytes([_VERSION]):
        raise BadMacaroon("it is no macaroon of version 2")
    identifier = _identifier(raw)
    if identifier[:1] != bytes([_LND_IDENTIFIER]):
        raise BadMacaroon("it is not LND's")
    words = set()
    for field, said in _fields(identifier[1:]):
        if field == _OPERATION:
            inner = list(_fields(said))
            entity = next((text for number, text in inner if number == _ENTITY), b"")
            words |= {_word(entity, text) for number, text in inner if number == _ACTION}
    return Rights(tuple(sorted(words)))


def _identifier(raw: bytes) -> bytes:
    place = 1
    for wanted in (_LOCATION, _IDENTIFIER):
        kind, after = _varint(raw, place)
        if kind == wanted:
            length, start = _varint(raw, after)
            place = start + length
            if wanted == _IDENTIFIER and place <= len(raw):
                return raw[start:place]
    raise BadMacaroon("it is cut short")


def _fields(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a protobuf message that hold bytes, each with its number."""
    place = 0
    while place < len(raw):
        tag, place = _varint(raw, place)
        if tag & 7 == _NUMBER:
            _, place = _varint(raw, place)
            continue
        length, start = _varint(raw, place)
        place = start + length
        if tag & 7 != _BYTES or place > len(raw):
            raise BadMacaroon("its identifier cannot be read")
        yield tag >> 3, raw[start:place]


def _varint(raw: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place after it."""
    value = 0
    for shift in range(0, 35, 7):
        if place >= len(raw):
            break
        byte, place = raw[place], place + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise BadMacaroon("it is cut short")


def _word(entity: bytes, action: bytes) -> str:
    return f"{entity.decode(errors='replace')}:{action.decode(errors='replace')}"
