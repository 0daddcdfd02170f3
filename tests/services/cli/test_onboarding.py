"""Checks the steps of a shop that moves in, over real sockets, with a stack that takes down what is asked of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from schemas.nostr.kinds import Kind
from services.cli import looking
from services.cli.onboarding import Newcomer, Step, is_ready, settle
from tests.schemas.nostr import given
from tests.services.relays.scripted_relay import ScriptedRelay
from tests.services.test_directory import GONE, inbox, said

SHOP = given.MERCHANT


class Stack:
    """Answers as the API does, and keeps what was put."""

    def __init__(self, *own_relays: str, discovery: tuple[str, ...] = ()) -> None:
        self._places = {"own_relays": own_relays, "discovery_relays": discovery, "service_url": ""}
        self.put_bodies: list[tuple[str, dict[str, Any]]] = []

    def get(self, path: str) -> Any:
        """Where the deployment stands, and an empty shop."""
        return self._places if path == "/places" else []

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """Take a wish down."""
        self.put_bodies.append((path, body))
        return {"decided": "done", "relays": body["relays"]}


async def steps_of(stack: Stack, is_new_key: bool = False) -> dict[str, Step]:
    """Every step, by its name."""
    shop = Newcomer("shop", SHOP.public_key, (), is_new_key)
    steps = await asyncio.to_thread(settle, stack, shop, [], False, None)  # type: ignore[arg-type]
    assert is_ready(steps) is all(step.state != "failed" for step in steps)
    return {step.name: step for step in steps}


async def test_where_no_list_is_found_the_shops_own_relays_are_named_three_at_most() -> None:
    """Those that answered; the relays where strangers look are asked too, and not named."""
    async with ScriptedRelay() as one, ScriptedRelay() as two, ScriptedRelay() as three, ScriptedRelay() as four:
        stack = Stack(one.url, two.url, three.url, four.url, discovery=(GONE,))
        steps = await steps_of(stack, is_new_key=True)

    assert steps["inbox"].state == "done"
    wished = {"list": "inbox", "relays": [one.url, two.url, three.url], "replaces": False}
    assert stack.put_bodies == [(f"/relays/{SHOP.public_key}", wished)]


async def test_a_list_at_any_relay_that_was_asked_keeps_ours_from_being_published() -> None:
    """Also one that only the relay has where strangers look."""
    async with ScriptedRelay() as home, ScriptedRelay(inbox("wss://own.example", by=SHOP)) as looked_at:
        stack = Stack(home.url, discovery=(looked_at.url,))
        steps = await steps_of(stack)

    assert (steps["inbox"].state, stack.put_bodies) == ("done", [])
    assert "wss://own.example" in steps["inbox"].said


@pytest.mark.parametrize("is_new_key", [True, False])
async def test_a_relay_that_is_away_may_have_the_list_of_a_key_that_was_used_before(
    monkeypatch: pytest.MonkeyPatch, is_new_key: bool
) -> None:
    """A key that was made just now has none anywhere."""
    monkeypatch.setattr(looking, "LOOK_TIMEOUT_S", 1.0)
    async with ScriptedRelay() as home:
        stack = Stack(home.url, GONE)
        steps = await steps_of(stack, is_new_key)

    assert steps["relays"].state == "todo"
    assert bool(stack.put_bodies) is is_new_key
    if not is_new_key:
        assert (steps["inbox"].state, GONE in steps["inbox"].said) == ("failed", True)
        assert "ncc merchant relays shop" in steps["inbox"].said


async def test_a_list_that_names_nothing_is_not_replaced_without_being_asked() -> None:
    """Somebody wrote it; the step says how to."""
    async with ScriptedRelay(inbox(by=SHOP)) as home:
        stack = Stack(home.url)
        steps = await steps_of(stack)

    assert (steps["inbox"].state, stack.put_bodies) == ("failed", [])
    assert "--yes" in steps["inbox"].said


async def test_preferences_that_contradict_themselves_are_found_before_the_stack_has_read_them() -> None:
    """With what to do about them; the shop is ready all the same."""
    profile = said(Kind.METADATA, ("payment_preference", "lud16"), by=SHOP)
    async with ScriptedRelay(profile, inbox("wss://own.example", by=SHOP)) as home:
        steps = await steps_of(Stack(home.url))

    assert steps["preferences"].state == "todo"
    assert "put lud16 into the profile" in steps["preferences"].said
    assert steps["listings"].state == "todo"
