"""Checks the buyers' door: who is let in, what goes on, and what only the buyer can read comes out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from schemas import limits
from schemas.freezes import MerchantFrozen
from schemas.messages import Event as Fact
from schemas.messages import JournalRecord
from schemas.nostr.nip01 import Event, parse_event, to_json
from schemas.nostr.nip59 import Rumor, open_wrap
from schemas.orders import OrderPlaced
from schemas.replies import PaymentOption, PaymentRequestReply, ReplyPromised
from schemas.signing import SignerDenies
from schemas.values import OrderKey
from services.api.answers import Answers
from services.api.service import Door, command_id, make_door
from services.signer.keystore import Keystore
from services.signer.local import LocalSigner
from tests.schemas.nostr import given
from tests.support.builders import NOW_MS, NOW_S, STRANGER, an_event, an_id

SHOP, BUYER = given.MERCHANT, given.BUYER
KEY = OrderKey(merchant=SHOP.public_key, buyer=BUYER.public_key, order_id="1")
INVOICE = "lnbcrt1secret"


def a_record(cause: str, *events: Fact, merchant: str = SHOP.public_key) -> JournalRecord:
    """What the decider wrote."""
    return JournalRecord(seq=1, covers=1, merchant=merchant, at_ms=NOW_MS, cause=cause, events=events)


PLACED = OrderPlaced(order=KEY, revision=1, dialect="gamma", rumor_id=an_id("rumor"), lines=())
PROMISED = ReplyPromised(
    order=KEY,
    number=1,
    dialect="gamma",
    answers=an_id("rumor"),
    at_s=NOW_S,
    reply=PaymentRequestReply(
        amount_sats=20, options=(PaymentOption(medium="lightning", text=INVOICE),), expires_at=NOW_S + 900, text="Pay."
    ),
)


class Shop:
    """Everything behind the door: Kafka, the decider, and a signer that can deny."""

    def __init__(self, folder: Path, wait_s: float = 5.0) -> None:
        keystore = Keystore(folder / "keys", folder / "passphrase")
        keystore.add(SHOP)
        self.signer = LocalSigner(keystore)
        self.answers = Answers(folder / "service.db")
        self.raw: list[tuple[str, bytes]] = []
        self.journal: tuple[tuple[Fact, ...], ...] = ((PLACED,), (PROMISED,))
        self.is_frozen = self.denies = False
        self.door = Door(
            lambda key: key == SHOP.public_key, self.frozen, self, self.records, self, self.answers, wait_s
        )
        self._queues: list[asyncio.Queue[JournalRecord]] = []
        transport = httpx.ASGITransport(app=make_door(self.door))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://door")

    async def frozen(self, merchant: str) -> bool:
        """Whether the shop's effects wait."""
        return self.is_frozen

    async def put_raw(self, key_hex: str, text: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        """Take a message in, and decide it at once."""
        assert dict(headers)["received_ms"].isdigit()
        self.raw.append((key_hex, text))
        cause = command_id(key_hex, SHOP.public_key)
        other = a_record("other", PLACED, PROMISED.model_copy(update={"answers": an_id("x")}))
        records = [a_record(cause, *events) for events in self.journal]
        for record in (other, *records):
            for queue in self._queues:
                queue.put_nowait(record)

    @asynccontextmanager
    async def records(self, merchant: str) -> AsyncIterator[AsyncIterator[JournalRecord]]:
        """The journal from now on."""
        queue: asyncio.Queue[JournalRecord] = asyncio.Queue()
        self._queues.append(queue)

        async def all_of_it() -> AsyncIterator[JournalRecord]:
            while True:
                yield await queue.get()

        yield all_of_it()

    def seal_and_wrap(self, rumor: Rumor, recipient: str, effect_id: str) -> Event:
        """As the signer does, unless it is locked."""
        if self.denies:
            raise SignerDenies("locked for the night")
        return self.signer.seal_and_wrap(rumor, recipient, effect_id)

    async def post(self, text: str | bytes) -> httpx.Response:
        """Hand something in."""
        return await self.http.post("/orders", content=text)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop that answers an order with an invoice."""
    made = Shop(tmp_path)
    yield made
    made.answers.close()


def an_order(n: int = 1) -> str:
    """A buyer's order in its wrap; each number another one."""
    return to_json(given.a_wrap(json.dumps(given.a_seal(f"order {n}"))))


async def test_a_sealed_order_is_answered_in_one_call_for_the_buyers_eyes_only(shop: Shop) -> None:
    """It goes into the raw log as it came; the answer is the publisher's own wrap."""
    order = an_order()
    answer = await shop.post(order)

    assert answer.status_code == 200
    assert [text for _, text in shop.raw] == [order.encode()]
    assert INVOICE not in answer.text
    opened = open_wrap(parse_event(answer.content), BUYER)
    assert ("payment", "lightning", INVOICE) in opened.rumor.tags
    assert opened.sender == SHOP.public_key


@pytest.mark.req("PAY-04")
async def test_the_same_message_has_one_order_and_one_answer(shop: Shop, tmp_path: Path) -> None:
    """Twice at once, again later, and after a restart; it is taken in once."""
    order = an_order()
    first, second = await asyncio.gather(shop.post(order), shop.post(order))
    third = await shop.post(order)
    restarted = Shop(tmp_path)

    assert {first.content, second.content, third.content, (await restarted.post(order)).content} == {first.content}
    assert (len(shop.raw), len(restarted.raw)) == (1, 0)
    restarted.answers.close()


async def test_an_answer_that_does_not_come_in_time_comes_over_relays(tmp_path: Path) -> None:
    """The call says so; nothing is kept, so that it may be asked again."""
    shop = Shop(tmp_path, wait_s=0.05)
    shop.journal = ((PLACED,),)
    late = await shop.post(an_order())
    assert (late.status_code, late.json()) == (202, {"answered": "later"})

    shop.journal = ((PLACED,), (PROMISED,))
    assert (await shop.post(an_order())).status_code == 200
    shop.answers.close()


async def test_a_frozen_shop_answers_nothing(shop: Shop) -> None:
    """Frozen before, the message waits elsewhere; frozen meanwhile, its answer does."""
    shop.is_frozen = True
    assert (await shop.post(an_order(1))).status_code == 202
    assert shop.raw == []

    shop.is_frozen = False
    shop.journal = ((PLACED,), (MerchantFrozen(code="I2", reason="x", cause="x"),), (PROMISED,))
    assert (await shop.post(an_order(2))).status_code == 202


async def test_a_signer_that_denies_leaves_the_answer_to_the_publisher(shop: Shop) -> None:
    """Which waits for it."""
    shop.denies = True

    assert (await shop.post(an_order())).status_code == 202


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("not json", 400, "bad_json"),
        ("{}", 400, "bad_shape"),
        (b"x" * (limits.EVENT.most + 1), 400, "too_big"),
        (to_json(an_event(1)), 400, "not_a_wrap"),
        (to_json(an_event(1059, ("p", STRANGER))), 404, "wrong_recipient"),
        (to_json(an_event(1059)), 404, "wrong_recipient"),
        (to_json(an_event(1059, ("p", SHOP.public_key))), 400, "bad_sig"),
    ],
)
async def test_what_is_no_wrapped_message_to_a_shop_here_is_refused_with_its_code(
    shop: Shop, text: str | bytes, status: int, reason: str
) -> None:
    """And goes nowhere."""
    answer = await shop.post(text)

    assert (answer.status_code, answer.json()) == (status, {"reason": reason})
    assert shop.raw == []


async def test_so_many_messages_a_minute_are_taken_in_for_one_shop(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is told to wait; what was answered before is answered again all the same."""
    monkeypatch.setattr(limits, "DOOR_MESSAGES", limits.Limit("x", 3, "x", "x", "x"))
    answers = [await shop.post(an_order(n)) for n in range(4)]

    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert answers[3].json() == {"reason": "too_many_messages"}
    assert int(answers[3].headers["Retry-After"]) >= 1
    assert (await shop.post(an_order(0))).status_code == 200


async def test_so_many_callers_wait_at_once_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A door full of waiting callers would hold up the operator's own."""
    monkeypatch.setattr(limits, "DOOR_WAITING", limits.Limit("x", 2, "x", "x", "x"))
    shop = Shop(tmp_path, wait_s=0.3)
    shop.journal = ()

    answers = await asyncio.gather(*(shop.post(an_order(n)) for n in range(3)))

    assert sorted(one.status_code for one in answers) == [202, 202, 429]
    shop.answers.close()


async def test_the_door_has_nothing_else(shop: Shop) -> None:
    """No documents, no lists, nothing of an operator's."""
    assert (await shop.http.get("/health")).json() == {"ok": True}
    for path in ("/merchants", "/orders", "/openapi.json", "/docs", "/sql"):
        assert (await shop.http.get(path)).status_code in (404, 405)


async def test_the_link_of_the_operators_application_leads_to_how_an_order_is_handed_in(shop: Shop) -> None:
    """It opens for any entity of Nostr's and for nothing else, and tells nothing about anybody (NIP-89)."""
    opened = await shop.http.get("/open/naddr1qqxnzd3cxyerxd3h8qerwwfc")

    assert (opened.status_code, opened.json()["orders"]) == (200, "/orders")
    for odd in ("naddr", "nsec1qqxnzd3cxyerxd3h8qerwwfc", "naddr1<script>", "naddr1" + "q" * 3_000):
        assert (await shop.http.get(f"/open/{odd}")).status_code == 404
    assert shop.raw == []
