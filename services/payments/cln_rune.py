"""Reads which calls a Core Lightning rune allows, without asking anybody: its restrictions stand in it in plain words.

A rune is base64url of 32 bytes of proof and then its restrictions: parted by `&`, each of alternatives parted by `|`,
each a field, a condition and a value (`lightning-createrune`, `lightning-checkrune`). What is read here is not proven;
lightningd proves it at every call.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from typing import Final

NEEDS: Final = ("invoice", "listinvoices", "waitanyinvoice")
"""The calls that are made."""
SPENDS: Final = ("pay", "xpay", "keysend", "sendpay", "withdraw", "txprepare", "fundchannel", "close", "createrune")
"""Calls by which money leaves the node, or by which a holder gives itself any other."""

_PROOF_BYTES: Final = 32
_ALTERNATIVE: Final = re.compile(r"([A-Za-z0-9_]*)([!-/:-@\[-^`{-~])(.*)", re.ASCII | re.DOTALL)
_PARTS: Final = re.compile(r"(?:[^\\&|]|\\.)+|[&|]", re.DOTALL)


class BadRune(ValueError):
    """A text that is no rune; the message is for the operator and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Rune:
    """A rune's restrictions, each the alternatives of which one must hold: field, condition, value."""

    restrictions: tuple[tuple[tuple[str, str, str], ...], ...]

    def may_call(self, method: str) -> bool:
        """Whether it allows a method, as far as that depends on the method alone."""
        return all(any(_holds(one, method) for one in options) for options in self.restrictions)

    @property
    def may(self) -> tuple[str, ...]:
        """Those of the known calls that it allows."""
        return tuple(method for method in (*NEEDS, *SPENDS) if self.may_call(method))

    @property
    def may_spend(self) -> bool:
        """Whether money could leave the node with it."""
        return any(map(self.may_call, SPENDS))

    @property
    def lacks(self) -> tuple[str, ...]:
        """The calls that are needed and not allowed."""
        return tuple(method for method in NEEDS if not self.may_call(method))


def read_rune(text: str) -> Rune:
    """A rune's restrictions. Raises `BadRune`."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        words = raw[_PROOF_BYTES:].decode()
    except (Base64Error, UnicodeError, ValueError):
        raise BadRune("it is not written as a rune is") from None
    if len(raw) < _PROOF_BYTES:
        raise BadRune("it is cut short")
    restrictions, options = list[tuple[tuple[str, str, str], ...]](), list[tuple[str, str, str]]()
    for part in _PARTS.findall(words):
        if part == "&":
            restrictions.append(tuple(options))
            options = []
        elif part != "|":
            found = _ALTERNATIVE.fullmatch(part)
            if found is None:
                raise BadRune("its restrictions cannot be read")
            options.append((found[1], found[2], re.sub(r"\\(.)", r"\1", found[3], flags=re.DOTALL)))
    return Rune((*restrictions, tuple(options)) if options else tuple(restrictions))


def _holds(one: tuple[str, str, str], method: str) -> bool:
    """Whether an alternative can hold for a method; one about anything else (time, node, parameters) may."""
    field, condition, value = one
    if field != "method":
        return True
    match condition:
        case "=":
            return method == value
        case "/":
            return method != value
        case "^":
            return method.startswith(value)
        case "$":
            return method.endswith(value)
        case "~":
            return value in method
        case "{":
            return method < value
        case "}":
            return method > value
        case "!":
            return False  # the field must be missing, and a call always has its method
        case "#":
            return True
        case _:
            return False
