"""Calls one mint: its keysets, swaps, and what it signed before (NUT-01, 02, 03, 06, 09).

A mint is asked nothing before its address was found on the shop's list, and it is never asked to sign anything that
was not written down first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx
from pydantic import SecretStr

from schemas.cashu.keysets import Keyset, KeysetRefused, read_keyset
from schemas.cashu.tokens import SAT, Proof
from services.payments.http_calls import HttpCalls
from services.payments.port import BackendError, Rejected, Retry, Unknown

WHOM: Final = "the mint"
KEYSETS_MAX: Final = 64
"""Keysets in sats that one mint may have; it makes a new one when it changes its fee or moves on."""
NEEDED: Final[Mapping[str, str]] = {"7": "NUT-07", "9": "NUT-09", "10": "NUT-10", "11": "NUT-11"}
"""What a mint must do so that a lost answer is found again and a lock is kept."""
SPENT, OUTPUTS_SIGNED, NOT_BALANCED = 11_001, 11_003, 11_005
PENDING: Final = frozenset({11_002, 11_004})
OTHER_KEYSET: Final = frozenset({12_001, 12_002, 12_003, NOT_BALANCED})
"""The outputs have to be others: the keyset signs no more, or the fee is another one now."""


class MintRefused(Rejected):
    """The mint refuses a call for good; `code` is the NUTs' own, 0 where it named none."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Output:
    """One blinded message: how much of which keyset, and `B_` in hex."""

    amount: int
    keyset: str
    blinded: str

    @property
    def said(self) -> dict[str, Any]:
        """As the mint reads it."""
        return {"amount": self.amount, "id": self.keyset, "B_": self.blinded}


@dataclass(frozen=True, slots=True)
class Signed:
    """One blind signature: `C_` in hex, and the mint's proof of it where it gave one."""

    amount: int
    keyset: str
    signed: str
    e: str | None
    s: str | None


@dataclass(frozen=True, slots=True)
class MintInfo:
    """What a mint says of itself; `lacks` are the NUTs that are needed here and not there."""

    name: str
    lacks: tuple[str, ...]
    clock_offset_s: int


def judge(said: str, code: int, body: Any) -> BackendError:
    """What a mint's answer that is none means; a refusal is a 400 with a code of the NUTs."""
    if code == 400 and isinstance(body, dict):
        named = body.get("code")
        return MintRefused(f"{said}: it refuses", named if isinstance(named, int) else 0)
    if code in {401, 403, 404, 405} or 300 <= code < 400:
        return Retry(f"{said}: there is no mint at this address, or none that is open to all")
    if 400 <= code < 500:
        return MintRefused(f"{said}: it refuses the call", 0)
    return Unknown(said)


class Mint:
    """One mint at one address; whoever makes it closes it."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`transport` stands in for the network in tests."""
        self.url = url
        self._calls = HttpCalls(WHOM, url, SecretStr(""), {}, judge, transport=transport)
        self._keys: dict[str, Any] = {}

    async def close(self) -> None:
        """Let go of the connections."""
        await self._calls.close()

    async def keysets(self, *, timeout_s: float) -> dict[str, Keyset]:
        """Every keyset in sats by its id, each held to it; what a mint lists and cannot show is left out.

        Keys are asked for once, states and fees each time. Raises `BackendError`.
        """
        listed = _list_of((await self._calls.get("/v1/keysets", timeout_s=timeout_s)).body, "keysets")
        in_sats = [one for one in listed if isinstance(one, dict) and one.get("unit") == SAT][:KEYSETS_MAX]
        found: dict[str, Keyset] = {}
        for one in in_sats:
            try:
                keyset = read_keyset(one, await self._keys_of(one.get("id"), timeout_s))
            except (KeysetRefused, MintRefused):
                continue
            found[keyset.id] = keyset
        return found

    async def _keys_of(self, name: Any, timeout_s: float) -> Any:
        if not isinstance(name, str) or not name.isascii() or not name.isalnum():
            raise KeysetRefused("it has no id")
        if name not in self._keys:
            body = (await self._calls.get(f"/v1/keys/{name}", timeout_s=timeout_s)).body
            found = [one for one in _list_of(body, "keysets") if isinstance(one, dict) and one.get("id") == name]
            self._keys[name] = found[0].get("keys") if found else None
        return self._keys[name]

    async def swap(self, inputs: Sequence[Proof], outputs: Sequence[Output], *, timeout_s: float) -> tuple[Signed, ...]:
        """Spend inputs for outputs. Raises `MintRefused`, `Retry` (nothing happened), `Unknown` (it may have)."""
        body = {"inputs": [_input(proof) for proof in inputs], "outputs": [output.said for output in outputs]}
        said = _list_of((await self._calls.post("/v1/swap", body, timeout_s=timeout_s)).body, "signatures")
        if len(said) != len(outputs):
            raise Unknown(f"{WHOM} at {self._calls.host} signs another number of outputs")
        return tuple(_signed(one) for one in said)

    async def restore(self, outputs: Sequence[Output], *, timeout_s: float) -> tuple[Signed, ...] | None:
        """The signatures on these very outputs, in their order; None unless the mint made every one of them."""
        body = (await self._calls.ask("/v1/restore", {"outputs": [o.said for o in outputs]}, timeout_s=timeout_s)).body
        names, signatures = _list_of(body, "outputs"), _list_of(body, "signatures")
        found = {
            name.get("B_"): signature
            for name, signature in zip(names, signatures, strict=False)
            if isinstance(name, dict)
        }
        if any(output.blinded not in found for output in outputs):
            return None
        return tuple(_signed(found[output.blinded]) for output in outputs)

    async def info(self, now_s: float, *, timeout_s: float) -> MintInfo:
        """What it says of itself and what it lacks."""
        answer = await self._calls.get("/v1/info", timeout_s=timeout_s)
        nuts = answer.body.get("nuts") if isinstance(answer.body, dict) else None
        if not isinstance(nuts, dict):
            raise Retry(f"{WHOM} at {self._calls.host} says nothing that can be read of itself")
        lacks = tuple(word for nut, word in NEEDED.items() if not _is_supported(nuts.get(nut)))
        return MintInfo(str(answer.body.get("name") or "")[:80], lacks, answer.clock_offset_s(now_s))


def _is_supported(said: Any) -> bool:
    return isinstance(said, dict) and said.get("supported") is True


def _input(proof: Proof) -> dict[str, Any]:
    """A proof as the mint reads it; the payer's blinding factor is not its to know (NUT-12)."""
    said = {"amount": proof.amount, "id": proof.keyset, "secret": proof.secret, "C": proof.signature}
    return said if proof.witness is None else {**said, "witness": proof.witness}


def _list_of(body: Any, name: str) -> list[Any]:
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, list):
        raise Unknown(f"{WHOM} answers in words that cannot be read")
    return found


def _signed(said: Any) -> Signed:
    try:
        proof = said.get("dleq") or {}
        found = Signed(said["amount"], said["id"], said["C_"], proof.get("e"), proof.get("s"))
    except (KeyError, TypeError, AttributeError):
        raise Unknown(f"{WHOM} answers with a signature that cannot be read") from None
    texts = (found.keyset, found.signed, found.e or "", found.s or "")
    if not isinstance(found.amount, int) or not all(isinstance(text, str) for text in texts):
        raise Unknown(f"{WHOM} answers with a signature that cannot be read")
    return found
