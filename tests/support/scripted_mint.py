"""A mint of a few lines that keeps to the NUTs, and fails or lies on command; it is called without a socket."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx

from schemas.cashu.blinding import blind, hash_to_curve, is_signed_by, prove, sign_blinded, unblind
from schemas.cashu.keysets import Keyset, fee_of, keyset_id_v2, make_up
from schemas.cashu.locks import read_lock, write_lock
from schemas.cashu.tokens import Dleq, Proof, Token
from schemas.nostr.secp256k1 import base_point, verify

URL = "https://mint.example"
POWERS = 40


class MintFault(StrEnum):
    """What goes wrong with one call."""

    DOWN = "down"  # no connection
    LOST = "lost"  # carried out, and nobody hears of it
    BROKEN = "broken"  # answers 500 without doing it
    NONSENSE = "nonsense"  # answers what cannot be read
    LIES = "lies"  # signs something else
    UNPROVEN = "unproven"  # proves what it did not do


@dataclass
class ScriptedMint:
    """Its keysets, what was spent, what was signed, each call, and the faults of calls to come by path."""

    url: str = URL
    keysets: dict[str, Keyset] = field(default_factory=dict)
    private: dict[str, dict[int, bytes]] = field(default_factory=dict)
    spent: set[str] = field(default_factory=set)
    signed: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    faults: dict[str, deque[MintFault]] = field(default_factory=dict)
    rotates_at_swap: bool = False

    def __post_init__(self) -> None:
        self.rotate()

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)

    @property
    def active(self) -> Keyset:
        return next(keyset for keyset in self.keysets.values() if keyset.is_active)

    def rotate(self, fee_ppk: int = 0) -> Keyset:
        """Have another keyset, with another fee; the ones before sign no more."""
        number = len(self.keysets)
        private = {2**n: hashlib.sha256(f"{self.url}:{number}:{n}".encode()).digest() for n in range(POWERS)}
        keys = {amount: base_point(k) for amount, k in private.items()}
        for name, old in self.keysets.items():
            self.keysets[name] = Keyset(old.id, old.unit, False, old.keys, old.fee_ppk)
        keyset = Keyset(keyset_id_v2(keys, "sat", fee_ppk), "sat", True, keys, fee_ppk)
        self.keysets[keyset.id], self.private[keyset.id] = keyset, private
        return keyset

    def fail(self, path: str, *faults: MintFault) -> None:
        """The next calls of a path go wrong."""
        self.faults.setdefault(path, deque()).extend(faults)

    def token(self, sats: int, lock_key: str | None = None, secret: str | None = None, is_short: bool = True) -> Token:
        """Ecash that somebody has; `secret` stands for all of it, in one piece, where it is named."""
        keyset, proofs = self.active, []
        for amount in make_up(sats, keyset) if secret is None else (sats,):
            name = secret or (write_lock(lock_key, secrets.token_hex(16)) if lock_key else secrets.token_hex(32))
            r, k = secrets.token_bytes(32), self.private[keyset.id][amount]
            blinded = blind(name.encode(), r)
            signature = sign_blinded(blinded, k)
            e, s = prove(blinded, signature, k, secrets.token_bytes(32))
            dleq = Dleq(e.hex(), s.hex(), r.hex())
            called = keyset.id[:16] if is_short else keyset.id
            proofs.append(Proof(amount, called, name, unblind(signature, r, keyset.keys[amount]).hex(), dleq))
        return Token(self.url, "sat", tuple(proofs))

    def spend(self, token: Token) -> None:
        """Somebody else has swapped it."""
        self.spent |= {proof.y for proof in token.proofs}

    def answer(self, request: httpx.Request) -> httpx.Response:
        """One call."""
        path, body = request.url.path, json.loads(request.content or b"null")
        self.calls.append((path, body))
        kind = re.sub(r"/[0-9a-f]{16,}$", "", path)
        queue = self.faults.get(kind)
        fault = queue.popleft() if queue else None
        if fault is MintFault.DOWN:
            raise httpx.ConnectError("refused")
        if fault is MintFault.BROKEN:
            return httpx.Response(500, json={"detail": "broken"})
        if fault is MintFault.NONSENSE:
            return httpx.Response(200, json={"signatures": "?", "keysets": 7})
        if kind == "/v1/swap" and self.rotates_at_swap:
            self.rotates_at_swap = False
            self.rotate()
        code, said = self._carry_out(kind, path, body, fault)
        if fault is MintFault.LOST:
            raise httpx.ReadTimeout("no answer")
        return httpx.Response(code, json=said)

    def _carry_out(self, kind: str, path: str, body: Any, fault: MintFault | None) -> tuple[int, Any]:
        match kind:
            case "/v1/info":
                return 200, {"name": "A mint", "nuts": {str(nut): {"supported": True} for nut in (7, 9, 10, 11, 12)}}
            case "/v1/keysets":
                return 200, {"keysets": [_listed(keyset) for keyset in self.keysets.values()]}
            case "/v1/keys":
                keyset = self.keysets[path.rpartition("/")[2]]
                keys = {str(amount): point.hex() for amount, point in keyset.keys.items()}
                return 200, {"keysets": [_listed(keyset) | {"keys": keys}]}
            case "/v1/swap":
                return self._swap(body["inputs"], body["outputs"], fault)
            case "/v1/restore":
                found = [one for one in body["outputs"] if one["B_"] in self.signed]
                return 200, {"outputs": found, "signatures": [self.signed[one["B_"]] for one in found]}
            case _:
                return 404, {"detail": "Not Found"}

    def _swap(self, inputs: Any, outputs: Any, fault: MintFault | None) -> tuple[int, Any]:
        ys = [hash_to_curve(one["secret"].encode()).hex() for one in inputs]
        if any(y in self.spent for y in ys):
            return _refusal(11_001)
        if any(one["B_"] in self.signed for one in outputs):
            return _refusal(11_003)
        if any(one["id"] != self.active.id for one in outputs):
            return _refusal(12_002)
        fee = fee_of(self.keysets[one["id"]].fee_ppk for one in inputs)
        if sum(one["amount"] for one in inputs) - fee != sum(one["amount"] for one in outputs):
            return _refusal(11_005)
        if not all(self._may_spend(one) for one in inputs):
            return _refusal(10_001)
        self.spent |= set(ys)
        made = []
        for one in outputs:
            k = self.private[one["id"]][one["amount"]]
            blinded = bytes.fromhex(one["B_"])
            signature = sign_blinded(blinded, b"\x09" * 32 if fault is MintFault.LIES else k)
            e, s = prove(blinded, signature, b"\x09" * 32 if fault is MintFault.UNPROVEN else k, b"\x07" * 32)
            said = {"amount": one["amount"], "id": one["id"], "C_": signature.hex()}
            self.signed[one["B_"]] = said | {"dleq": {"e": e.hex(), "s": s.hex()}}
            made.append(self.signed[one["B_"]])
        return 200, {"signatures": made}

    def _may_spend(self, said: Any) -> bool:
        k = self.private[said["id"]][said["amount"]]
        lock = read_lock(said["secret"])
        if not is_signed_by(said["secret"].encode(), bytes.fromhex(said["C"]), k):
            return False
        if lock is None:
            return True
        (signature,) = json.loads(said.get("witness") or '{"signatures": [""]}')["signatures"]
        digest = hashlib.sha256(said["secret"].encode()).digest()
        return any(verify(key, digest, bytes.fromhex(signature)) for key in lock.keys)


def _listed(keyset: Keyset) -> dict[str, Any]:
    return {"id": keyset.id, "unit": "sat", "active": keyset.is_active, "input_fee_ppk": keyset.fee_ppk}


def _refusal(code: int) -> tuple[int, dict[str, Any]]:
    return 400, {"detail": "refused", "code": code}
