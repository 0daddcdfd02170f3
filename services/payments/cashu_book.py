"""Keeps what a shop asked for in ecash, each token it was handed, and the ecash it holds: one SQLite file, 0600.

A token is written down before its mint hears of it and its money after the mint signed, so a crash in between leaves
nothing that cannot be asked for again. Whatever could be spent stands in it under a key of the home's own, as
credentials do; mints, amounts and points that name ecash without giving it away stand in it plainly.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.cashu.tokens import Proof
from schemas.ciphers import CipherRefused, derive, open_box, seal_box
from schemas.ecash import EcashTerms
from services.payments.book_file import BookFile, Table
from services.payments.cashu_outputs import Attempt
from services.payments.port import Retry

BUSY_TIMEOUT_S: Final = 5.0
_NONCE_BYTES: Final = 12
_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS requests (
        reference TEXT PRIMARY KEY, intent_id TEXT NOT NULL, amount INTEGER NOT NULL, text TEXT NOT NULL,
        expires_at INTEGER NOT NULL, got INTEGER NOT NULL DEFAULT 0, settled_at INTEGER, place INTEGER UNIQUE)""",
    "CREATE TABLE IF NOT EXISTS terms (reference TEXT PRIMARY KEY, terms TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS tokens (
        digest TEXT PRIMARY KEY, reference TEXT NOT NULL, mint TEXT NOT NULL, amount INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('begun', 'taken', 'refused')), reason TEXT, box BLOB NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS attempts (
        digest TEXT NOT NULL, number INTEGER NOT NULL, keyset TEXT NOT NULL, amounts TEXT NOT NULL,
        PRIMARY KEY (digest, number))""",
    "CREATE TABLE IF NOT EXISTS inputs (y TEXT PRIMARY KEY, digest TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS proofs (
        y TEXT PRIMARY KEY, mint TEXT NOT NULL, amount INTEGER NOT NULL, digest TEXT NOT NULL, box BLOB NOT NULL,
        withdrawal INTEGER)""",
    "CREATE TABLE IF NOT EXISTS withdrawals (id INTEGER PRIMARY KEY, mint TEXT NOT NULL, at INTEGER NOT NULL)",
)


class Asked(NamedTuple):
    """One request, amounts in sats: what was asked for, what came, and its place in the order that money came in."""

    reference: str
    intent_id: str
    amount: int
    text: str
    expires_at: int
    got: int = 0
    settled_at: int | None = None
    place: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Handed:
    """A token that was handed in for a request: its proofs as the mint is to see them, and how it stands."""

    digest: str
    reference: str
    mint: str
    state: str
    reason: TokenFault | None
    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Withdrawal:
    """Ecash of one mint that was given out; it is no longer the shop's."""

    id: int
    mint: str
    at: int
    proofs: tuple[Proof, ...]


class Book:
    """One open book; whoever opens it closes it. Every call may raise `Retry`: the file is busy or broken."""

    def __init__(self, path: Path, seed: bytes) -> None:
        """Open the file, or make it; `seed` is the wallet's."""
        self._key = derive(seed, "ncc/cashu/book/1")
        self._file = BookFile(path, *_SCHEMA, of="ecash", busy_timeout_s=BUSY_TIMEOUT_S)
        self._run = self._file.run
        self._requests = Table(self._file, "requests", Asked)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    # Requests

    def ask(self, asked: Asked, terms: EcashTerms | None = None) -> Asked:
        """Keep a new request, and before it what its tokens have to be; gives the one that is there under its name."""
        if terms is not None:
            kept = terms.model_dump_json()
            self._run("INSERT OR IGNORE INTO terms (reference, terms) VALUES (?, ?)", asked.reference, kept)
        self._requests.add(asked)
        return self.asked(asked.reference) or asked

    def asked(self, reference: str) -> Asked | None:
        """The request of a reference."""
        return self._requests.row("WHERE reference = ?", reference)

    def terms(self, reference: str) -> EcashTerms:
        """What tokens for a request have to be; nothing but of the wallet's mints where that was not said."""
        rows = self._run("SELECT terms FROM terms WHERE reference = ?", reference)
        return next((EcashTerms.model_validate_json(row[0]) for row in rows), EcashTerms())

    def paid_after(self, place: int, limit: int) -> list[Asked]:
        """Requests that money came for after a place, in that order."""
        return self._requests.rows("WHERE place > ? ORDER BY place LIMIT ?", place, limit)

    def last_place(self) -> int:
        """How often money came."""
        return int(self._run("SELECT coalesce(max(place), 0) FROM requests").fetchone()[0])

    # Tokens

    def handed(self, digest: str) -> Handed | None:
        """A token that was handed in before."""
        row = self._run("SELECT * FROM tokens WHERE digest = ?", digest).fetchone()
        if row is None:
            return None
        reason = None if row[5] is None else TokenFault(row[5])
        return Handed(row[0], row[1], row[2], row[4], reason, self._open(row[6], digest))

    def begin(self, token: Handed, ys: Sequence[str], attempt: Attempt, *, sum_in: int, cap: int) -> None:
        """Write a token down with what its mint will be asked to sign, in one go.

        Raises `TokenRefused` where a proof of it was handed in before, its request is paid, or the mint's cap is
        reached by it.
        """
        with self._file.whole():
            if any(self._is_used(y, token.digest) for y in ys):
                raise TokenRefused(TokenFault.ALREADY_USED)
            asked = self.asked(token.reference)
            if asked is None:
                raise TokenRefused(TokenFault.UNKNOWN_REQUEST)
            if asked.got >= asked.amount:
                raise TokenRefused(TokenFault.ALREADY_PAID)
            if self.at_stake(token.mint, token.digest) + sum_in > cap:
                raise TokenRefused(TokenFault.OVER_CAP)
            self._run(
                "INSERT OR REPLACE INTO tokens (digest, reference, mint, amount, state, box) VALUES (?, ?, ?, ?, ?, ?)",
                *(token.digest, token.reference, token.mint, sum_in, "begun", self._seal(token.proofs, token.digest)),
            )
            for y in ys:
                self._run("INSERT OR REPLACE INTO inputs (y, digest) VALUES (?, ?)", y, token.digest)
            self._note(attempt)

    def try_otherwise(self, attempt: Attempt) -> None:
        """Write down another set of outputs for a token."""
        with self._file.whole():
            self._note(attempt)

    def attempts(self, digest: str) -> list[Attempt]:
        """Every set of outputs of a token, the first one first."""
        rows = self._run("SELECT * FROM attempts WHERE digest = ? ORDER BY number", digest)
        return [Attempt(name, number, keyset, tuple(json.loads(amounts))) for name, number, keyset, amounts in rows]

    def take(self, token: Handed, proofs: Sequence[Proof], now_s: int) -> None:
        """The mint signed: the ecash is the shop's and counts for the request, once."""
        with self._file.whole():
            row = self._run("SELECT state FROM tokens WHERE digest = ?", token.digest).fetchone()
            if row is None or row[0] == "taken":
                return
            for proof in proofs:
                self._run(
                    "INSERT INTO proofs (y, mint, amount, digest, box) VALUES (?, ?, ?, ?, ?)",
                    *(proof.y, token.mint, proof.amount, token.digest, self._seal((proof,), proof.y)),
                )
            self._run("UPDATE tokens SET state = 'taken', reason = NULL WHERE digest = ?", token.digest)
            self._run(
                "UPDATE requests SET got = got + ?1, place = (SELECT coalesce(max(place), 0) + 1 FROM requests),"
                " settled_at = coalesce(settled_at, CASE WHEN got + ?1 >= amount THEN ?2 END) WHERE reference = ?3",
                *(sum(proof.amount for proof in proofs), now_s, token.reference),
            )

    def refuse(self, digest: str, reason: TokenFault) -> None:
        """The mint takes the token for nothing."""
        self._run("UPDATE tokens SET state = 'refused', reason = ? WHERE digest = ?", reason.value, digest)

    # What the shop holds

    def held(self) -> dict[str, int]:
        """Sats by mint, without what was given out."""
        rows = self._run("SELECT mint, sum(amount) FROM proofs WHERE withdrawal IS NULL GROUP BY mint ORDER BY mint")
        return {mint: int(amount) for mint, amount in rows}

    def at_stake(self, mint: str, besides: str = "") -> int:
        """Sats that are lost if a mint is gone: what is held there, and what is being swapped but one token."""
        found = self._run(
            "SELECT coalesce(sum(amount), 0) FROM tokens WHERE mint = ? AND state = 'begun' AND digest != ?",
            *(mint, besides),
        )
        return self.held().get(mint, 0) + int(found.fetchone()[0])

    def withdraw(self, mint: str, now_s: int) -> Withdrawal | None:
        """Mark everything held at a mint as given out, and give it; None where there is nothing."""
        with self._file.whole():
            if not self.held().get(mint):
                return None
            made = self._run("INSERT INTO withdrawals (mint, at) VALUES (?, ?)", mint, now_s).lastrowid
            self._run("UPDATE proofs SET withdrawal = ? WHERE mint = ? AND withdrawal IS NULL", made, mint)
        return self.withdrawal(int(made or 0))

    def withdrawal(self, number: int | None = None) -> Withdrawal | None:
        """What was given out under a number, or last; it can be shown again."""
        row = self._run(
            "SELECT id, mint, at FROM withdrawals WHERE ?1 IS NULL OR id = ?1 ORDER BY id DESC LIMIT 1", number
        ).fetchone()
        if row is None:
            return None
        boxes = self._run("SELECT box, y FROM proofs WHERE withdrawal = ? ORDER BY amount, y", row[0]).fetchall()
        return Withdrawal(row[0], row[1], row[2], tuple(self._open(box, y)[0] for box, y in boxes))

    def _is_used(self, y: str, digest: str) -> bool:
        """Whether a proof came in another token that was not refused."""
        found = self._run(
            "SELECT 1 FROM inputs JOIN tokens USING (digest) WHERE y = ? AND digest != ? AND state != 'refused'",
            y,
            digest,
        )
        return found.fetchone() is not None

    def _note(self, attempt: Attempt) -> None:
        self._run(
            "INSERT OR IGNORE INTO attempts (digest, number, keyset, amounts) VALUES (?, ?, ?, ?)",
            *(attempt.digest, attempt.number, attempt.keyset, json.dumps(attempt.amounts)),
        )

    def _seal(self, proofs: Iterable[Proof], name: str) -> bytes:
        fields = ("amount", "keyset", "secret", "signature", "witness")
        plain = json.dumps([{field: getattr(proof, field) for field in fields} for proof in proofs]).encode()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + seal_box(self._key, nonce, plain, name.encode())

    def _open(self, box: bytes, name: str) -> tuple[Proof, ...]:
        try:
            plain = open_box(self._key, box[:_NONCE_BYTES], box[_NONCE_BYTES:], name.encode())
        except CipherRefused:
            raise Retry("the wallet's book does not open in this home") from None
        return tuple(Proof(**one) for one in json.loads(plain))
