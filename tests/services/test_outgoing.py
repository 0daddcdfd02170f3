"""What a promise becomes on the way out: answers to people, companions of replies, one rumor for all retries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.deliveries import DeliveryState
from schemas.dialects.contract import PersonalDetails, Said
from schemas.dialects.human import is_companion
from schemas.inbox import AnswerPromised, conversation_ref
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event
from schemas.nostr.nip04 import open_message
from schemas.nostr.nip59 import Rumor, is_own_copy, open_wrap
from schemas.orders import OrderStatus
from schemas.replies import ReplyPromised, Standing, StatusReply, WireStatus
from schemas.values import OrderKey, SealedDetails
from services import outbox, telling
from tests.services.relays.scripted_relay import Guest, ScriptedRelay, accept
from tests.services.test_directory import inbox, said
from tests.services.test_frozen_effects import a_record, until
from tests.services.test_publisher import BUYER, SHOP, Office, office
from tests.support.builders import NOW_S, an_id

ORDER = OrderKey(merchant=SHOP.public_key, buyer=BUYER.public_key, order_id="order-1")
CONVERSATION = conversation_ref(SHOP.public_key, BUYER.public_key)


def an_answer(made: Office, text: str = "Tomorrow.", name: str = "c5" * 16) -> AnswerPromised:
    """An answer about the buyer's order, as the journal has it."""
    sealed = made.vault.seal(SHOP.public_key, CONVERSATION, name, PersonalDetails(note=text))
    assert isinstance(sealed, SealedDetails)
    return AnswerPromised(
        buyer=BUYER.public_key, name=name, at_s=NOW_S, text=sealed, order=ORDER, answers=an_id("question")
    )


def a_status(number: int, companion: bool) -> ReplyPromised:
    """A reply to the buyer."""
    return ReplyPromised(
        order=ORDER,
        number=number,
        dialect="gamma",
        answers=an_id("r"),
        at_s=NOW_S,
        reply=StatusReply(status=WireStatus.CONFIRMED, text=f"Word {number}."),
        companion=companion,
    )


def seen(relay: ScriptedRelay) -> tuple[list[Event], list[Rumor]]:
    """The wraps that came for the buyer, and what is in them."""
    events = [Event.model_validate(frame[1]) for frame in relay.frames("EVENT")]
    wraps = [event for event in events if ("p", BUYER.public_key) in event.tags]
    return wraps, [open_wrap(wrap, BUYER).rumor for wrap in wraps]


@pytest.mark.req("MSG-05")
async def test_the_buyer_unwraps_a_kind_14_whose_subject_is_the_order(tmp_path: Path) -> None:
    """It names the message it answers, and its text left the vault for this alone."""
    async with ScriptedRelay() as relay, office(tmp_path, relay.url) as made:
        await made.role.take(0, 0, a_record(0, SHOP.public_key, an_answer(made)))
        await until(lambda: made.log.delivered)
        _, (rumor,) = seen(relay)

    assert (rumor.kind, rumor.content, rumor.pubkey) == (14, "Tomorrow.", SHOP.public_key)
    assert rumor.tags == (("p", BUYER.public_key), ("subject", "order-1"), ("e", an_id("question")))
    (delivery,) = made.log.delivered
    assert (delivery.what, delivery.state, delivery.order_ref) == ("answer", DeliveryState.DELIVERED, ORDER.ref)
    assert "Tomorrow" not in delivery.model_dump_json()


@pytest.mark.req("MSG-09")
async def test_five_retries_are_five_wraps_and_one_rumor(tmp_path: Path) -> None:
    """Publishers that die after sending wrap the same rumor again; answers and replies alike."""
    async with ScriptedRelay() as relay:
        for tried in range(1, 6):
            async with office(tmp_path, relay.url) as made:
                await made.role.take(0, 0, a_record(0, SHOP.public_key, an_answer(made), a_status(1, companion=False)))
                await until(lambda: len(made.log.delivered) == 2)
            assert len(seen(relay)[0]) == 2 * tried
        _, rumors = seen(relay)

    assert len({rumor.id for rumor in rumors if rumor.kind == 14}) == 1
    assert len({rumor.id for rumor in rumors if rumor.kind == 16}) == 1


async def test_an_erased_answer_is_not_sent_and_its_delivery_says_so(tmp_path: Path) -> None:
    """Whoever erased it meanwhile; the next message goes out."""
    async with ScriptedRelay() as relay, office(tmp_path, relay.url) as made:
        gone = an_answer(made)
        made.vault.erase_conversation(SHOP.public_key, CONVERSATION)
        await made.role.take(0, 0, a_record(0, SHOP.public_key, gone))
        await made.role.take(0, 1, a_record(1, SHOP.public_key, an_answer(made, "Here it is.", "c7" * 16)))
        await until(lambda: len(made.log.delivered) == 2)
        _, rumors = seen(relay)

    assert [rumor.content for rumor in rumors] == ["Here it is."]
    assert {delivery.state for delivery in made.log.delivered} == {DeliveryState.FAILED, DeliveryState.DELIVERED}


@pytest.mark.req("MSG-11")
async def test_a_companion_says_each_status_once_more_and_is_never_read_back(tmp_path: Path) -> None:
    """One kind 14 a status where it is switched on; its copy is known as ours, and by its mark by anybody."""
    async with ScriptedRelay() as relay, office(tmp_path, relay.url) as made:
        for number, companion in ((1, True), (2, False)):
            await made.role.take(0, number, a_record(number, SHOP.public_key, a_status(number, companion)))
        await until(lambda: len(made.log.delivered) == 3)
        _, rumors = seen(relay)
        copies = [Event.model_validate(frame[1]) for frame in relay.frames("EVENT")]

    assert sorted((rumor.kind, rumor.content) for rumor in rumors) == [
        (14, "Word 1."),
        (16, "Word 1."),
        (16, "Word 2."),
    ]
    own = [copy for copy in copies if ("p", SHOP.public_key) in copy.tags]
    assert len(own) == 3
    assert all(is_own_copy(copy, SHOP) for copy in own)
    (human,) = (rumor for rumor in rumors if rumor.kind == 14)
    assert is_companion(Said(human.id, human.pubkey, SHOP.public_key, human.kind, human.tags, human.content))


@pytest.mark.req("MSG-10")
async def test_a_message_that_only_the_merchant_has_is_recorded_so_and_tried_until_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The buyer's relay is down: self_only, visible while it is tried again; then it is back: delivered."""
    monkeypatch.setattr(outbox, "MEANWHILE_S", 0.2)
    monkeypatch.setattr(telling, "PAUSE_FIRST_S", 0.1)
    is_down = True

    async def waking(relay: ScriptedRelay, guest: Guest, event: dict[str, Any]) -> None:
        if not is_down:
            await accept(relay, guest, event)

    async with (
        ScriptedRelay(on_event=waking) as buyers,
        ScriptedRelay(inbox(buyers.url)) as home,
        office(tmp_path, home.url) as made,
    ):
        await made.role.take(0, 0, a_record(0, SHOP.public_key, an_answer(made)))
        await until(lambda: made.log.delivered)
        assert [one.state for one in made.log.delivered] == [DeliveryState.SELF_ONLY]

        is_down = False
        await until(lambda: made.log.delivered[-1].state is DeliveryState.DELIVERED)

    assert {one.effect_id for one in made.log.delivered} == {f"answer:{CONVERSATION}:{'c5' * 16}"}


def a_stall_status(number: int) -> ReplyPromised:
    """A reply to a stall's buyer."""
    standing = Standing(status=OrderStatus.CONFIRMED, paid=True, shipped=False)
    return a_status(number, companion=False).model_copy(update={"dialect": "nip15", "standing": standing})


@pytest.mark.req("MSG-09")
async def test_a_stalls_reply_is_the_same_event_however_often_it_is_tried(tmp_path: Path) -> None:
    """A signed kind 4 that is not wrapped; publishers that die after sending it send its very bytes again."""
    async with ScriptedRelay() as relay:
        for _ in range(2):
            async with office(tmp_path, relay.url) as made:
                await made.role.take(0, 0, a_record(0, SHOP.public_key, a_stall_status(1)))
                await until(lambda: made.log.delivered)
        events = [Event.model_validate(frame[1]) for frame in relay.frames("EVENT")]

    assert [(event.kind, event.pubkey) for event in events] == [(4, SHOP.public_key)] * 2, "and no copy beside it"
    assert events[0] == events[1]
    assert json.loads(open_message(events[0], BUYER))["paid"] is True


async def test_a_stalls_replies_keep_their_order_and_go_where_its_buyer_reads(tmp_path: Path) -> None:
    """The relay that carried the order and the read relays of their list; inboxes for wraps are left alone."""
    async with (
        ScriptedRelay() as wraps_only,
        ScriptedRelay() as read,
        ScriptedRelay(inbox(wraps_only.url), said(Kind.RELAY_LIST, ("r", read.url, "read"))) as home,
        office(tmp_path, home.url) as made,
    ):
        for number in (1, 2):
            await made.role.take(0, number, a_record(number, SHOP.public_key, a_stall_status(number)))
        await until(lambda: len(made.log.delivered) == 2)
        told = {
            relay.url: [
                json.loads(open_message(Event.model_validate(frame[1]), BUYER))["message"]
                for frame in relay.frames("EVENT")
            ]
            for relay in (home, read, wraps_only)
        }

    assert told == {home.url: ["Word 1.", "Word 2."], read.url: ["Word 1.", "Word 2."], wraps_only.url: []}
    assert {delivery.state for delivery in made.log.delivered} == {DeliveryState.DELIVERED}


async def test_who_wrote_by_kind_4_is_answered_by_kind_4(tmp_path: Path) -> None:
    """Its tags name the recipient and nothing else, since everybody reads them."""
    async with ScriptedRelay() as relay, office(tmp_path, relay.url) as made:
        answer = an_answer(made).model_copy(update={"is_direct": True})
        await made.role.take(0, 0, a_record(0, SHOP.public_key, answer))
        await until(lambda: made.log.delivered)
        (event,) = [Event.model_validate(frame[1]) for frame in relay.frames("EVENT")]

    assert (event.kind, event.tags, open_message(event, BUYER)) == (4, (("p", BUYER.public_key),), "Tomorrow.")
