"""Ingest over real sockets: which relays it reads for a merchant, and how far back, as it learns what to follow."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from schemas.merchants import Merchant, RelayCursor
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import UnsignedEvent, sign_event, to_json
from schemas.nostr.secp256k1 import SecretKey
from schemas.quarantine import Quarantined
from schemas.shops import ShopSettings, StallMessages
from services import ingest
from services.ingest import Ingest
from services.relays import LOOK_BACK_S
from tests.schemas.nostr import given
from tests.services.relays.scripted_relay import ScriptedRelay, an_auth_event, an_event, id_of
from tests.services.test_frozen_effects import until

SHOP, CARRIER, BUYER = given.MERCHANT, given.OTHER_MERCHANT, given.BUYER
NOW_S = int(time.time())
"""Relays are asked by the machine's clock."""
LONG_AGO_S = NOW_S - 90 * 86_400
KEPT = ("inbox", "nutzaps")
MERCHANT = Merchant(public_key=SHOP.public_key, name="shop", added_ms=NOW_S * 1_000)


class Log:
    """`ncc.raw` and `ncc.cursors`, in memory."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.cursors: list[RelayCursor] = []

    async def put_raw(self, key_hex: str, text: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        """Note it."""
        self.texts.append(text.decode())

    async def put_quarantine(self, record: Quarantined) -> None:
        """Nothing here is set aside."""

    async def put_cursor(self, key_hex: str, cursor: RelayCursor) -> None:
        """Note it."""
        self.cursors.append(cursor)

    def ids(self) -> set[str]:
        """The events that were logged."""
        return {id_of(text) for text in self.texts}


def said(kind: int, *tags: tuple[str, ...], by: SecretKey = SHOP, at: int = LONG_AGO_S) -> str:
    """An event as its author signed it, three months ago unless told otherwise."""
    unsigned = UnsignedEvent(pubkey=by.public_key, created_at=at, kind=kind, tags=tags, content="")
    return to_json(sign_event(unsigned, by))


def product(d: str, *offers: str, at: int = LONG_AGO_S) -> str:
    """A listing that points at others' options."""
    return said(Kind.PRODUCT, ("d", d), *(("shipping_option", offer) for offer in offers), at=at)


def address(kind: int, author: SecretKey, d: str) -> str:
    return f"{kind}:{author.public_key}:{d}"


@asynccontextmanager
async def reading(
    *relays: str,
    monkeypatch: pytest.MonkeyPatch,
    cursors: dict[tuple[str, str], int] | None = None,
    merchants: tuple[Merchant, ...] = (MERCHANT,),
) -> AsyncIterator[Log]:
    """An ingest for some shops, which trusts every relay it hears of, and proves all of them where it is asked."""
    monkeypatch.setattr(ingest, "REPLAN_AFTER_S", 0.02)
    monkeypatch.setattr(Ingest, "_is_trusted", lambda _self, _url: True)
    log = Log()

    async def authenticate(relay: str, challenge: str) -> list[str]:
        return [an_auth_event(one.public_key, relay, challenge) for one in merchants]

    running = asyncio.ensure_future(Ingest(log, lambda: list(merchants), relays, authenticate, cursors or {}).run())
    try:
        yield log
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def asked(relay: ScriptedRelay, kind: int) -> list[dict[str, Any]]:
    """Every filter for this kind that the relay was sent, in order."""
    return [one for frame in relay.frames("REQ") for one in frame[2:] if kind in one["kinds"]]


@pytest.mark.req("REL-01")
async def test_a_relay_in_the_merchants_inbox_list_is_read_and_one_that_left_it_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A new 10050 adds a socket and the subscription for wraps; the next one takes both away."""
    async with ScriptedRelay() as home, ScriptedRelay() as third, reading(home.url, monkeypatch=monkeypatch):
        await until(lambda: asked(home, Kind.GIFT_WRAP))
        await home.add(said(Kind.INBOX_RELAYS, ("relay", home.url), ("relay", third.url), at=NOW_S))
        await until(lambda: asked(third, Kind.GIFT_WRAP))
        assert asked(third, Kind.GIFT_WRAP)[0]["#p"] == [SHOP.public_key]

        await home.add(said(Kind.INBOX_RELAYS, ("relay", home.url), at=NOW_S + 1))
        await until(lambda: not third.guests)


async def test_a_new_process_learns_all_that_was_said_before_the_look_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wraps go on from where they were read; lists and listings of months ago are read again, for they say what else
    to follow."""
    third = ScriptedRelay()
    await third.start()
    old = (said(Kind.INBOX_RELAYS, ("relay", third.url)), product("mug"))
    async with ScriptedRelay(*old) as home:
        read = {(home.url, f"{topic}:{SHOP.public_key}"): NOW_S for topic in ("inbox", "catalogue", "reviews")}
        async with reading(home.url, monkeypatch=monkeypatch, cursors=read):
            await until(lambda: asked(third, Kind.GIFT_WRAP) and asked(home, Kind.REVIEW))
            assert asked(home, Kind.REVIEW)[0]["#d"] == [f"a:{address(30_402, SHOP, 'mug')}"]
            assert asked(home, Kind.GIFT_WRAP)[0]["since"] == NOW_S - LOOK_BACK_S
    await third.stop()


@pytest.mark.req("REL-09")
async def test_what_a_new_listing_points_at_is_found_though_it_is_older_than_the_listing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The carrier's options were published months ago, and a review too; each is asked for once it is pointed at, and
    not from the time up to which other things of its kind were read."""
    van, boat = (address(30_406, CARRIER, d) for d in ("van", "boat"))
    options = [said(Kind.SHIPPING_OPTION, ("d", d), by=CARRIER) for d in ("van", "boat")]
    reviews = [
        said(Kind.REVIEW, ("d", f"a:{address(30_402, SHOP, d)}"), ("rating", "1", "thumb"), by=BUYER)
        for d in ("mug", "cup")
    ]
    async with (
        ScriptedRelay(*options, *reviews, product("mug", van)) as home,
        reading(home.url, monkeypatch=monkeypatch) as log,
    ):
        await until(lambda: {id_of(options[0]), id_of(reviews[0])} <= log.ids())
        await asyncio.sleep(0.3)
        assert not {id_of(options[1]), id_of(reviews[1])} & log.ids(), "nobody has pointed at these yet"

        await home.add(product("cup", boat, at=NOW_S))
        await until(lambda: {id_of(options[1]), id_of(reviews[1])} <= log.ids())


async def test_only_inboxes_and_nutzaps_leave_a_cursor_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else is read is read whole by the next process, so nothing need be kept of it."""
    async with ScriptedRelay(product("mug")) as home, reading(home.url, monkeypatch=monkeypatch) as log:
        await until(lambda: log.cursors and asked(home, Kind.REVIEW))
        await asyncio.sleep(0.2)
    assert {cursor.cursor_key for cursor in log.cursors} == {f"{kept}:{SHOP.public_key}" for kept in KEPT}
    assert [json.loads(text)["kind"] for text in log.texts] == [30_402]


@pytest.mark.req("REL-12")
async def test_a_relay_that_knows_one_identity_a_connection_is_read_over_a_socket_for_each_merchant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It refuses the common query once both have proved who they are; each then asks alone, and new wraps come too."""
    shops = tuple(MERCHANT.model_copy(update={"public_key": key.public_key}) for key in (SHOP, CARRIER))
    wraps = [an_event(n, created_at=NOW_S, tag_p=shop.public_key) for n, shop in enumerate(shops)]
    async with (
        ScriptedRelay(*wraps, product("mug"), one_identity=True) as relay,
        reading(relay.url, monkeypatch=monkeypatch, merchants=shops) as log,
    ):
        await until(lambda: set(map(id_of, wraps)) <= log.ids())
        assert len(relay.guests) == 3, "one for each merchant's wraps, and one for everything else"
        later = [an_event(n + 9, created_at=NOW_S, tag_p=shop.public_key) for n, shop in enumerate(shops)]
        for text in later:
            await relay.add(text)
        await until(lambda: set(map(id_of, later)) <= log.ids())
        kept = {f"{topic}:{shop.public_key}" for topic in KEPT for shop in shops}
        assert {cursor.cursor_key for cursor in log.cursors} == kept


@pytest.mark.req("PAY-11")
async def test_nutzaps_are_read_where_the_shop_is_and_where_its_mint_list_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever pays by one publishes it to the relays of the list; what was read goes on from there (NIP-61)."""
    async with ScriptedRelay() as home, ScriptedRelay() as third:
        listed = said(Kind.NUTZAP_INFO, ("relay", third.url), ("mint", "https://mint.example"))
        read = {(home.url, f"nutzaps:{SHOP.public_key}"): NOW_S}
        async with reading(home.url, monkeypatch=monkeypatch, cursors=read) as log:
            await until(lambda: asked(home, Kind.NUTZAP))
            wanted = {"kinds": [9_321], "#p": [SHOP.public_key], "since": NOW_S - LOOK_BACK_S}
            assert asked(home, Kind.NUTZAP)[0] == wanted
            await home.add(listed)
            await until(lambda: asked(third, Kind.NUTZAP))
            zap = said(Kind.NUTZAP, ("p", SHOP.public_key), by=BUYER, at=NOW_S)
            await third.add(zap)
            await until(lambda: id_of(zap) in log.ids())


@pytest.mark.parametrize("setting", list(StallMessages))
async def test_kind_4_is_asked_for_where_a_shop_reads_it_and_goes_on_from_where_it_was(
    setting: StallMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shop of the market spec alone has no subscription for it; a new process reads from the cursor on."""
    shop = MERCHANT.model_copy(update={"settings": ShopSettings(nip15=setting)})
    async with ScriptedRelay() as home:
        read = {(home.url, f"direct:{SHOP.public_key}"): NOW_S}
        async with reading(home.url, monkeypatch=monkeypatch, cursors=read, merchants=(shop,)) as log:
            await until(lambda: asked(home, Kind.GIFT_WRAP) and asked(home, Kind.ORDER))
            if setting is StallMessages.OFF:
                assert asked(home, Kind.ENCRYPTED_DIRECT_MESSAGE) == []
                return
            await until(lambda: asked(home, Kind.ENCRYPTED_DIRECT_MESSAGE))
            asked_for = asked(home, Kind.ENCRYPTED_DIRECT_MESSAGE)[0]
            assert (asked_for["kinds"], asked_for["#p"]) == ([4], [SHOP.public_key])
            assert asked_for["since"] == NOW_S - LOOK_BACK_S
            order = said(Kind.ENCRYPTED_DIRECT_MESSAGE, ("p", SHOP.public_key), by=BUYER, at=NOW_S)
            await home.add(order)
            await until(lambda: id_of(order) in log.ids())
