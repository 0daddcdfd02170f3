"""Tokens: ecash of one mint as text, `cashuA` (JSON) and `cashuB` (CBOR), read tolerantly and written as V4 (NUT-00).

A token is a stranger's text and bearer money at once: everything in it is bounded, and nothing of it prints.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from schemas.cashu import cbor
from schemas.cashu.blinding import hash_to_curve
from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.cashu.keysets import AMOUNT_MAX, ID_V2_CHARS, SHORT_ID_CHARS
from schemas.nostr.secp256k1 import is_point

TOKEN_CHARS_MAX: Final = 100_000
"""A token of so many proofs with locks and proofs of their own is half as long."""
PROOFS_MAX: Final = 128
"""Two of each power of two; a mint that takes more inputs at once is rare."""
SECRET_CHARS_MAX: Final = 1_024
"""A lock with several keys has 600."""
WITNESS_CHARS_MAX: Final = 1_024
MINT_CHARS_MAX: Final = 512
UNIT_CHARS_MAX: Final = 16
SAT: Final = "sat"

_HEX: Final = re.compile(r"(?:[0-9a-f]{2})+", re.ASCII)
_TO_STANDARD: Final = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True, repr=False)
class Dleq:
    """A mint's proof for whoever was given ecash of its (NUT-12), scalars in hex; `r` is the payer's own."""

    e: str
    s: str
    r: str


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """One piece of ecash: whoever knows `secret` and `signature` (`C`, hex) may spend it, unless it is locked.

    `keyset` is in full or its first 16 digits. Its repr shows the amount alone.
    """

    amount: int
    keyset: str
    secret: str
    signature: str
    dleq: Dleq | None = None
    witness: str | None = None

    @property
    def y(self) -> str:
        """The point that names it at the mint, without giving it away, in hex."""
        return hash_to_curve(self.secret.encode()).hex()

    def __repr__(self) -> str:
        return f"Proof({self.amount}, …)"


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """Ecash of one mint in one unit. Its repr shows how much of whose."""

    mint: str
    unit: str
    proofs: tuple[Proof, ...]

    @property
    def digest(self) -> str:
        """Its name, which gives nothing of it away: 64 hex digits, of its proofs' points in any order."""
        return digest_of(proof.y for proof in self.proofs)

    @property
    def amount(self) -> int:
        """What its proofs come to, in its unit, before the mint's fee."""
        return sum(proof.amount for proof in self.proofs)

    def __repr__(self) -> str:
        return f"Token({self.amount} {self.unit} of {self.mint}, …)"


def read_token(text: str) -> Token:
    """A token as somebody wrote or pasted it. Raises `TokenRefused`."""
    if len(text) > TOKEN_CHARS_MAX:
        raise TokenRefused(TokenFault.TOO_LONG)
    body = text.strip()
    body = body[8:] if body[:8] == "cashu://" else body[6:] if body[:6] == "cashu:" else body
    match body[:6]:
        case "cashuA":
            return _read_v3(unpack(body[6:]))
        case "cashuB":
            return _read_v4(unpack(body[6:]))
        case _:
            raise TokenRefused(TokenFault.NO_TOKEN)


def token_of(mint: Any, unit: Any, proofs: Any) -> Token:
    """A token of parts in JSON's shapes, as V3 and a request's payload have them. Raises `TokenRefused`."""
    if not isinstance(mint, str) or not isinstance(unit, str) or not isinstance(proofs, list):
        raise TokenRefused(TokenFault.BAD_SHAPE)
    if len(proofs) > PROOFS_MAX:
        raise TokenRefused(TokenFault.TOO_MANY_PROOFS)
    return _checked(mint, unit, [_read_proof(one) for one in proofs])


def write_token(token: Token) -> str:
    """A token as V4, without padding."""
    by_keyset: dict[str, list[dict[str, Any]]] = {}
    for proof in token.proofs:
        said: dict[str, Any] = {"a": proof.amount, "s": proof.secret, "c": bytes.fromhex(proof.signature)}
        if proof.dleq is not None:
            said["d"] = {name: bytes.fromhex(getattr(proof.dleq, name)) for name in ("e", "s", "r")}
        if proof.witness is not None:
            said["w"] = proof.witness
        by_keyset.setdefault(proof.keyset, []).append(said)
    groups = [{"i": bytes.fromhex(keyset), "p": proofs} for keyset, proofs in by_keyset.items()]
    packed = cbor.write({"m": token.mint, "u": token.unit, "t": groups})
    return "cashuB" + urlsafe_b64encode(packed).decode().rstrip("=")


def unpack(text: str) -> bytes:
    """The bytes of base64 in either alphabet, padded or not. Raises `TokenRefused`."""
    bare = text.translate(_TO_STANDARD).rstrip("=")
    try:
        return b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (Base64Error, ValueError):
        raise TokenRefused(TokenFault.BAD_ENCODING) from None


def digest_of(ys: Iterable[str]) -> str:
    """The name of a token of proofs with these points."""
    return hashlib.sha256("".join(sorted(ys)).encode()).hexdigest()


def mint_name(url: str) -> str:
    """A mint's address as two ways of writing it become one: lower-case host, no slash at its end."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return url
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path.rstrip("/"), parts.query, parts.fragment))


def _read_v3(packed: bytes) -> Token:
    try:
        said = json.loads(packed)
    except (ValueError, RecursionError):
        raise TokenRefused(TokenFault.BAD_ENCODING) from None
    parts = said.get("token") if isinstance(said, dict) else None
    if not isinstance(parts, list) or not parts or not isinstance(parts[0], dict):
        raise TokenRefused(TokenFault.BAD_SHAPE)
    if len(parts) > 1:
        raise TokenRefused(TokenFault.SEVERAL_MINTS)
    return token_of(parts[0].get("mint"), said.get("unit") or SAT, parts[0].get("proofs"))


def _read_v4(packed: bytes) -> Token:
    try:
        said = cbor.read(packed)
        groups = [(group["i"], group["p"]) for group in said["t"]]
        if sum(len(proofs) for _, proofs in groups) > PROOFS_MAX:
            raise TokenRefused(TokenFault.TOO_MANY_PROOFS)
        proofs = [_in_hex(keyset, one) for keyset, group in groups for one in group]
        return token_of(said["m"], said["u"], proofs)
    except cbor.CborRefused:
        raise TokenRefused(TokenFault.BAD_ENCODING) from None
    except (KeyError, TypeError, AttributeError):
        raise TokenRefused(TokenFault.BAD_SHAPE) from None


def _in_hex(keyset: Any, said: Any) -> dict[str, Any]:
    """A proof of V4 in V3's words."""
    dleq = said.get("d")
    return {
        "id": keyset.hex(),
        "amount": said["a"],
        "secret": said["s"],
        "C": said["c"].hex(),
        "witness": said.get("w"),
        "dleq": None if dleq is None else {name: dleq[name].hex() for name in ("e", "s", "r")},
    }


def _read_proof(said: Any) -> Proof:
    try:
        amount, keyset, secret, signature = said["amount"], said["id"], said["secret"], said["C"]
        dleq, witness = said.get("dleq"), said.get("witness")
        is_whole = isinstance(amount, int) and not isinstance(amount, bool) and 0 < amount <= AMOUNT_MAX
        is_named = keyset == keyset.lower() and len(keyset) in (SHORT_ID_CHARS, ID_V2_CHARS) and _HEX.fullmatch(keyset)
        is_text = 0 < len(secret) <= SECRET_CHARS_MAX and bool(secret.encode())
        is_witness = isinstance(witness, str) and witness.isascii() and len(witness) <= WITNESS_CHARS_MAX
        is_signed = _HEX.fullmatch(signature.lower()) and is_point(bytes.fromhex(signature))
        if not (is_whole and is_named and is_text and (witness is None or is_witness) and is_signed):
            raise TokenRefused(TokenFault.BAD_PROOF)
        proven = None if dleq is None else Dleq(*(_scalar(dleq[name]) for name in ("e", "s", "r")))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, TokenRefused):
            raise
        raise TokenRefused(TokenFault.BAD_PROOF) from None
    return Proof(amount, keyset, secret, signature.lower(), proven, witness)


def _scalar(text: str) -> str:
    if len(text) != 64 or not _HEX.fullmatch(text.lower()):
        raise TokenRefused(TokenFault.BAD_PROOF)
    return text.lower()


def _checked(mint: str, unit: str, proofs: list[Proof]) -> Token:
    if not 0 < len(mint) <= MINT_CHARS_MAX or not mint.isascii() or not mint.isprintable():
        raise TokenRefused(TokenFault.FOREIGN_MINT)
    if not proofs or not 0 < len(unit) <= UNIT_CHARS_MAX or not unit.isascii():
        raise TokenRefused(TokenFault.BAD_SHAPE)
    if len({proof.secret for proof in proofs}) < len(proofs):
        raise TokenRefused(TokenFault.SAME_PROOF_TWICE)
    return Token(mint_name(mint), unit.lower(), tuple(proofs))
