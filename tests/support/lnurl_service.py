"""A server on loopback that makes and watches invoices for a lightning address; its money is a simulated wallet's.

It keeps to LUD-06, LUD-16 and LUD-21, and does wrong only what a test tells it to by `faults`.
"""

import asyncio
import hashlib
import json
import secrets
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from schemas.payments import BackendState, Method
from services.payments.port import BackendRef, Intent, reference
from services.payments.simulated import SimulatedWallet

TIMEOUT_S = 20.0
NAME = "shop"


class Fault(StrEnum):
    """What goes wrong with one request."""

    UNANSWERED = "unanswered"  # it is carried out, and the line is cut
    FAILS_AFTER = "fails_after"  # it is carried out, and 500 is said
    SAYS_NO = "says_no"  # `status: ERROR`
    TOO_OFTEN = "too_often"  # 429
    NOT_FOUND = "not_found"  # 404
    NONSENSE = "nonsense"  # 200 and a page for people
    OTHER_AMOUNT = "other_amount"  # the invoice asks for one sat more
    OTHER_METADATA = "other_metadata"  # the invoice commits to another description
    SAME_AGAIN = "same_again"  # the invoice of the request before
    STALE = "stale"  # not settled, whatever happened
    OTHER_INVOICE = "other_invoice"  # the state of another invoice
    WRONG_PREIMAGE = "wrong_preimage"  # settled, with a preimage of nothing


@dataclass
class LnurlService:
    """One address at a server of its own; `async with` serves it."""

    wallet: SimulatedWallet
    merchant: str
    clock: Callable[[], int]
    life_s: int = 600
    tells_state: bool = True
    comment_chars: int = 200
    min_msat: int = 1
    max_msat: int = 10**12
    text: str = "A shop"
    """What it says of itself."""
    makes_at: str = "127.0.0.1"
    """The host that its invoices are made at, which is always itself."""
    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    """By `terms`, `callback` and `verify`: one a request, in order."""
    asked: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    made: list[tuple[str, str]] = field(default_factory=list)
    """Payment hash and text of every invoice, in their order."""
    _preimages: dict[str, str] = field(default_factory=dict)
    _server: asyncio.Server | None = None

    @property
    def netloc(self) -> str:
        """Host and port."""
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def address(self) -> str:
        """The address that is paid to."""
        return f"{NAME}@{self.netloc}"

    @property
    def metadata(self) -> str:
        """What invoices commit to."""
        return json.dumps([["text/plain", self.text], ["text/identifier", self.address]])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def pay(self, text: str) -> None:
        """Pay an invoice as its buyer."""
        preimage = await self.wallet.pay(text)
        self._preimages[hashlib.sha256(preimage).hexdigest()] = preimage.hex()

    def forget(self, payment_hash: str) -> None:
        """Lose an invoice."""
        self.made = [one for one in self.made if one[0] != payment_hash]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        status, body = await self._answer(head.split(b" ")[1].decode())
        if status:
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            writer.write(
                f"HTTP/1.1 {status} X\r\nRetry-After: 7\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text
            )
            await writer.drain()
        writer.close()

    async def _answer(self, target: str) -> tuple[int, Any]:
        parts = urlsplit(target)
        step = {"/.well-known/lnurlp/shop": "terms", "/pay": "callback"}.get(parts.path, "verify")
        self.asked.append(step)
        fault = self.faults[step].popleft() if self.faults[step] else None
        match fault:
            case Fault.SAYS_NO:
                return 200, {"status": "ERROR", "reason": "as the test says"}
            case Fault.TOO_OFTEN:
                return 429, b""
            case Fault.NOT_FOUND:
                return 404, b"nothing here"
            case Fault.NONSENSE:
                return 200, b"<html>hello</html>"
            case _:
                pass
        if step == "terms":
            answer = self._terms()
        elif step == "callback":
            answer = await self._make({key: values[0] for key, values in parse_qs(parts.query).items()}, fault)
        else:
            answer = await self._state(parts.path.rpartition("/")[2], fault)
        if fault is Fault.UNANSWERED:
            return 0, b""
        return (500, b"") if fault is Fault.FAILS_AFTER else (200, answer)

    def _terms(self) -> dict[str, Any]:
        return {
            "tag": "payRequest",
            "callback": f"http://{self.makes_at}:{self.netloc.partition(':')[2]}/pay?for=shop",
            "minSendable": self.min_msat,
            "maxSendable": self.max_msat,
            "metadata": self.metadata,
            "commentAllowed": self.comment_chars,
        }

    async def _make(self, query: dict[str, str], fault: Fault | None) -> dict[str, Any]:
        self.comments.append(query.get("comment", ""))
        assert query["for"] == "shop"
        if fault is not Fault.SAME_AGAIN:
            name = secrets.token_hex(32)
            words = "something else" if fault is Fault.OTHER_METADATA else self.metadata
            intent = Intent(
                intent_id=name,
                reference=reference(name),
                amount_msat=int(query["amount"]) + (1_000 if fault is Fault.OTHER_AMOUNT else 0),
                memo="",
                expires_at=self.clock() + self.life_s,
                method=Method.BOLT11,
                description_hash=hashlib.sha256(words.encode()).hexdigest(),
            )
            made = await self.wallet.account(self.merchant).ensure(intent, timeout_s=TIMEOUT_S)
            self.made.append((str(made.payment_hash), made.text))
        payment_hash, text = self.made[-1]
        verify = {"verify": f"http://{self.netloc}/verify/{payment_hash}"} if self.tells_state else {}
        return {"pr": text, "routes": [], **verify}

    async def _state(self, payment_hash: str, fault: Fault | None) -> dict[str, Any]:
        if fault is Fault.OTHER_INVOICE:
            payment_hash = next(one for one, _ in self.made if one != payment_hash)
        text = dict(self.made).get(payment_hash)
        if text is None:
            return {"status": "ERROR", "reason": "Not found"}
        seen = await self.wallet.account(self.merchant).lookup(BackendRef(payment_hash), timeout_s=TIMEOUT_S)
        settled = seen.state is BackendState.SETTLED and fault is not Fault.STALE
        preimage = self._preimages.get(payment_hash) if settled else None
        if fault is Fault.WRONG_PREIMAGE:
            settled, preimage = True, "00" * 32
        return {"status": "OK", "settled": settled, "preimage": preimage, "pr": text}
