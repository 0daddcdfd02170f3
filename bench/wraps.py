"""How fast intake reads wraps, beside the cryptography that nobody could leave out.

Both are timed in turns over different wraps, in processor seconds of this process, so that another program on
the machine slows neither more than the other.
Every wrap has a buyer of its own: nothing that a cache would save a regular buyer is saved here.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Values
from bench.shop import Shop, a_secret
from schemas.ciphers import chacha20, hkdf_expand, hkdf_extract, hmac_sha256
from schemas.nostr import nip59
from schemas.nostr.nip01 import Event, to_json
from schemas.nostr.secp256k1 import SecretKey, ecdh_x, verify
from services.signer.keystore import Keystore
from services.signer.local import LocalSigner
from services.vault import Vault
from streams.raw import Commands, Raw
from streams.reading import Reader

WRAPS = 3_000
CHUNK = 50
_NONCE_AT, _CIPHERTEXT_AT, _MAC_BYTES = 1, 33, 32


@dataclass(frozen=True, slots=True)
class Layer:
    """What the cryptography of one layer works on: who signed, what, and the encrypted content."""

    pubkey: str
    event_id: bytes
    sig: bytes
    nonce: bytes
    ciphertext: bytes

    @classmethod
    def of(cls, event: Event) -> Layer:
        """A seal or a wrap taken apart (NIP-44, version 2)."""
        data = base64.b64decode(event.content)
        return cls(
            event.pubkey,
            bytes.fromhex(event.id),
            bytes.fromhex(event.sig),
            data[_NONCE_AT:_CIPHERTEXT_AT],
            data[_CIPHERTEXT_AT:-_MAC_BYTES],
        )


async def measure(folder: Path, scale: float, report: Callable[[float], None]) -> dict[str, Values]:
    """`wraps_per_second`, `wrap_floor_per_second` and their ratio, for one core."""
    count = max(CHUNK, round(WRAPS * scale / CHUNK) * CHUNK)
    shop, now_s = Shop(a_secret("merchant of wraps")), int(time.time())
    keystore = Keystore(folder / "keys", folder / "secrets" / "passphrase")
    keystore.add(shop.secret)
    vault = Vault(folder / "secrets" / "vault.db")
    reader = Reader(lambda key: 0 if key == shop.merchant else None, LocalSigner(keystore), vault)
    spent = {"read": 0.0, "floor": 0.0}
    try:
        # One of each first: the key file is opened and the code is warm.
        _read(reader, [make(shop, "first", now_s)[0]], now_s)
        floor(shop.secret, [make(shop, "first of the floor", now_s)[1]])
        for start in range(0, count, CHUNK):
            read_ones = [make(shop, f"read {n}", now_s)[0] for n in range(start, start + CHUNK)]
            floor_ones = [make(shop, f"floor {n}", now_s)[1] for n in range(start, start + CHUNK)]
            spent["read"] += _timed(lambda ones=read_ones: _read(reader, ones, now_s))  # type: ignore[misc]
            spent["floor"] += _timed(lambda ones=floor_ones: floor(shop.secret, ones))  # type: ignore[misc]
            report((start + CHUNK) / count)
            await asyncio.sleep(0)
    finally:
        vault.close()
    return {
        "wraps_per_second": {"": count / spent["read"]},
        "wrap_floor_per_second": {"": count / spent["floor"]},
        "wraps_to_floor_ratio": {"": spent["floor"] / spent["read"]},
    }


def make(shop: Shop, name: str, now_s: int) -> tuple[bytes, tuple[Layer, Layer]]:
    """An order by a buyer of that name, as a relay sends it, and its two layers, wrap and seal."""
    buyer, one_time = a_secret(f"buyer {name}"), a_secret(f"one time {name}")
    rumor = shop.order(buyer.public_key, f"order {name}", now_s)
    seal = nip59.seal(rumor, buyer, shop.merchant, now_s, *_two(f"seal {name}"))
    wrap = nip59.wrap(seal, shop.merchant, one_time, now_s, *_two(f"wrap {name}"))
    return to_json(wrap).encode(), (Layer.of(wrap), Layer.of(seal))


def floor(secret: SecretKey, wraps: Sequence[tuple[Layer, Layer]]) -> int:
    """Only the curve and the ciphers of opening wraps; gives the bytes of plain text seen.

    These are the edges of coincurve and cryptography, the only places that import them: two signatures, two
    shared points, two key derivations, two MACs and two streams a wrap; no hashing of ids and no JSON.
    """
    seen = 0
    for layers in wraps:
        for layer in layers:
            assert verify(layer.pubkey, layer.event_id, layer.sig), "a wrap of ours is valid"
            key = hkdf_extract(b"nip44-v2", ecdh_x(secret, layer.pubkey))
            keys = hkdf_expand(key, layer.nonce, 76)
            hmac_sha256(keys[44:], layer.nonce + layer.ciphertext)
            seen += len(chacha20(keys[:32], keys[32:44], layer.ciphertext))
    return seen


def _read(reader: Reader, texts: Sequence[bytes], now_s: int) -> None:
    for text in texts:
        reading = reader.read(Raw(text, "ws://127.0.0.1", now_s * 1_000))
        assert isinstance(reading, Commands), f"an order reads as {json.dumps(str(reading))}"


def _two(name: str) -> tuple[bytes, bytes]:
    """A nonce and auxiliary bytes that follow from a name."""
    return a_secret(f"nonce {name}").reveal(), a_secret(f"aux {name}").reveal()


def _timed(work: Callable[[], object]) -> float:
    began_s = time.process_time()
    work()
    return time.process_time() - began_s
