"""A buyer's ecash: minted at a real mint, locked to whom a request names, and posted where it says (NUT-04, NUT-18)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from schemas.cashu.blinding import blind, scalar_of, unblind
from schemas.cashu.keysets import Keyset, make_up, read_keyset
from schemas.cashu.locks import write_lock
from schemas.cashu.requests import EcashRequest, read_request
from schemas.cashu.tokens import SAT, Dleq, Proof, Token

CALL_TIMEOUT_S = 30.0


class NotTaken(Exception):
    """The shop did not take a token; the message is its answer's word."""


@dataclass
class EcashPurse:
    """Ecash of one mint. Nothing is kept: each payment is minted when it is made."""

    mint: str

    async def token(
        self, sats: int, lock_key: str | None = None, *, amounts: Sequence[int] = (), secrets_: Sequence[str] = ()
    ) -> Token:
        """New ecash, of these amounts if any are named, locked to a key if one is.

        Raises `httpx.HTTPStatusError` where the mint refuses.
        """
        async with httpx.AsyncClient(base_url=self.mint, timeout=CALL_TIMEOUT_S, trust_env=False) as http:
            keyset = await self._keyset(http)
            quote = await _post(http, "/v1/mint/quote/bolt11", {"unit": SAT, "amount": sats})
            parts = tuple(amounts) or make_up(sats, keyset)
            names = tuple(secrets_) or tuple(_secret(lock_key) for _ in parts)
            factors = [scalar_of(secrets.token_bytes(32)) for _ in parts]
            outputs = [
                {"amount": part, "id": keyset.id, "B_": blind(name.encode(), r).hex()}
                for part, name, r in zip(parts, names, factors, strict=True)
            ]
            made = await _post(http, "/v1/mint/bolt11", {"quote": quote["quote"], "outputs": outputs})
        proofs = [_proof(one, name, r, keyset) for one, name, r in zip(made["signatures"], names, factors, strict=True)]
        return Token(self.mint, SAT, tuple(proofs))

    async def blinded(self, sats: int) -> list[dict[str, Any]]:
        """Outputs for so much ecash, to be signed for other ecash; what they are for is forgotten."""
        async with httpx.AsyncClient(base_url=self.mint, timeout=CALL_TIMEOUT_S, trust_env=False) as http:
            keyset = await self._keyset(http)
        fresh = [(part, blind(secrets.token_bytes(32), secrets.token_bytes(32))) for part in make_up(sats, keyset)]
        return [{"amount": part, "id": keyset.id, "B_": point.hex()} for part, point in fresh]

    async def pay(self, text: str) -> str:
        """Pay a request in full; gives the token's name. Raises `NotTaken`."""
        request = read_request(text)
        assert request.amount is not None, "a shop's request names its amount"
        token = await self.token(request.amount, request.lock_key)
        await self.post(request, token)
        return token.digest

    async def post(self, request: EcashRequest, token: Token) -> dict[str, Any]:
        """Hand a token in where a request says. Raises `NotTaken`."""
        assert request.post_to is not None, "this request is answered elsewhere"
        async with httpx.AsyncClient(timeout=CALL_TIMEOUT_S, trust_env=False) as http:
            answer = await http.post(request.post_to, content=payload(request.id, token))
        said: dict[str, Any] = answer.json()
        if answer.is_error:
            raise NotTaken(said.get("reason", str(answer.status_code)))
        return said

    async def _keyset(self, http: httpx.AsyncClient) -> Keyset:
        listed = (await http.get("/v1/keysets")).raise_for_status().json()["keysets"]
        said = next(one for one in listed if one["active"] and one["unit"] == SAT)
        keys = (await http.get(f"/v1/keys/{said['id']}")).raise_for_status().json()["keysets"][0]["keys"]
        return read_keyset(said, keys)


def payload(name: str | None, token: Token) -> str:
    """What is posted for a request (NUT-18)."""
    return json.dumps({"id": name, "mint": token.mint, "unit": token.unit, "proofs": [said(p) for p in token.proofs]})


def said(proof: Proof) -> dict[str, Any]:
    """A proof as JSON has it."""
    plain: dict[str, Any] = {"amount": proof.amount, "id": proof.keyset, "secret": proof.secret, "C": proof.signature}
    if proof.dleq is not None:
        plain["dleq"] = {"e": proof.dleq.e, "s": proof.dleq.s, "r": proof.dleq.r}
    return plain


def _secret(lock_key: str | None) -> str:
    return secrets.token_hex(32) if lock_key is None else write_lock(lock_key, secrets.token_hex(32))


def _proof(signed: dict[str, Any], secret: str, r: bytes, keyset: Keyset) -> Proof:
    signature = unblind(bytes.fromhex(signed["C_"]), r, keyset.keys[signed["amount"]]).hex()
    proven = signed.get("dleq")
    dleq = None if proven is None else Dleq(proven["e"], proven["s"], r.hex())
    return Proof(signed["amount"], keyset.id, secret, signature, dleq)


async def _post(http: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await http.post(path, json=body)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found
