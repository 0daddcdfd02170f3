"""The inbox over HTTP: who waits, one conversation with its texts opened, an answer, and erasure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from schemas import limits
from schemas.catalogue import RecordListing
from schemas.dialects.contract import PersonalDetails
from schemas.inbox import AnswerPromised, MessageReceived, ReceiveMessage, conversation_ref
from schemas.messages import Command, JournalRecord
from schemas.rows import MessageRow, OrderRow
from schemas.values import Actor
from services.api.app import Services, make_app
from services.api.inbox import Answer
from services.metrics.query_server import answer
from services.metrics.store import Store
from services.metrics.writer import MetricsWriter
from services.vault import Vault
from tests.services.metrics.conftest import store, writer  # noqa: F401  the fixtures of a real ClickHouse engine
from tests.services.metrics.scenes import only, state_rows
from tests.support.builders import BUYER, MERCHANT, NOW_MS, NOW_S, OTHER_MERCHANT, a_key, a_listing, an_id, an_order
from tests.support.story import Story, given


@pytest.mark.parametrize("text", ["", " \n", "x" * (limits.ANSWER_TEXT.most + 1), "\ud800"])
def test_an_answer_has_words_and_not_too_many(text: str) -> None:
    """Blanks are no words, and what cannot be wrapped is not sealed either."""
    assert Answer(text="x" * limits.ANSWER_TEXT.most).text
    with pytest.raises(ValidationError):
        Answer(text=text)


class Office:
    """A shop whose decisions are made here, its tables in a real engine, and the API over both."""

    def __init__(self, store: Store, writer: MetricsWriter, vault: Vault) -> None:  # noqa: F811
        self.story, self.vault = given(RecordListing(listing=a_listing()), an_order()), vault
        self._store, self._writer = store, writer
        app = make_app(
            Services(
                token="t",
                desk=self,
                queries=self,
                merchants=None,
                put_merchant=lambda _merchant: None,
                personal=vault.of_order,
                replayer=None,
                is_signer_for=lambda _key: True,
                letters=vault,
                seal=lambda *_: None,
                signer=None,
                lint=None,
                raw=None,
            )
        )
        transport = httpx.ASGITransport(app=app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://api", headers={"Authorization": "Bearer t"})

    def write(self, text: str, rumor: str, at_s: int = NOW_S, *, order: bool = False) -> None:
        """The buyer writes to the shop."""
        sealed = self.vault.seal(MERCHANT, conversation_ref(MERCHANT, BUYER), an_id(rumor), PersonalDetails(note=text))
        refs = (a_key().ref,) if order else ()
        self.story.when(
            ReceiveMessage(
                buyer=BUYER, author=Actor.BUYER, rumor_id=an_id(rumor), said_s=at_s, text=sealed, order_refs=refs
            )
        )
        self.story.one(MessageReceived)

    async def ask(self, command: Command) -> JournalRecord | None:
        """Decided at once."""
        before = len(self.story.journal)
        self.story.when(command)
        return self.story.journal[-1] if len(self.story.journal) > before else None

    async def rows(self, sql: str, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """What the tables say by now, through the gate."""
        written(self._writer, self.story)
        found: list[dict[str, Any]] = answer(self._store, sql, params or {}).dicts()
        return found


def written(writer: MetricsWriter, story: Story) -> None:  # noqa: F811
    """The rows that the inbox is read from."""
    rows = state_rows(story.journal)
    writer.write_orders(only(OrderRow, rows))
    writer.write_messages(only(MessageRow, rows))


@pytest.fixture
async def office(store: Store, writer: MetricsWriter, tmp_path: Path) -> AsyncIterator[Office]:  # noqa: F811
    """One shop with one order of one buyer."""
    vault = Vault(tmp_path / "vault.db")
    made = Office(store, writer, vault)
    yield made
    await made.http.aclose()
    vault.close()


@pytest.mark.real
async def test_a_conversation_is_listed_opened_answered_and_erased(office: Office) -> None:
    """From the buyer's question about an order to the answer in the thread; a repeated request is one answer."""
    office.write("When will it ship?", "question", order=True)
    (row,) = (await office.http.get("/inbox")).json()
    assert (row["buyer"], row["messages"], row["waits"], row["order_id"]) == (BUYER, 1, True, "order-1")

    for _ in range(2):
        reply = await office.http.post(f"/inbox/{BUYER[:8]}?request=r1", json={"text": "Tomorrow.", "order": "order-1"})
        assert reply.status_code == 200, reply.text
    promised = [e for record in office.story.journal for e in record.events if isinstance(e, AnswerPromised)]
    assert [(one.order, one.answers) for one in promised] == [(a_key(), an_id("question"))]
    assert "Tomorrow" not in promised[0].model_dump_json()

    shown = (await office.http.get(f"/inbox/{BUYER[:8]}")).json()
    assert [(m["author"], m["text"], m["order_id"]) for m in shown["messages"]] == [
        ("buyer", "When will it ship?", "order-1"),
        ("merchant", "Tomorrow.", "order-1"),
    ]
    assert [one["waits"] for one in (await office.http.get("/inbox")).json()] == [False]

    assert (await office.http.delete(f"/inbox/{BUYER[:8]}")).json() == {"erased": 2}
    erased = (await office.http.get(f"/inbox/{BUYER[:8]}")).json()
    assert [message["text"] for message in erased["messages"]] == [None, None]


@pytest.mark.real
async def test_whoever_ordered_may_be_written_to_and_a_mistake_is_a_sentence(office: Office) -> None:
    """A buyer who never wrote; an order that is not theirs; nobody at all; another shop's."""
    assert (await office.http.post(f"/inbox/{BUYER}", json={"text": "Your parcel is late, sorry."})).status_code == 200

    no_order = await office.http.post(f"/inbox/{BUYER}", json={"text": "x", "order": "order-9"})
    nobody = await office.http.get("/inbox/ffff")
    elsewhere = await office.http.get(f"/inbox/{BUYER}", params={"merchant": OTHER_MERCHANT})

    assert [answer.status_code for answer in (no_order, nobody, elsewhere)] == [404, 404, 404]
    assert "no order order-9" in no_order.json()["detail"]
    assert "nobody whose key begins with ffff" in nobody.json()["detail"]


@pytest.mark.real
async def test_the_inbox_needs_the_token(office: Office) -> None:
    """Every route of it."""
    bare = {"Authorization": ""}

    for method, path in (("GET", "/inbox"), ("GET", "/inbox/b1"), ("POST", "/inbox/b1"), ("DELETE", "/inbox/b1")):
        assert (await office.http.request(method, path, headers=bare)).status_code == 401
    assert office.story.journal[-1].at_ms == NOW_MS
