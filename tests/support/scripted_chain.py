"""A small chain of blocks behind an indexer that speaks Esplora's API: to mine, to reorganise, to replace a payment.

Times are those of its ledger's clock; what goes wrong with a call is ordered there, as for the scripted nodes.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from schemas.bolt11 import Network
from services.payments.chain_keys import networks_of
from services.payments.esplora import GENESIS
from tests.support.scripted_nodes import Act, Ledger, faulty, serving

TIP, HASH, HISTORY = "tip", "hash", "history"
PAGE: Final = 25
SOMEBODY: Final = "bcrt1q9vza2e8x573nczrlzms0wvx3gsqjx7vaxwd45v"


@dataclass(frozen=True)
class Tx:
    """One transaction: what it pays to whom, in sats, and what address it spends from."""

    txid: str
    outputs: tuple[tuple[str, int], ...]
    spends: str = SOMEBODY

    def is_about(self, address: str) -> bool:
        return address == self.spends or any(address == to for to, _ in self.outputs)


@dataclass(frozen=True)
class Mined:
    """One block; `at` is its own time."""

    hash: str
    at: int
    txs: tuple[Tx, ...] = ()


@dataclass
class ScriptedChain:
    """The chain, its mempool, and the indexer in front of it."""

    ledger: Ledger = field(default_factory=Ledger)
    network: Network = Network.REGTEST
    blocks: list[Mined] = field(default_factory=list)
    mempool: list[Tx] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        genesis = next(name for name, network in GENESIS.items() if network is self.network)
        self.blocks.append(Mined(genesis, 1_296_688_602))
        self.mine(100)

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    def pay(self, address: str, *sats: int, spends: str = SOMEBODY) -> Tx:
        """Pay to an address, an output for each sum; it waits in the mempool."""
        tx = Tx(self._name("tx"), tuple((address, one) for one in sats), spends)
        self.mempool.append(tx)
        return tx

    def mine(self, blocks: int = 1, only: Sequence[Tx] | None = None) -> None:
        """Mine blocks; the first has all that waits, or `only` these."""
        for _ in range(blocks):
            txs = tuple(tx for tx in self.mempool if only is None or tx in only)
            self.mempool = [tx for tx in self.mempool if tx not in txs]
            self.blocks.append(Mined(self._name("block"), self.ledger.now_s, txs))

    def replace(self, tx: Tx, address: str, *sats: int) -> Tx:
        """Have a waiting payment replaced by one with a higher fee (BIP-125), to this address."""
        self.drop(tx)
        return self.pay(address, *sats)

    def drop(self, tx: Tx) -> None:
        """Have a waiting payment forgotten, as a full mempool does."""
        self.mempool.remove(tx)

    def reorganise(self, depth: int, *, keep: bool) -> None:
        """Replace the last blocks by as many others and one more; what was in them waits again where it is kept."""
        gone = self.blocks[-depth:]
        del self.blocks[-depth:]
        waiting, self.mempool = self.mempool, []
        self.mine(depth + 1)
        self.mempool = [tx for block in gone for tx in block.txs if keep] + waiting

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Serve the indexer; gives the address of its API."""

        def route(path: str, name: str, act: Act, stale: Response | None = None) -> Route:
            return Route(path, faulty(self.ledger, name, act, stale))

        routes = [
            route("/api/blocks/tip/height", TIP, self._height),
            route("/api/block-height/{height:int}", HASH, self._hash),
            route("/api/address/{address}/txs", HISTORY, self._history, JSONResponse([])),
            route("/api/address/{address}/txs/chain/{after}", HISTORY, self._history, JSONResponse([])),
        ]
        async with serving(self.ledger, Starlette(routes=routes)) as url:
            yield f"{url}/api"

    async def _height(self, _: Request) -> Response:
        return PlainTextResponse(str(self.height))

    async def _hash(self, request: Request) -> Response:
        height = int(request.path_params["height"])
        if height > self.height:
            return PlainTextResponse("Block not found", 404)
        return PlainTextResponse(self.blocks[height].hash)

    async def _history(self, request: Request) -> Response:
        address, after = request.path_params["address"], request.path_params.get("after")
        if self.network not in networks_of(address):
            return PlainTextResponse("Invalid Bitcoin address", 400)
        mined = [
            (tx, height)
            for height, block in reversed(list(enumerate(self.blocks)))
            for tx in block.txs
            if tx.is_about(address)
        ]
        if after is None:
            waiting = [self._told(tx, None) for tx in self.mempool if tx.is_about(address)]
        else:
            waiting, names = [], [tx.txid for tx, _ in mined]
            mined = mined[names.index(after) + 1 :]
        return JSONResponse([*waiting, *(self._told(tx, height) for tx, height in mined[:PAGE])])

    def _told(self, tx: Tx, height: int | None) -> dict[str, Any]:
        status: dict[str, Any] = {"confirmed": False}
        if height is not None:
            block = self.blocks[height]
            status = {"confirmed": True, "block_height": height, "block_hash": block.hash, "block_time": block.at}
        spent = {"scriptpubkey_address": tx.spends, "scriptpubkey_type": "v0_p2wpkh", "value": 10**9}
        return {
            "txid": tx.txid,
            "version": 2,
            "locktime": 0,
            "vin": [{"txid": self._hash_of("x"), "vout": 0, "prevout": spent, "is_coinbase": False}],
            "vout": [{"scriptpubkey_address": to, "value": sats} for to, sats in tx.outputs],
            "size": 222,
            "weight": 561,
            "fee": 141,
            "status": status,
        }

    def _name(self, kind: str) -> str:
        self.made += 1
        return self._hash_of(f"{kind} {self.made}")

    @staticmethod
    def _hash_of(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()
