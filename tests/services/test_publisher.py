"""The publisher over real sockets: who is told what, in which order, and what holds up whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas.catalogue import ListingRevised, Template
from schemas.deliveries import DeliveryState
from schemas.nostr.nip01 import Event, event_id
from schemas.nostr.nip17 import inbox_relay_tags
from schemas.nostr.nip59 import Rumor, open_wrap
from schemas.publishing import PublicationPromised
from schemas.replies import Reply, ReplyPromised, StatusReply, TextReply, WireStatus
from schemas.signing import SignerDenies
from schemas.values import OrderKey
from services import outbox, publisher, telling
from services.config import RoutePolicy
from services.directory import Directory
from services.publisher import PublisherRole
from services.relays import LineSettings, Publisher
from services.relays.pace import Backoff
from services.signer.keystore import Keystore
from services.signer.local import LocalSigner
from services.vault import Vault
from tests.schemas.nostr import given
from tests.services.relays.scripted_relay import Guest, ScriptedRelay, accept, answers
from tests.services.test_directory import inbox
from tests.services.test_frozen_effects import a_record, until
from tests.support.builders import NOW_S, a_listing, an_id
from tests.support.outbox import MemoryOutbox

BUYER, SHOP = given.BUYER, given.MERCHANT
SOON = Backoff(first_s=0.05, most_s=0.2)


class Office:
    """A publisher role, its signer and what it noted."""

    def __init__(
        self,
        folder: Path,
        relays: Publisher,
        home: str,
        policy: RoutePolicy,
        kept: MemoryOutbox | None = None,
        discovery: tuple[str, ...] = (),
    ) -> None:
        keystore = Keystore(folder / "keys", folder / "passphrase")
        if SHOP.public_key not in keystore.public_keys():
            keystore.add(SHOP)
        self.log, self.said = kept or MemoryOutbox(), list[str]()
        self.vault = Vault(folder / "vault.db")
        self.signer = Moody(keystore)
        self.vault = Vault(folder / "vault.db")
        directory = Directory(relays, lambda _url: True, policy)
        self.role = PublisherRole(
            self.signer,
            relays,
            directory,
            lambda _key: None,
            (home,),
            self.log,
            self.log,
            self.said.append,
            self.vault.text,
            discovery,
        )

    async def promise(self, offset: int, number: int, reply: Reply | None = None) -> None:
        """The journal owes the buyer another word about the same order."""
        promised = ReplyPromised(
            order=OrderKey(merchant=SHOP.public_key, buyer=BUYER.public_key, order_id="1"),
            number=number,
            dialect="gamma",
            answers=an_id("r"),
            at_s=NOW_S,
            reply=reply or StatusReply(status=WireStatus.CONFIRMED, text=f"Word {number}."),
        )
        self.log.journal[offset] = a_record(offset, SHOP.public_key, promised)
        await self.role.take(0, offset, self.log.journal[offset])

    async def revise(self, offset: int, stock: int) -> str:
        """The journal has a new version of a listing; gives its event's id."""
        tags = (("d", "mug"), ("stock", str(stock)))
        template = Template(kind=30_402, created_at=NOW_S + offset, tags=tags, content="")
        name = event_id(SHOP.public_key, template.created_at, template.kind, tags, "")
        coordinate = f"30402:{SHOP.public_key}:mug"
        listing = a_listing("mug").model_copy(update={"coordinate": coordinate, "event_id": name, "template": template})
        self.log.journal[offset] = a_record(offset, SHOP.public_key, ListingRevised(listing=listing))
        await self.role.take(0, offset, self.log.journal[offset])
        return name

    async def name_inboxes(self, offset: int, *urls: str) -> None:
        """The journal has a new inbox list of the shop's."""
        tags = inbox_relay_tags(urls)
        template = Template(kind=10_050, created_at=NOW_S + offset, tags=tags, content="")
        name = event_id(SHOP.public_key, template.created_at, template.kind, tags, "")
        coordinate = f"10050:{SHOP.public_key}:"
        promised = PublicationPromised(coordinate=coordinate, event_id=name, template=template, cause="1")
        self.log.journal[offset] = a_record(offset, SHOP.public_key, promised)
        await self.role.take(0, offset, self.log.journal[offset])


class Moody(LocalSigner):
    """A signer that denies while it is told to."""

    denies = False

    def seal_and_wrap(self, rumor: Rumor, recipient: str, effect_id: str) -> Event:
        """As ever, or not now."""
        if self.denies:
            raise SignerDenies("locked for the night")
        return super().seal_and_wrap(rumor, recipient, effect_id)


@asynccontextmanager
async def office(
    folder: Path,
    home: str,
    policy: RoutePolicy = RoutePolicy.FALLBACK,
    kept: MemoryOutbox | None = None,
    discovery: tuple[str, ...] = (),
) -> AsyncIterator[Office]:
    """A publisher that holds one partition, with what a former one left; it ends without a word to anybody."""
    settings = LineSettings(retry=SOON, reconnect=SOON, ok_timeout_s=0.5)
    async with Publisher(is_trusted=lambda _url: True, settings=settings) as relays:
        made = Office(folder, relays, home, policy, kept, discovery)
        await made.role.begin(0)
        try:
            yield made
        finally:
            await made.role.end(0)
            made.vault.close()


def words_to_buyer(relay: ScriptedRelay) -> list[str]:
    """What the buyer reads on this relay, in the order it came."""
    events = [Event.model_validate(frame[1]) for frame in relay.frames("EVENT")]
    return [open_wrap(event, BUYER).rumor.content for event in events if ("p", BUYER.public_key) in event.tags]


async def silence(_relay: ScriptedRelay, _guest: Guest, _event: dict[str, Any]) -> None:
    """An event is taken without a word."""


refuse = answers((False, "blocked: not you"))


@pytest.mark.req("REL-15")
@pytest.mark.parametrize("policy", RoutePolicy)
async def test_the_delivery_record_says_that_there_was_no_way_or_that_it_was_a_fallback(
    policy: RoutePolicy, tmp_path: Path
) -> None:
    """Strict: nothing for the buyer is published, and the record says so; fallback: it is, and marked."""
    async with ScriptedRelay() as relay, office(tmp_path, relay.url, policy) as made:
        await made.promise(0, 1)
        await until(lambda: made.log.delivered)
        (record,), words = made.log.delivered, words_to_buyer(relay)

    if policy is RoutePolicy.STRICT:
        assert (record.state, record.compat_route, words) == (DeliveryState.NO_ROUTE, False, [])
    else:
        assert (record.state, record.compat_route, words) == (DeliveryState.DELIVERED, True, ["Word 1."])


async def test_a_silent_relay_of_the_merchants_holds_no_word_to_the_buyer_up(tmp_path: Path) -> None:
    """Only the merchant's own copies wait there; the buyer reads one after another."""
    async with (
        ScriptedRelay() as buyers,
        ScriptedRelay(inbox(buyers.url), on_event=silence) as home,
        office(tmp_path, home.url) as made,
    ):
        for number in (1, 2, 3):
            await made.promise(number, number)
        await until(lambda: len(words_to_buyer(buyers)) == 3)

        assert words_to_buyer(buyers) == ["Word 1.", "Word 2.", "Word 3."]
        await until(lambda: made.role.needed_from(0, 9) == 9)
        assert [owed.copies for owed in made.log.kept.values()] == [(home.url,)] * 3, "the copies are owed still"


@pytest.mark.req("SU-06")
async def test_digital_goods_are_opened_only_where_they_are_wrapped(tmp_path: Path) -> None:
    """The journal has a box; the buyer reads what is in it. Without its key nothing goes out, and that is recorded."""
    async with ScriptedRelay() as relay, office(tmp_path, relay.url) as made:
        sealed = made.vault.seal_goods(SHOP.public_key, "30402:shop:song", "https://example.com/song?key=7")
        assert sealed is not None
        reply = TextReply(about="song", text="Here is what you bought, Song:", sealed=sealed)
        assert "example.com" not in reply.model_dump_json()
        await made.promise(0, 1, reply)
        await until(lambda: made.log.delivered)
        made.vault.erase(sealed.key_id)
        await made.promise(1, 2, reply)
        await until(lambda: len(made.log.delivered) == 2)
        words = words_to_buyer(relay)

    assert words == ["Here is what you bought, Song:\n\nhttps://example.com/song?key=7"]
    assert [record.state for record in made.log.delivered] == [DeliveryState.DELIVERED, DeliveryState.FAILED]
    assert made.log.delivered[1].outcomes[0].message == "cannot be wrapped: Erased"


@pytest.mark.req("ID-12")
async def test_what_the_signer_denies_stays_owed_and_is_said_to_the_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is published and nothing dies; once it signs again, the message goes out and the word is taken back."""
    monkeypatch.setattr(publisher, "ASK_AGAIN_S", 0.05)
    async with ScriptedRelay() as relay, office(tmp_path, relay.url) as made:
        made.signer.denies = True
        await made.promise(4, 1)
        await until(lambda: made.said)
        await asyncio.sleep(0.2)
        assert "locked for the night" in made.said[-1]
        assert relay.frames("EVENT") == []
        assert (made.role.needed_from(0, 9), made.role.failure.done()) == (4, False)

        made.signer.denies = False
        await until(lambda: made.log.delivered)
        assert words_to_buyer(relay) == ["Word 1."]
        assert made.said[-1] == ""


@pytest.mark.req("REL-13")
async def test_a_relay_that_has_acknowledged_is_not_asked_again_after_a_restart(tmp_path: Path) -> None:
    """Two relays of the buyer's: one says yes, the other nothing. The next process asks the silent one alone."""
    async with ScriptedRelay() as yes, ScriptedRelay(on_event=silence) as mute:
        async with ScriptedRelay(inbox(yes.url, mute.url)) as home, office(tmp_path, home.url) as first:
            await first.promise(3, 1)
            await until(lambda: first.role.needed_from(0, 9) == 9)
            left = first.log
        assert [(owed.offset, owed.relays) for owed in left.kept.values()] == [(3, (mute.url,))]
        before = len(mute.frames("EVENT"))
        assert (words_to_buyer(yes), before > 0) == (["Word 1."], True)

        mute.on_event = accept
        async with ScriptedRelay() as home, office(tmp_path, home.url, kept=left) as second:
            await second.role.take(0, 3, left.journal[3])
            await second.role.caught_up(0)
            await until(lambda: not left.kept)

        assert words_to_buyer(yes) == ["Word 1."], "acknowledged before the restart"
        sent = [frame[1]["id"] for frame in mute.frames("EVENT")]
        assert (len(sent), len(set(sent))) == (before + 1, 1), "the same event as before"
        assert home.frames("EVENT") == [], "the merchant's copy was acknowledged too"
    states = [(record.state, [o.outcome for o in record.outcomes]) for record in left.delivered]
    assert states[0] == (DeliveryState.DELIVERED, ["accepted"])
    assert states[-1] == (DeliveryState.DELIVERED, ["accepted", "accepted"])


async def test_an_owner_whose_clock_was_hours_slow_takes_nothing_of_its_successors_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten minutes of trying are ten minutes: by the successor's clock the message is hours old, and is tried on."""
    monkeypatch.setattr(telling, "PUBLISH_TIMEOUT_S", 0.2)
    async with ScriptedRelay() as yes, ScriptedRelay(on_event=silence) as mute:
        async with ScriptedRelay(inbox(yes.url, mute.url)) as home, office(tmp_path, home.url) as first:
            await first.promise(3, 1)
            await until(lambda: first.log.kept)
            left = first.log
        ((key, owed),) = left.kept.items()
        left.kept[key] = owed.model_copy(update={"since_ms": owed.since_ms - 2 * 3_600_000})
        before = len(mute.frames("EVENT"))

        async with ScriptedRelay() as home, office(tmp_path, home.url, kept=left) as second:
            await second.role.take(0, 3, left.journal[3])
            await second.role.caught_up(0)
            await until(lambda: len(mute.frames("EVENT")) > before + 1)
            mute.on_event = accept
            await until(lambda: not left.kept)
    assert [o.outcome for o in left.delivered[-1].outcomes] == ["accepted", "accepted"]
    assert 0 < owed.tried_ms < 60_000


async def test_a_message_that_every_relay_takes_at_once_costs_the_outbox_nothing(tmp_path: Path) -> None:
    """One delivery record, and nothing written beside it."""
    async with (
        ScriptedRelay() as one,
        ScriptedRelay() as two,
        ScriptedRelay(inbox(one.url, two.url)) as home,
        office(tmp_path, home.url) as made,
    ):
        await made.promise(1, 1)
        await until(lambda: made.log.delivered)
        (record,) = made.log.delivered
    assert ([o.outcome for o in record.outcomes], made.log.puts) == (["accepted", "accepted"], 0)


async def test_a_relay_that_says_yes_and_forgets_costs_the_buyer_nothing(tmp_path: Path) -> None:
    """The honest relay of the list was away when the liar said yes; it is told once it is back."""
    honest = ScriptedRelay()
    await honest.start()
    async with ScriptedRelay() as liar, ScriptedRelay(inbox(liar.url, honest.url)) as home:
        await honest.stop()
        async with office(tmp_path, home.url) as made:
            await made.promise(1, 1)
            await made.promise(2, 2)
            await until(lambda: made.role.needed_from(0, 9) == 9)
            assert words_to_buyer(liar) == ["Word 1.", "Word 2."], "one relay's yes lets the next message go"
            await honest.start()
            await until(lambda: not made.log.kept)
            assert sorted(words_to_buyer(honest)) == ["Word 1.", "Word 2."]
    await honest.stop()


async def test_a_relay_that_refuses_for_good_is_owed_nothing(tmp_path: Path) -> None:
    """What was refused stands in the delivery record; no restart asks again."""
    async with (
        ScriptedRelay() as yes,
        ScriptedRelay(on_event=refuse) as no,
        ScriptedRelay(inbox(no.url, yes.url)) as home,
        office(tmp_path, home.url) as made,
    ):
        await made.promise(1, 1)
        await until(lambda: made.log.delivered)
        (record,) = made.log.delivered
    assert [(o.outcome, o.message) for o in record.outcomes] == [("refused", "blocked: not you"), ("accepted", "")]
    assert made.log.kept == {}


async def test_a_frozen_merchants_messages_wait_in_the_outbox_until_the_thaw(tmp_path: Path) -> None:
    """The relay that is left hears nothing meanwhile, and is told afterwards."""
    async with (
        ScriptedRelay() as yes,
        ScriptedRelay(on_event=silence) as mute,
        ScriptedRelay(inbox(yes.url, mute.url)) as home,
        office(tmp_path, home.url) as made,
    ):
        await made.role.caught_up(0)
        await made.promise(1, 1)
        await until(lambda: made.log.kept)
        assert await made.role.freeze(0, SHOP.public_key) is None
        told, mute.on_event = len(mute.frames("EVENT")), accept
        await asyncio.sleep(1.2)
        assert len(mute.frames("EVENT")) == told, "nothing is told while the merchant is frozen"
        await made.role.thaw(0, SHOP.public_key)
        await until(lambda: not made.log.kept)


async def test_what_does_not_fit_the_outbox_is_waited_for_and_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crowd of dead relays costs a wait each, no memory; the record says which relay has not answered."""
    monkeypatch.setattr(outbox, "OWED_MAX", 0)
    monkeypatch.setattr(outbox, "PUBLISH_TIMEOUT_S", 0.3)
    async with (
        ScriptedRelay() as yes,
        ScriptedRelay(on_event=silence) as mute,
        ScriptedRelay(inbox(yes.url, mute.url)) as home,
        office(tmp_path, home.url) as made,
    ):
        await made.promise(1, 1)
        await until(lambda: made.log.delivered)
        (record,) = made.log.delivered
    assert ([o.relay for o in record.outcomes], made.log.puts) == ([yes.url], 0)


@pytest.mark.req("REL-14")
async def test_a_buyers_wrap_is_seen_at_the_buyers_inbox_only_and_the_copy_at_the_merchants(tmp_path: Path) -> None:
    """Neither at the relay where their lists are found, nor at each other's."""
    async with (
        ScriptedRelay() as buyers,
        ScriptedRelay() as own,
        ScriptedRelay(inbox(buyers.url), inbox(own.url, by=SHOP)) as home,
        office(tmp_path, home.url) as made,
    ):
        await made.promise(1, 1)
        await until(lambda: made.log.delivered)
        seen = {
            place: [tag for frame in relay.frames("EVENT") for tag in frame[1]["tags"]]
            for place, relay in (("buyers", buyers), ("own", own), ("home", home))
        }
    assert seen == {"buyers": [["p", BUYER.public_key]], "own": [["p", SHOP.public_key]], "home": []}


async def test_an_inbox_list_is_spread_and_a_listing_is_not(tmp_path: Path) -> None:
    """It goes home, to the inboxes it names and to where strangers look for lists; everything else stays at home."""
    async with (
        ScriptedRelay() as home,
        ScriptedRelay() as named,
        ScriptedRelay() as looked_at,
        office(tmp_path, home.url, discovery=(looked_at.url,)) as made,
    ):
        await made.name_inboxes(1, named.url)
        await made.revise(2, 5)
        await until(lambda: len(made.log.delivered) == 2)
        seen = [{frame[1]["kind"] for frame in relay.frames("EVENT")} for relay in (home, named, looked_at)]

    assert seen == [{10_050, 30_402}, {10_050}, {10_050}]
