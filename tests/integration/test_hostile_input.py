"""What strangers and lying relays send: each piece ends under its code, and the shop goes on."""

from __future__ import annotations

import json
import secrets
import time

import orjson
import pytest

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, UnsignedEvent, event_id, sign_event, to_json
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.nip44 import conversation_key, encrypt
from schemas.nostr.nip59 import Rumor, make_wrap, seal, wrap
from schemas.nostr.secp256k1 import SecretKey
from services.cli.doctor import lags_of
from tests.services.relays.scripted_relay import ScriptedRelay
from tests.support.shop import Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


def a_key() -> SecretKey:
    """A key nobody has seen."""
    return SecretKey.from_bytes(secrets.token_bytes(32))


def signed(
    secret: SecretKey, kind: int, tags: tuple[tuple[str, ...], ...], content: str, at: int | None = None
) -> Event:
    """A well-made event."""
    created_at = int(time.time()) if at is None else at
    unsigned = UnsignedEvent(pubkey=secret.public_key, created_at=created_at, kind=kind, tags=tags, content=content)
    return sign_event(unsigned, secret)


def wrapped(inner: str, recipient: str, one_time: SecretKey | None = None) -> Event:
    """Any text, encrypted to the recipient in a gift wrap."""
    key = one_time or a_key()
    content = encrypt(inner, conversation_key(key, recipient), secrets.token_bytes(32))
    return signed(key, Kind.GIFT_WRAP, (("p", recipient),), content)


def sealed(
    author: SecretKey,
    recipient: str,
    rumor: dict[str, object],
    kind: int = Kind.SEAL,
    tags: tuple[tuple[str, ...], ...] = (),
) -> Event:
    """A rumor of any shape in a seal of any kind."""
    content = encrypt(orjson.dumps(rumor).decode(), conversation_key(author, recipient), secrets.token_bytes(32))
    return signed(author, kind, tags, content)


def an_order_rumor(author: str, merchant: str, **changes: object) -> dict[str, object]:
    """An order as a rumor's fields, with any of them changed."""
    fields: dict[str, object] = {
        "pubkey": author,
        "created_at": int(time.time()),
        "kind": int(Kind.ORDER),
        "tags": [
            ["p", merchant],
            ["type", "1"],
            ["order", secrets.token_hex(4)],
            ["amount", "1"],
            ["item", f"30402:{merchant}:mug", "1"],
        ],
        "content": "",
        **changes,
    }
    tags = tuple(tuple(str(x) for x in tag) for tag in fields["tags"])  # type: ignore[attr-defined]
    fields.setdefault(
        "id",
        event_id(
            str(fields["pubkey"]),
            int(str(fields["created_at"])),
            int(str(fields["kind"])),
            tags,
            str(fields["content"]),
        ),
    )
    return fields


def without(rumor: dict[str, object], tag: str) -> dict[str, object]:
    """The same rumor without one of its tags, with the right id."""
    tags = [t for t in rumor["tags"] if t[0] != tag]  # type: ignore[attr-defined]
    return an_order_rumor(
        str(rumor["pubkey"]),
        "",
        **{
            **rumor,
            "tags": tags,
            "id": event_id(
                str(rumor["pubkey"]),
                int(str(rumor["created_at"])),
                int(str(rumor["kind"])),
                tuple(map(tuple, tags)),
                str(rumor["content"]),
            ),
        },
    )


def hostile_texts(merchant: str) -> dict[str, str]:
    """One text for each code it must end under."""
    buyer, stranger = a_key(), a_key()
    rumor = an_order_rumor(buyer.public_key, merchant)
    good = make_wrap(Rumor(**rumor), buyer, merchant, "x")
    fields = json.loads(to_json(good))
    listing = signed(stranger, Kind.PRODUCT, (("d", "x"), ("title", "X"), ("price", "1", "USD")), "")
    message = lambda inner: to_json(wrapped(inner, merchant))  # noqa: E731
    in_seal = lambda fields, **rest: message(to_json(sealed(buyer, merchant, fields, **rest)))  # noqa: E731
    forged = an_order_rumor(stranger.public_key, merchant)
    true_seal = sealed(buyer, merchant, rumor)
    return {
        "bad_id": json.dumps({**fields, "id": "0" * 63 + "1"}),
        "bad_sig": json.dumps({**fields, "sig": "0" * 128}),
        "bad_shape": json.dumps({**fields, "kind": 70_000}),
        "bad_json": '{"id": "' + "f" * 64 + '", "kind": 1059, "kind": 1059, "tags": []}',
        "impersonation": in_seal(forged),
        "seal_tags": in_seal(rumor, tags=(("p", merchant),)),
        "seal_kind": in_seal(rumor, kind=14),
        "seal_sig": message(json.dumps({**json.loads(to_json(true_seal)), "sig": "0" * 128})),
        "rumor_id": in_seal({**rumor, "id": "1" * 64}),
        "bad_payload": to_json(signed(stranger, Kind.GIFT_WRAP, (("p", merchant),), "AgAA")),
        "wrong_recipient": to_json(wrapped("x", stranger.public_key)),
        "recipient_mismatch": in_seal(an_order_rumor(buyer.public_key, stranger.public_key)),
        "unknown_kind": in_seal(an_order_rumor(buyer.public_key, merchant, kind=1)),
        "no_type": in_seal(without(rumor, "type")),
        "no_order": in_seal(without(rumor, "order")),
        "no_item": in_seal(without(rumor, "item")),
        "future_dated": in_seal(an_order_rumor(buyer.public_key, merchant, created_at=int(time.time()) + 86_400)),
        "foreign_author": to_json(listing),
    }


async def show_all(relay: ScriptedRelay, texts: list[str]) -> None:
    """Send each text over every subscription's connection, as a relay does that checks nothing."""
    for guest in relay.guests:
        names = [name for name, filters in guest.queries.items() if any(1059 in f.get("kinds", ()) for f in filters)]
        for text in texts:
            for name in names[:1]:
                await guest.show(name, text)


@pytest.mark.req("REL-06")
@pytest.mark.req("ID-05")
@pytest.mark.req("ID-11")
@pytest.mark.req("REL-18")
@pytest.mark.req("OPS-07")
async def test_each_hostile_input_ends_under_its_code_and_the_shop_goes_on(stack: RunningStack) -> None:
    """A relay that checks nothing sends one of each; an honest order behind them is answered, and nothing lags."""
    async with ScriptedRelay() as relay, Shop(stack) as shop:
        await shop.add(relays=(relay.url,))

        async def listening() -> bool | None:
            return True if any(g.queries for g in relay.guests) else None

        await shop.until(listening, "a subscription at the hostile relay")
        texts = hostile_texts(shop.merchant.public_key)
        await show_all(relay, list(texts.values()))
        await relay.say_to_all('["EVENT", "x", {"broken": ]')
        for guest in relay.guests:
            for name in list(guest.queries)[:1]:
                await guest.show(name, '{"id":"' + "a" * 64 + '","content":"' + "x" * 1_000_000 + '"}')

        async def codes() -> set[str] | None:
            rows = await shop.operator.sql(
                "SELECT DISTINCT reason FROM quarantine_now WHERE relay = {r:String}", r=relay.url
            )
            found = {str(row["reason"]) for row in rows}
            return found if found >= {*texts, "frame_too_big", "bad_frame"} else None

        try:
            found = await shop.until(codes, "every code in quarantine")
        except AssertionError:
            rows = await shop.operator.sql(
                "SELECT reason, detail FROM quarantine_now WHERE relay = {r:String}", r=relay.url
            )
            missing = {*texts, "frame_too_big", "bad_frame"} - {row["reason"] for row in rows}
            raise AssertionError(f"missing in quarantine: {missing}; there: {rows}") from None
        assert found == {*texts, "frame_too_big", "bad_frame"}

        buyer = await shop.buyer()
        order_id = await shop.order(buyer)
        request = await buyer.wait_for(order_id, "2")
        assert invoice_of(request).startswith("lnbcrt")

        async def caught_up() -> bool | None:
            lags = lags_of(stack.home)
            return True if lags and not any(sum(lag.values()) for lag in lags.values()) else None

        await shop.until(caught_up, "all lags back at zero")


@pytest.mark.parametrize("quantity", ["-1", "0", "1.5", "1e3", "１", "1000000000000000000000"])
@pytest.mark.req("T16A-04")
async def test_a_quantity_that_is_no_small_whole_number_is_refused_once(stack: RunningStack, quantity: str) -> None:
    """The order is turned down, the buyer told why once, and no stock moves (attack 28)."""
    async with Shop(stack) as shop:
        buyer = await shop.buyer()
        order_id = secrets.token_hex(6)
        tags = (
            ("type", "1"),
            ("order", order_id),
            ("amount", "1"),
            ("item", shop.product, quantity),
            ("shipping", shop.shipping),
        )
        await buyer.send(shop.merchant.public_key, Kind.ORDER, (*tags, ("address", "Berlin, Germany")))

        told = await buyer.wait_for(order_id, "3", "cancelled")
        assert "quantity" in told.rumor.content
        row = await shop.row()
        assert row is not None
        assert (int(row["on_hand"]), int(row["held"])) == (10, 0)


@pytest.mark.req("PAY-06")
@pytest.mark.parametrize("claimed", ["1", "99999999", "-5", "a lot", "0.5"])
async def test_the_amount_a_buyer_names_changes_nothing(stack: RunningStack, claimed: str) -> None:
    """Whatever the order claims, the request is for the shop's own price: 19.58 USD, 19,580 sats (attack 26)."""
    async with Shop(stack) as shop:
        buyer = await shop.buyer()
        order_id = secrets.token_hex(6)
        tags = (
            ("type", "1"),
            ("order", order_id),
            ("amount", claimed),
            ("item", shop.product, "1"),
            ("shipping", shop.shipping),
        )
        await buyer.send(shop.merchant.public_key, Kind.ORDER, (*tags, ("address", "Berlin, Germany")))

        request = await buyer.wait_for(order_id, "2")
        # 10.99 + 5.99 + 1.00 extra + 0.4 kg × 0.75 = 18.28
        assert request.tag("amount") == "18280"


def test_the_helpers_make_what_they_say() -> None:
    """An untampered wrap made with the same helpers is a good one, so each code has one cause."""
    buyer, merchant = a_key(), a_key()
    rumor = Rumor(**an_order_rumor(buyer.public_key, merchant.public_key))
    inner = seal(rumor, buyer, merchant.public_key, rumor.created_at, bytes(32), bytes(32))
    assert wrap(inner, merchant.public_key, a_key(), rumor.created_at, bytes(32), bytes(32)).kind == Kind.GIFT_WRAP
    assert make_rumor(buyer.public_key, 1, 1, (), "").pubkey == buyer.public_key
