"""The inbox over HTTP: who wrote, one conversation with its texts opened, an answer, and erasure (MSG-05)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Protocol

from fastapi import FastAPI, HTTPException, status
from pydantic import BaseModel, Field

from schemas import limits
from schemas.dialects.contract import PersonalDetails
from schemas.inbox import AnswerMessage, conversation_ref
from schemas.messages import CommandBody
from schemas.values import SealedDetails

Decide = Callable[[str, CommandBody, str | None], Awaitable[dict[str, Any]]]
Rows = Callable[..., Awaitable[list[dict[str, Any]]]]
CONVERSATIONS_MAX = 1_000
MESSAGES_MAX = 500
"""The newest messages of a conversation that are shown at once."""

_CONVERSATION = """
SELECT DISTINCT merchant, buyer FROM
(SELECT merchant, buyer FROM messages UNION ALL SELECT merchant, buyer FROM orders)
WHERE startsWith(buyer, {buyer:String}) AND startsWith(merchant, {merchant:String}) ORDER BY merchant, buyer LIMIT 2
"""
_MESSAGES = """
SELECT m.name AS name, m.author AS author, m.kind AS kind, m.is_answer AS is_answer, m.is_room AS is_room,
       m.deleted AS deleted, m.answers AS answers, m.said_at AS said_at, o.order_id AS order_id, d.state AS state
FROM (SELECT * FROM messages_now WHERE merchant = {merchant:String} AND buyer = {buyer:String}
      ORDER BY said_at DESC, name LIMIT {limit:UInt32}) AS m
LEFT JOIN (SELECT ref, order_id FROM orders_now WHERE merchant = {merchant:String} AND buyer = {buyer:String}) AS o
  ON o.ref = m.order_ref
LEFT JOIN (SELECT effect_id, argMax(state, at) AS state FROM deliveries
           WHERE merchant = {merchant:String} AND startsWith(effect_id, {answers:String}) GROUP BY effect_id) AS d
  ON d.effect_id = concat({answers:String}, m.name)
ORDER BY said_at, name
"""
_ORDER = """
SELECT order_id FROM orders_now WHERE merchant = {merchant:String} AND buyer = {buyer:String}
AND (order_id = {order:String} OR startsWith(ref, {order:String})) ORDER BY order_id = {order:String} DESC LIMIT 2
"""


class Letters(Protocol):
    """Where texts are sealed and opened (`services.vault`)."""

    def seal(self, merchant: str, order_ref: str, rumor_id: str, details: PersonalDetails) -> SealedDetails | None:
        """A text under a key of its own; None where it was erased."""

    def of_conversation(self, merchant: str, conversation: str) -> dict[str, PersonalDetails]:
        """Every text that was not erased, by the first 16 digits of its message's name."""

    def erase_conversation(self, merchant: str, conversation: str) -> int:
        """Destroy the keys of all texts so far; gives how many."""


class Answer(BaseModel):
    """What to answer, and about which of the buyer's orders (its id, or the first digits of its reference)."""

    text: str = Field(min_length=limits.ANSWER_TEXT.least, max_length=limits.ANSWER_TEXT.most, pattern=r"\S")
    order: str | None = Field(default=None, min_length=1, max_length=limits.ORDER_ID.most)


def add_routes(app: FastAPI, guarded: Sequence[Any], decide: Decide, rows: Rows, letters: Letters) -> None:
    """`GET /inbox`, and `GET`, `POST` and `DELETE` of one conversation; `buyer` is a key or how it begins."""

    async def find(buyer: str, merchant: str) -> dict[str, str]:
        found = await rows(_CONVERSATION, {"buyer": buyer, "merchant": merchant})
        if not found:
            raise HTTPException(
                status.HTTP_404_NOT_FOUND,
                f"nobody whose key begins with {buyer[:64]} wrote or ordered: see `ncc inbox`",
            )
        if len(found) > 1:
            raise HTTPException(
                status.HTTP_409_CONFLICT,
                f"several conversations match {buyer[:64]}: give more of the key, or --merchant",
            )
        return {"merchant": str(found[0]["merchant"]), "buyer": str(found[0]["buyer"])}

    async def messages(parties: dict[str, str]) -> list[dict[str, Any]]:
        conversation = conversation_ref(**parties)
        return await rows(_MESSAGES, {**parties, "limit": MESSAGES_MAX, "answers": f"answer:{conversation}:"})

    @app.get("/inbox", dependencies=guarded)
    async def list_conversations(
        limit: Annotated[int, Field(ge=1, le=CONVERSATIONS_MAX)] = 50, merchant: str = ""
    ) -> list[dict[str, Any]]:
        return await rows(
            "SELECT i.merchant AS merchant, i.buyer AS buyer, i.messages AS messages, i.waits AS waits,"
            " i.last_at AS last_at, o.order_id AS order_id FROM inbox_now AS i"
            " LEFT JOIN (SELECT ref, order_id FROM orders_now) AS o ON o.ref = i.order_ref"
            " WHERE startsWith(i.merchant, {merchant:String})"
            " ORDER BY waits DESC, last_at DESC LIMIT {limit:UInt32}",
            {"limit": limit, "merchant": merchant},
        )

    @app.get("/inbox/{buyer}", dependencies=guarded)
    async def show_conversation(buyer: str, merchant: str = "") -> dict[str, Any]:
        parties = await find(buyer, merchant)
        texts = letters.of_conversation(parties["merchant"], conversation_ref(**parties))
        shown: list[dict[str, Any]] = []
        for row in await messages(parties):
            words = texts.get(row["name"][:16])
            shown.append({**row, "text": words and words.note, "subject": words and words.subject})
        return {**parties, "messages": shown}

    @app.post("/inbox/{buyer}", dependencies=guarded)
    async def answer(buyer: str, wish: Answer, merchant: str = "", request: str | None = None) -> dict[str, Any]:
        parties = await find(buyer, merchant)
        order_id = None
        if wish.order is not None:
            found = await rows(_ORDER, {**parties, "order": wish.order})
            if not found:
                raise HTTPException(
                    status.HTTP_404_NOT_FOUND, f"this buyer has no order {wish.order}: see `ncc orders`"
                )
            order_id = str(found[0]["order_id"])
            if len(found) > 1 and order_id != wish.order:
                raise HTTPException(
                    status.HTTP_409_CONFLICT, f"several orders match {wish.order}: give more of its reference"
                )
        theirs = [row for row in await messages(parties) if row["author"] == "buyer" and not row["deleted"]]
        conversation = conversation_ref(**parties)
        wanted = request or secrets.token_hex(16)
        name = hashlib.sha256(f"answer:{conversation}:{wanted}".encode()).hexdigest()[:32]
        sealed = letters.seal(parties["merchant"], conversation, name, PersonalDetails(note=wish.text))
        if sealed is None:
            raise HTTPException(status.HTTP_410_GONE, "this answer was erased: send it as another request")
        body = AnswerMessage(
            buyer=parties["buyer"],
            name=name,
            text=sealed,
            order_id=order_id,
            answers=str(theirs[-1]["name"]) if theirs else None,
        )
        return await decide(parties["merchant"], body, wanted)

    @app.delete("/inbox/{buyer}", dependencies=guarded)
    async def erase(buyer: str, merchant: str = "") -> dict[str, int]:
        parties = await find(buyer, merchant)
        return {"erased": letters.erase_conversation(parties["merchant"], conversation_ref(**parties))}
