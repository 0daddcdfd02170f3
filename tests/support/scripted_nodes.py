"""What the scripted Lightning nodes share: a ledger of invoices with its own clock, faults to order, and a server.

A node's own module says its words over HTTP; what is paid, expired or forgotten is decided here.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from schemas.bolt11 import Network, decode, encode
from services.payments.http_calls import ANSWER_BYTES_MAX

NODE_SECRET: Final = b"\x07" * 32
START_S: Final = 1_760_000_000
HANG_S: Final = 60.0
EXPIRED = "this invoice is over"


class NodeFault(StrEnum):
    """What goes wrong with one call."""

    HANGS_AFTER = "hangs_after"  # it is carried out, and no answer comes
    CUT_AFTER = "cut_after"  # it is carried out, and the line is cut in the middle of the answer
    FAILS_AFTER = "fails_after"  # it is carried out, and a proxy in front of it says 502
    FAILS_BEFORE = "fails_before"  # a proxy says 503, and nothing happened
    STALE = "stale"  # the answer of a copy that is behind: it has nothing
    NO_JSON = "no_json"  # it is carried out, and the answer is half of one
    OTHER_WORDS = "other_words"  # it is carried out, and the answer is JSON of another kind
    TOO_LONG = "too_long"  # it is carried out, and the answer does not end
    TOO_OFTEN = "too_often"  # 429, and nothing happened


class Refused(Exception):
    """A payer's attempt that the node turned down."""


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> int:
        return self.now_s

    async def pass_time(self, seconds: int) -> None:
        self.now_s += seconds


@dataclass
class Entry:
    """One invoice of a node; `label` is what its maker calls it, `settle_index` its place among those paid."""

    label: str
    preimage: bytes
    text: str
    amount_msat: int
    memo: str
    made_at: int
    expires_at: int
    number: int
    paid_msat: int = 0
    paid_ms: int = 0
    settle_index: int = 0
    is_cancelled: bool = False

    @property
    def payment_hash(self) -> str:
        return hashlib.sha256(self.preimage).hexdigest()


@dataclass
class Ledger:
    """A node's invoices. `offset_s` is how far its clock is ahead of everybody's."""

    clock: Clock = field(default_factory=Clock)
    network: Network = Network.REGTEST
    offset_s: int = 0
    entries: list[Entry] = field(default_factory=list)
    says_msat: Callable[[int], int] = lambda amount_msat: amount_msat
    """What it makes of the amount it is asked for."""
    faults: dict[str, deque[NodeFault]] = field(default_factory=lambda: defaultdict(deque))
    """By the name of a call: one a call, in order."""
    asked: list[str] = field(default_factory=list)
    """The name of each call, in order."""
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    settled: int = 0

    @property
    def now_s(self) -> int:
        return self.clock() + self.offset_s

    @property
    def payee(self) -> str:
        """The key that its invoices are signed with."""
        return decode(Ledger(network=self.network).add("", 1_000, "x", 60).text).payee

    def add(
        self,
        label: str,
        amount_msat: int,
        memo: str,
        expiry_s: int,
        preimage: bytes | None = None,
        description_hash: str | None = None,
    ) -> Entry:
        """Make an invoice, whoever asked for it."""
        preimage = preimage or secrets.token_bytes(32)
        asked_msat = self.says_msat(amount_msat)
        text = encode(
            network=self.network,
            amount_msat=asked_msat,
            timestamp=self.now_s,
            payment_hash=hashlib.sha256(preimage).hexdigest(),
            payment_secret="11" * 32,
            secret=NODE_SECRET,
            description=memo if description_hash is None else None,
            description_hash=description_hash,
            expiry_s=expiry_s,
            min_final_cltv=18,
        )
        made = Entry(label, preimage, text, asked_msat, memo, self.now_s, self.now_s + expiry_s, len(self.entries) + 1)
        self.entries.append(made)
        return made

    async def pay(self, text: str, amount_msat: int | None = None) -> None:
        """Pay an invoice as its buyer; raise `Refused` where the node does not take it."""
        invoice = decode(text)
        entry = self.of_hash(invoice.payment_hash)
        if entry is None:
            raise Refused("nobody knows this invoice")
        if entry.settle_index or entry.is_cancelled or self.now_s >= entry.expires_at:
            raise Refused(EXPIRED)
        self.settled += 1
        entry.settle_index = self.settled
        entry.paid_msat = entry.amount_msat if amount_msat is None else amount_msat
        entry.paid_ms = self.now_s * 1_000 + self.settled % 1_000
        async with self.news:
            self.news.notify_all()

    def of_hash(self, payment_hash: str) -> Entry | None:
        return next((one for one in self.entries if one.payment_hash == payment_hash), None)

    def of_label(self, label: str) -> Entry | None:
        return next((one for one in self.entries if one.label == label), None)

    def is_over(self, entry: Entry) -> bool:
        """Whether nobody paid it in time."""
        return not entry.settle_index and self.now_s >= entry.expires_at

    async def settled_after(self, index: int, wait_s: float) -> Entry | None:
        """The first invoice paid after one, waiting for it where there is none yet."""
        try:
            async with asyncio.timeout(wait_s), self.news:
                while self.settled <= index:
                    await self.news.wait()
        except TimeoutError:
            return None
        return min((one for one in self.entries if one.settle_index > index), key=lambda one: one.settle_index)

    def next_fault(self, name: str) -> NodeFault | None:
        """Note a call, and give what goes wrong with it."""
        self.asked.append(name)
        return self.faults[name].popleft() if self.faults[name] else None


type Act = Callable[[Request], Awaitable[Response]]


def faulty(ledger: Ledger, name: str, act: Act, stale: Response | None = None) -> Act:
    """Answer calls of a name with `act`, as the ordered faults have it; `stale` is the answer that has nothing."""

    async def answer(request: Request) -> Response:
        fault = ledger.next_fault(name)
        if fault is NodeFault.FAILS_BEFORE:
            return Response("<html>no upstream</html>", 503)
        if fault is NodeFault.TOO_OFTEN:
            return Response("slow down", 429, headers={"Retry-After": "7"})
        if fault is NodeFault.STALE:
            assert stale is not None, f"{name} does not read"
            return stale
        done = await act(request)
        match fault:
            case None:
                return done
            case NodeFault.HANGS_AFTER:
                await asyncio.sleep(HANG_S)
                return done
            case NodeFault.CUT_AFTER:
                return StreamingResponse(_cut(), done.status_code, headers={"Content-Length": "100000"})
            case NodeFault.FAILS_AFTER:
                return Response("<html>bad gateway</html>", 502)
            case NodeFault.NO_JSON:
                return Response(bytes(done.body)[:-1] or b"{", done.status_code)
            case NodeFault.OTHER_WORDS:
                return JSONResponse({"hello": [7]}, done.status_code)
            case NodeFault.TOO_LONG:
                return Response(b'"' + b"x" * ANSWER_BYTES_MAX + b'"', done.status_code)

    return answer


async def _cut() -> AsyncIterator[bytes]:
    yield b'{"pay'
    raise ConnectionResetError("the line is cut, as it was ordered")


@asynccontextmanager
async def serving(ledger: Ledger, app: Starlette, tls: tuple[Path, Path] | None = None) -> AsyncIterator[str]:
    """Serve a node on a free port of loopback, over TLS with (certificate, key); gives its address."""

    async def dated(scope: dict[str, object], receive: object, send: Callable[..., Awaitable[None]]) -> None:
        async def say(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))  # type: ignore[call-overload]
                message["headers"] = [*headers, (b"date", formatdate(ledger.now_s, usegmt=True).encode())]
            await send(message)

        await app(scope, receive, say)  # type: ignore[arg-type]

    config = uvicorn.Config(
        dated,
        host="127.0.0.1",
        port=0,
        log_config=None,
        log_level="critical",
        lifespan="off",
        date_header=False,
        ws="websockets-sansio",
        ssl_certfile=None if tls is None else tls[0],
        ssl_keyfile=None if tls is None else tls[1],
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn tells nobody else
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}"
    finally:
        server.should_exit = server.force_exit = True
        await task
