"""Asks an indexer of the chain that speaks Esplora's HTTP API: Blockstream's, mempool's, or an own electrs.

What it says is taken at its word only where it does not contradict itself; a failed answer says nothing of a payment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError, model_validator

from schemas.bip21 import SATS_MAX
from schemas.bolt11 import Network
from services.payments.asking import left_s, monotonic_s
from services.payments.http_calls import Answer, HttpCalls
from services.payments.port import BackendError, Retry, Unauthorized, Unknown

WHOM: Final = "the indexer"
PAGE_TXS: Final = 10
"""A page with fewer confirmed transactions is the last: Esplora's have 25, some servers' 10."""
PAGES_MAX: Final = 40
"""An address that is asked for one order has one transaction, or some; a thousand are somebody's dust."""
GENESIS: Final = {
    "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f": Network.BITCOIN,
    "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943": Network.TESTNET,
    "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043": Network.TESTNET,
    "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6": Network.SIGNET,
    "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206": Network.REGTEST,
}
"""The hash of each chain's first block."""
_HASH: Final = r"^[0-9a-f]{64}$"
Hash = Annotated[str, Field(pattern=_HASH)]
Height = Annotated[int, Field(ge=0, le=2**31 - 1)]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Output(_Said):
    scriptpubkey_address: str | None = None
    value: int = Field(ge=0, le=SATS_MAX)


class _Input(_Said):
    prevout: _Output | None = None


class _Status(_Said):
    confirmed: bool
    block_height: Height | None = None
    block_hash: Hash | None = None
    block_time: Height | None = None

    @model_validator(mode="after")
    def _has_a_block(self) -> _Status:
        if self.confirmed and (self.block_height is None or self.block_hash is None or self.block_time is None):
            raise ValueError("a confirmed transaction without its block")
        return self


class _Tx(_Said):
    txid: Hash
    vin: tuple[_Input, ...] = Field(strict=False)
    vout: tuple[_Output, ...] = Field(strict=False)
    status: _Status


_TXS: Final = TypeAdapter(list[_Tx])
_HEIGHT: Final = TypeAdapter(Height)
_BLOCK_HASH: Final = TypeAdapter(Hash)


@dataclass(frozen=True, slots=True)
class Block:
    """Where a transaction stands; `at` is the block's own time, unix seconds."""

    height: int
    hash: str
    at: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """What one transaction pays to an address; `block` is None while it is in the mempool."""

    txid: str
    sats: int
    block: Block | None


def esplora_calls(url: str, transport: httpx.AsyncBaseTransport | None = None) -> HttpCalls:
    """The calls of one indexer, which wants no key."""
    return HttpCalls(WHOM, url, SecretStr(""), {}, judge, transport=transport)


def judge(said: str, code: int, body: Any) -> BackendError:
    """What an answer that is none means; nothing is ever done by asking."""
    if code in {401, 403}:
        return Unauthorized(f"{said}: it wants a key, and none is known for it")
    return Unknown(said)


class Esplora:
    """One indexer. Every call may raise `Retry` or `Unauthorized`."""

    def __init__(self, calls: HttpCalls) -> None:
        self.calls = calls

    async def tip(self, *, timeout_s: float) -> tuple[int, Answer]:
        """How high the chain is, and the answer that says it."""
        answer = await self.calls.get("/blocks/tip/height", timeout_s=timeout_s)
        try:
            return _HEIGHT.validate_python(answer.body, strict=True), answer
        except ValidationError:
            raise self._unreadable("how high the chain is") from None

    async def block_hash(self, height: int, *, timeout_s: float) -> str:
        """The block at a height, of the chain that the indexer follows now."""
        said = await self.calls.get_text(f"/block-height/{height}", timeout_s=timeout_s)
        try:
            return _BLOCK_HASH.validate_python(said)
        except ValidationError:
            raise self._unreadable("a block") from None

    async def network(self, *, timeout_s: float) -> Network | None:
        """The chain it follows, by its first block; None for one that nobody knows."""
        return GENESIS.get(await self.block_hash(0, timeout_s=timeout_s))

    async def history(self, address: str, *, timeout_s: float) -> list[Incoming]:
        """Everything that was paid to an address, in blocks and in the mempool; what was spent from it is no matter."""
        deadline_s, found = monotonic_s() + timeout_s, dict[str, _Tx]()
        page = await self._page(f"/address/{address}/txs", timeout_s)
        for _ in range(PAGES_MAX):
            found |= {tx.txid: tx for tx in page}
            confirmed = [tx for tx in page if tx.status.confirmed]
            if len(confirmed) < PAGE_TXS:
                return [one for tx in found.values() if (one := _incoming(tx, address)) is not None]
            path = f"/address/{address}/txs/chain/{confirmed[-1].txid}"
            page = await self._page(path, left_s(deadline_s, WHOM))
        raise Retry(f"{WHOM} at {self.calls.host} lists more for one address than is read")

    async def _page(self, path: str, timeout_s: float) -> list[_Tx]:
        answer = await self.calls.get(path, timeout_s=timeout_s)
        try:
            return _TXS.validate_python(answer.body)
        except ValidationError:
            raise self._unreadable("transactions") from None

    def _unreadable(self, what: str) -> Retry:
        return Retry(f"{WHOM} at {self.calls.host} tells of {what} in words that cannot be read")


def _incoming(tx: _Tx, address: str) -> Incoming | None:
    """What a transaction brings to an address; None where it brings nothing, or only moves what was there."""
    if any(one.prevout is not None and one.prevout.scriptpubkey_address == address for one in tx.vin):
        return None
    sats = sum(one.value for one in tx.vout if one.scriptpubkey_address == address)
    status, block = tx.status, None
    if status.confirmed:
        assert status.block_height is not None, "a confirmed transaction has its block"
        assert status.block_hash is not None, "a confirmed transaction has its block"
        assert status.block_time is not None, "a confirmed transaction has its block"
        block = Block(status.block_height, status.block_hash, status.block_time)
    return Incoming(tx.txid, sats, block) if sats else None
