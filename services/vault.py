"""Personal details under one key per order or message; the keys live in one small file, outside Kafka (D9).

Destroying a key is erasure: the journal still folds, and nobody can read the box again.
The key is stored before the box leaves, so a crash cannot leave details that nobody can open.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from base64 import b64decode, b64encode
from dataclasses import asdict
from pathlib import Path

import orjson

from schemas.ciphers import CipherRefused, derive, open_box, seal_box
from schemas.dialects.contract import PersonalDetails
from schemas.values import SealedDetails

_NONCE_BYTES = 12
_FIELDS = ("address", "email", "phone", "note", "subject")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS order_keys (
    key_id TEXT PRIMARY KEY,
    merchant TEXT NOT NULL,
    key BLOB,           -- NULL once erased; the row stays so that a replay cannot make a new key
    made_ns INTEGER NOT NULL,
    box TEXT            -- the sealed details as the journal has them, so that they can be shown
) WITHOUT ROWID
"""


class Erased(LookupError):
    """The order's key was destroyed; its details cannot be read again."""


class Vault:
    """One SQLite file of order keys (mode 0600); several processes may use it at once."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, timeout=10, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(_SCHEMA)

    def seal(self, merchant: str, order_ref: str, rumor_id: str, details: PersonalDetails) -> SealedDetails | None:
        """Seal an order's details. The same call gives the same box; None where its key was erased."""
        key_id = f"{order_ref}:{rumor_id[:16]}"
        fresh = secrets.token_bytes(32)
        box = _seal(fresh, merchant, key_id, details)
        stored = self._db.execute(
            "INSERT OR IGNORE INTO order_keys (key_id, merchant, key, box, made_ns) VALUES (?, ?, ?, ?, ?)",
            (key_id, merchant, fresh, box, time.time_ns()),
        )
        if stored.rowcount == 0:
            key = self._key(key_id)
            if key is None:
                return None
            box = _seal(key, merchant, key_id, details)
        return SealedDetails(key_id=key_id, box=box)

    def seal_goods(self, merchant: str, coordinate: str, text: str) -> SealedDetails | None:
        """What buyers of a listing are sent, under a key of its own; each call gives another box.

        Its name says nothing of the text: a licence key is short enough to be guessed from its hash.
        """
        listing = hashlib.sha256(coordinate.encode()).hexdigest()[:32]
        return self.seal(merchant, f"goods-{listing}", secrets.token_hex(8), PersonalDetails(note=text))

    def seal_token(self, merchant: str, intent_id: str, token_id: str, text: str) -> SealedDetails | None:
        """Ecash that was handed in for a request; the same token gives the same box."""
        return self.seal(merchant, f"token-{intent_id[:32]}", token_id, PersonalDetails(note=text))

    def seal_link(self, merchant: str, refund_id: str, text: str) -> SealedDetails | None:
        """The link that a refund is claimed by; the same of both gives the same box."""
        return self.seal(merchant, f"refund-{refund_id[:32]}", refund_id, PersonalDetails(note=text))

    def of_order(self, merchant: str, order_ref: str) -> PersonalDetails | None:
        """The newest details of an order, or None where it had none or they were erased."""
        row = self._db.execute(
            "SELECT key_id, box FROM order_keys WHERE key_id GLOB ? AND merchant = ?"
            " AND box IS NOT NULL AND key IS NOT NULL ORDER BY made_ns DESC LIMIT 1",
            (f"{order_ref}:*", merchant),
        ).fetchone()
        return None if row is None else self.open(merchant, SealedDetails(key_id=row[0], box=row[1]))

    def of_conversation(self, merchant: str, conversation: str) -> dict[str, PersonalDetails]:
        """Every text of a conversation that was not erased, by the first 16 digits of its message's name."""
        rows = self._db.execute(
            "SELECT key_id, box FROM order_keys WHERE key_id GLOB ? AND merchant = ? AND box IS NOT NULL",
            (f"{conversation}:*", merchant),
        ).fetchall()
        return {
            key_id.partition(":")[2]: self.open(merchant, SealedDetails(key_id=key_id, box=box)) for key_id, box in rows
        }

    def erase_conversation(self, merchant: str, conversation: str) -> int:
        """Destroy the keys of all that was written so far in a conversation, for good; gives how many there were."""
        erased = self._db.execute(
            "UPDATE order_keys SET key = NULL, box = NULL WHERE key_id GLOB ? AND merchant = ? AND key IS NOT NULL",
            (f"{conversation}:*", merchant),
        )
        return erased.rowcount

    def open(self, merchant: str, sealed: SealedDetails) -> PersonalDetails:
        """Read an order's details. Raises `Erased`, and `CipherRefused` for a box that was tampered with."""
        key = self._key(sealed.key_id)
        if key is None:
            raise Erased("the personal details of this order were erased")
        box = b64decode(sealed.box)
        plaintext = open_box(key, box[:_NONCE_BYTES], box[_NONCE_BYTES:], _aad(merchant, sealed.key_id))
        fields = orjson.loads(plaintext)
        if not isinstance(fields, dict):
            raise CipherRefused("sealed details are not an object")
        return PersonalDetails(**{name: str(fields[name]) for name in _FIELDS if name in fields})

    def text(self, merchant: str, sealed: SealedDetails) -> str:
        """A message's text, or that of goods. Raises `Erased`, and `CipherRefused` for a box that was tampered with."""
        return self.open(merchant, sealed).note or ""

    def erase(self, key_id: str) -> None:
        """Destroy an order's key, for good, and those of the same message's other boxes: its words may say the same."""
        _, _, rumor = key_id.partition(":")
        self._db.execute(
            "UPDATE order_keys SET key = NULL, box = NULL WHERE key_id = ?1 OR (key_id GLOB ?2"
            " AND merchant = (SELECT merchant FROM order_keys WHERE key_id = ?1))",
            (key_id, f"*:{rumor}"),
        )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _key(self, key_id: str) -> bytes | None:
        row = self._db.execute("SELECT key FROM order_keys WHERE key_id = ?", (key_id,)).fetchone()
        return None if row is None else row[0]


def _seal(key: bytes, merchant: str, key_id: str, details: PersonalDetails) -> str:
    plaintext = orjson.dumps({name: text for name, text in asdict(details).items() if text})
    # One key seals one text, but a replayed rumor could differ if a reader changes: the text is in the nonce.
    nonce = derive(key, "nonce", plaintext, length=_NONCE_BYTES)
    return b64encode(nonce + seal_box(key, nonce, plaintext, _aad(merchant, key_id))).decode()


def _aad(merchant: str, key_id: str) -> bytes:
    return f"ncc order details 1:{merchant}:{key_id}".encode()
