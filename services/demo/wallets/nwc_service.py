"""A small wallet service that speaks NIP-47 over a real relay; its money is a simulated wallet's.

It keeps to the NIP's text, and does wrong only what its owner, a test, tells it to by `faults`.
"""

import asyncio
import hashlib
import json
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import UnsignedEvent, sign_event, to_json
from schemas.nostr.nip47 import Encryption, MessageRefused, decrypt, encrypt
from schemas.nostr.secp256k1 import SecretKey
from schemas.payments import BackendState, Method
from services.payments.port import BackendRef, Intent, reference
from services.payments.simulated import SimulatedWallet
from services.relays import Publisher, RawSighting, RelayPool, Subscription
from services.relays.reports import Completion

TIMEOUT_S = 20.0
METHODS = ("make_invoice", "lookup_invoice", "list_transactions", "get_info")
STATES = {
    BackendState.OPEN: "pending",
    BackendState.SETTLED: "settled",
    BackendState.EXPIRED: "expired",
}


class Fault(StrEnum):
    """What goes wrong with one request."""

    UNHEARD = "unheard"  # it never reaches the wallet
    UNANSWERED = "unanswered"  # it is carried out, and nobody hears of it
    FAILS_AFTER = "fails_after"  # it is carried out, and an error is said
    STALE = "stale"  # the answer is that of before the newest invoice, or of before any payment
    CUTS_SATS = "cuts_sats"  # the invoice is made for whole sats
    SLOW = "slow"  # it is carried out after the client has given up
    GARBLED = "garbled"  # the answer is no message


@dataclass
class Entry:
    """An invoice in the wallet's list."""

    payment_hash: str
    text: str
    amount_msat: int
    description: str
    description_hash: str | None
    created_at: int
    expires_at: int
    metadata: dict[str, Any]
    preimage: str | None = None


def _is_meant(entry: Entry, params: dict[str, Any]) -> bool:
    return entry.payment_hash == params.get("payment_hash") or entry.text == params.get("invoice")


@dataclass
class NwcService:
    """One connection of one wallet; `async with` serves it."""

    relay: str
    wallet: SimulatedWallet
    merchant: str
    clock: Callable[[], int]
    encryptions: str | None = "nip44_v2 nip04"
    methods: tuple[str, ...] = METHODS
    notifies: bool = True
    keeps_metadata: bool = True
    page_max: int = 50
    slow_s: float = 1.0
    entries: list[Entry] = field(default_factory=list)
    faults: dict[str, deque[Fault | str]] = field(default_factory=lambda: defaultdict(deque))
    """By method: a fault, or an error code that is said instead of doing anything; one a request, in order."""
    asked: list[str] = field(default_factory=list)
    key: SecretKey = field(default_factory=lambda: SecretKey(secrets.token_bytes(32)))
    client: SecretKey = field(default_factory=lambda: SecretKey(secrets.token_bytes(32)))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _relays: Publisher = field(init=False)
    _pool: RelayPool = field(init=False)
    _spoken: Encryption = Encryption.NIP44

    @property
    def uri(self) -> str:
        """The connection as a person pastes it."""
        return f"nostr+walletconnect://{self.key.public_key}?relay={self.relay}&secret={self.client.reveal().hex()}"

    async def __aenter__(self) -> Self:
        self._relays = Publisher(is_trusted=lambda _: True)
        self._pool = RelayPool(self._hear, is_trusted=lambda _: True, on_complete=self._begin)
        tags = [] if self.encryptions is None else [("encryption", self.encryptions)]
        if self.notifies:
            tags.append(("notifications", "payment_received payment_sent"))
        await self._publish(Kind.WALLET_INFO, tuple(tags), " ".join(self.methods))
        wanted = {"kinds": [int(Kind.WALLET_REQUEST)], "#p": [self.key.public_key], "since": int(time.time()) - 5}
        self._pool.want({self.relay: (Subscription("requests", (wanted,)),)})
        await asyncio.wait_for(self._ready.wait(), TIMEOUT_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pool.close()
        await self._relays.close()

    async def _begin(self, _: Completion) -> None:
        self._ready.set()

    async def pay(self, text: str, *, is_told: bool = True) -> str:
        """Pay an invoice as its buyer and give the preimage, hex; the wallet notifies its client, unless not."""
        preimage = await self.wallet.pay(text)
        entry = next(one for one in self.entries if one.text == text)
        entry.preimage = preimage.hex()
        if self.notifies and is_told:
            said = {"notification_type": "payment_received", "notification": await self._said(entry)}
            kind = Kind.WALLET_NOTIFICATION if self._spoken is Encryption.NIP44 else Kind.WALLET_NOTIFICATION_NIP04
            await self._say(kind, (), said, self._spoken)
        return entry.preimage

    def forget(self, payment_hash: str) -> None:
        """Lose an invoice, as a wallet restored from an old backup."""
        self.entries = [one for one in self.entries if one.payment_hash != payment_hash]

    async def _hear(self, sighting: RawSighting) -> None:
        self._keep(self._handle(json.loads(sighting.text)))

    def _keep(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, event: dict[str, Any]) -> None:
        tags = {tag[0]: tag[1] for tag in event["tags"]}
        spoken = Encryption(tags.get("encryption", "nip04"))
        if event["pubkey"] != self.client.public_key or int(tags.get("expiration", 2**40)) < time.time():
            return
        try:
            request = json.loads(decrypt(event["content"], self.key, self.client.public_key, spoken))
        except MessageRefused:
            return
        self._spoken = spoken
        method, params = request["method"], request["params"]
        self.asked.append(method)
        fault = self.faults[method].popleft() if self.faults[method] else None
        if fault is Fault.UNHEARD:
            return
        if fault is Fault.SLOW:
            await asyncio.sleep(self.slow_s)
        said: dict[str, Any] = {"result_type": method, "error": None, "result": None}
        if isinstance(fault, str) and not isinstance(fault, Fault):
            said["error"] = {"code": fault, "message": "as it was told"}
        else:
            said |= await self._carry_out(method, params, fault)
        if fault in (Fault.UNANSWERED, Fault.SLOW):
            return
        if fault is Fault.FAILS_AFTER:
            said |= {"result": None, "error": {"code": "INTERNAL", "message": "something broke"}}
        if fault is Fault.GARBLED:
            said = {"hello": "world"}
        await self._say(Kind.WALLET_RESPONSE, (("e", event["id"]),), said, spoken)

    async def _carry_out(self, method: str, params: dict[str, Any], fault: Fault | str | None) -> dict[str, Any]:
        match method:
            case "make_invoice":
                return {"result": await self._make(params, fault)}
            case "lookup_invoice":
                entry = next((one for one in self.entries if _is_meant(one, params)), None)
                if entry is None:
                    return {"error": {"code": "NOT_FOUND", "message": "there is none"}}
                said = await self._said(entry)
                if fault is Fault.STALE:
                    said |= {"state": "pending", "settled_at": None}
                return {"result": said}
            case "list_transactions":
                return {"result": {"transactions": await self._list(params, fault)}}
            case "get_info":
                info = {
                    "alias": "small wallet",
                    "pubkey": self.wallet.payee,
                    "network": "regtest",
                    "methods": self.methods,
                }
                return {"result": info}
            case _:
                return {"error": {"code": "NOT_IMPLEMENTED", "message": "unknown"}}

    async def _make(self, params: dict[str, Any], fault: Fault | str | None) -> dict[str, Any]:
        name = hashlib.sha256(f"{self.key.public_key}:{len(self.entries)}:{secrets.token_hex(8)}".encode()).hexdigest()
        amount_msat = params["amount"] // 1000 * 1000 if fault is Fault.CUTS_SATS else params["amount"]
        intent = Intent(
            intent_id=name,
            reference=reference(name),
            amount_msat=amount_msat,
            memo=params.get("description", ""),
            expires_at=self.clock() + params.get("expiry", 3600),
            method=Method.BOLT11,
            description_hash=params.get("description_hash"),
        )
        made = await self.wallet.account(self.merchant).ensure(intent, timeout_s=TIMEOUT_S)
        assert made.payment_hash is not None
        entry = Entry(
            payment_hash=made.payment_hash,
            text=made.text,
            amount_msat=amount_msat,
            description=intent.memo,
            description_hash=intent.description_hash,
            created_at=self.clock(),
            expires_at=made.expires_at,
            metadata=params.get("metadata", {}) if self.keeps_metadata else {},
        )
        self.entries.append(entry)
        return await self._said(entry)

    async def _list(self, params: dict[str, Any], fault: Fault | str | None) -> list[dict[str, Any]]:
        entries = self.entries[:-1] if fault is Fault.STALE else self.entries
        until = params.get("until", 2**40)
        newest_first = [one for one in reversed(entries) if params.get("from", 0) <= one.created_at <= until]
        said = [await self._said(one) for one in newest_first]
        if not params.get("unpaid"):
            said = [one for one in said if one["state"] == "settled"]
        offset = params.get("offset", 0)
        return said[offset : offset + min(params.get("limit", self.page_max), self.page_max)]

    async def _said(self, entry: Entry) -> dict[str, Any]:
        ref = BackendRef(entry.payment_hash)
        seen = await self.wallet.account(self.merchant).lookup(ref, timeout_s=TIMEOUT_S)
        return {
            "type": "incoming",
            "state": STATES[seen.state],
            "invoice": entry.text,
            "description": entry.description,
            "description_hash": entry.description_hash,
            "preimage": entry.preimage,
            "payment_hash": entry.payment_hash,
            "amount": entry.amount_msat,
            "fees_paid": 0,
            "created_at": entry.created_at,
            "expires_at": entry.expires_at,
            "settled_at": seen.settled_at,
            "metadata": entry.metadata,
        }

    async def _say(
        self, kind: Kind, tags: tuple[tuple[str, str], ...], said: dict[str, Any], spoken: Encryption
    ) -> None:
        client = self.client.public_key
        content = encrypt(json.dumps(said), self.key, client, spoken, secrets.token_bytes(32))
        await self._publish(kind, (("p", client), *tags), content)

    async def _publish(self, kind: Kind, tags: tuple[tuple[str, str], ...], content: str) -> None:
        unsigned = UnsignedEvent(
            pubkey=self.key.public_key, created_at=int(time.time()), kind=int(kind), tags=tags, content=content
        )
        event = sign_event(unsigned, self.key)
        await self._relays.publish(self.relay, event.id, to_json(event), TIMEOUT_S)
