"""Checks the door for ecash: what is posted is sealed and decided, and the payer reads what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI

from schemas import limits
from schemas.cashu.faults import TokenFault
from schemas.cashu.tokens import TOKEN_CHARS_MAX, read_token
from schemas.ecash import HandInToken, TokenRefused
from schemas.messages import Command, Event, JournalRecord
from schemas.payments import PaymentPartReceived, PaymentSettled
from schemas.values import Origin, SealedDetails
from services.api.ecash import EcashDoor, add_ecash_route
from services.demo.wallets.ecash_purse import payload
from tests.support.builders import MERCHANT, NOW_MS, a_key
from tests.support.scripted_mint import ScriptedMint

INTENT = "ab" * 32
PATH = f"/ecash/{MERCHANT}/{INTENT}"


class Counter:
    """The door with a decider behind it that says what a test tells it to."""

    def __init__(self, *events: Event, wait_s: float = 5.0) -> None:
        self.events, self.sent, self.sealed = events, list[Command](), list[str]()
        self._queue: asyncio.Queue[JournalRecord] = asyncio.Queue()
        app = FastAPI()
        add_ecash_route(app, EcashDoor(lambda key: key == MERCHANT, self.send, self.records, self.seal, wait_s))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://door")

    def seal(self, merchant: str, intent_id: str, token_id: str, text: str) -> SealedDetails | None:
        self.sealed.append(text)
        return SealedDetails(key_id=f"{intent_id}:{token_id}", box="c2VhbGVk")

    async def send(self, command: Command) -> None:
        self.sent.append(command)
        assert isinstance(command.body, HandInToken)
        for event in self.events:
            if isinstance(event, TokenRefused):
                event = event.model_copy(update={"token_id": command.body.token_id})
            record = JournalRecord(seq=1, covers=1, merchant=MERCHANT, at_ms=NOW_MS, cause="c", events=(event,))
            self._queue.put_nowait(record)

    @asynccontextmanager
    async def records(self, merchant: str) -> AsyncIterator[AsyncIterator[JournalRecord]]:
        async def all_of_it() -> AsyncIterator[JournalRecord]:
            while True:
                yield await self._queue.get()

        yield all_of_it()


def refusal(reason: TokenFault) -> TokenRefused:
    return TokenRefused(order=a_key(), intent_id=INTENT, token_id="00" * 32, reason=reason)


SETTLED = PaymentSettled(order=a_key(), intent_id=INTENT, gross_msat=1, due_msat=1, settled_at=None)
PART = PaymentPartReceived(order=a_key(), intent_id=INTENT, gross_msat=1, due_msat=2)
OTHERS = SETTLED.model_copy(update={"intent_id": "cd" * 32})


@pytest.mark.parametrize(
    ("events", "status", "said"),
    [
        ((OTHERS, SETTLED), 200, {"state": "settled"}),
        ((PART,), 200, {"state": "partial"}),
        ((refusal(TokenFault.SPENT),), 400, {"reason": "spent"}),
        ((), 202, {"state": "received"}),
    ],
)
async def test_a_payer_reads_what_came_of_a_token(events: tuple[Event, ...], status: int, said: dict[str, str]) -> None:
    """Paid, paid in part, refused with the reason, or that the mint has not answered yet."""
    counter, token = Counter(*events, wait_s=0.5 if not events else 5.0), ScriptedMint().token(21)
    answer = await counter.http.post(PATH, content=payload("a", token))
    assert (answer.status_code, answer.json()) == (status, said)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_token_leaves_the_door_in_a_box_alone() -> None:
    """The command has its name; twice the same is one command."""
    counter, token = Counter(SETTLED), ScriptedMint().token(21)
    for _ in range(2):
        await counter.http.post(PATH, content=payload("a", token))
    one, other = counter.sent
    assert (one.id, one.origin) == (other.id, Origin.DOOR)
    assert read_token(counter.sealed[0]) == token
    assert isinstance(one.body, HandInToken)
    assert one.body.token_id == token.digest
    said = one.model_dump_json()
    assert all(proof.secret not in said and proof.signature not in said for proof in token.proofs)


@pytest.mark.parametrize(
    ("path", "content", "status", "reason"),
    [
        (PATH, "", 400, "bad_encoding"),
        (PATH, "{}", 400, "bad_shape"),
        (PATH, "x" * (TOKEN_CHARS_MAX + 1), 413, "too_long"),
        (f"/ecash/{'cd' * 32}/{INTENT}", "{}", 404, "unknown_request"),
        (f"/ecash/{MERCHANT}/xyz", "{}", 404, "unknown_request"),
    ],
)
async def test_what_is_no_token_goes_no_further(path: str, content: str, status: int, reason: str) -> None:
    """Nothing is sealed or decided for it."""
    counter = Counter()
    answer = await counter.http.post(path, content=content)
    assert (answer.status_code, answer.json()) == (status, {"reason": reason})
    assert counter.sent == counter.sealed == []


async def test_one_caller_posts_only_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is told when to come again."""
    counter = Counter()
    monkeypatch.setattr("services.api.strangers.time", SimpleNamespace(monotonic=lambda: 1_000.0))
    answers = [await counter.http.post(PATH, content="{}") for _ in range(limits.ADDRESS_CALLER.most + 1)]
    assert {answer.status_code for answer in answers[:-1]} == {400}
    assert (answers[-1].status_code, answers[-1].json()["reason"]) == (429, "too_many_calls")
    assert int(answers[-1].headers["Retry-After"]) >= 1
