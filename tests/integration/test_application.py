"""The operator's application behind the buyers' door, and a merchant who recommends it (NIP-89)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from schemas.market.handlers import APP_HANDLES, read_handler
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event
from services.embedded.ports import free_port
from tests.integration.test_command_line import ncc, ncc_json
from tests.support.shop import Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


@pytest.mark.req("T89-02")
async def test_a_buyer_follows_a_merchants_recommendation_to_the_operators_door(tmp_path: Path) -> None:
    """31989 on the relay leads to a 31990 there, whose link answers; orders are paid through the service from then."""
    door = f"http://127.0.0.1:{free_port()}"
    with RunningStack(tmp_path, environment={"NCC_SERVICE_URL": door}) as stack:
        home = stack.home.root
        async with Shop(stack) as shop, httpx.AsyncClient(timeout=60, trust_env=False) as http:
            key = shop.merchant.public_key
            early = await asyncio.to_thread(ncc, "merchant", "recommend", key, home=home, code=2)
            assert "ncc service publish" in early
            app = (await asyncio.to_thread(ncc, "service", "publish", "--name", "Tills", home=home)).strip()
            await asyncio.to_thread(ncc, "merchant", "recommend", key, home=home)

            async def recommended() -> list[Event] | None:
                found = await shop.merchant.fetch(Kind.APP_RECOMMENDATION, key)
                return found if len(found) == 2 else None

            for event in await shop.until(recommended, "both recommendations on the relay"):
                (pointed,) = (tag for tag in event.tags if tag[0] == "a")
                assert pointed[1:] == (app, shop.relay, "web")
            assert {tag[1] for event in await recommended() or () for tag in event.tags if tag[0] == "d"} == {
                "30402",
                "16",
            }

            async def described() -> Event | None:
                target = Coordinate.parse(app)
                return next(iter(await shop.merchant.fetch(Kind.APP_HANDLER, target.pubkey)), None)

            event = await shop.until(described, "the application on the relay")
            handler = read_handler(event)
            assert (handler.coordinate, handler.kinds, handler.warnings) == (app, tuple(map(int, APP_HANDLES)), ())
            assert json.loads(event.content)["name"] == "Tills"
            assert event.pubkey != key
            opened = await http.get(handler.web[0].url.replace("<bech32>", "naddr1qqxnzd3cxyerxd3h8qerwwfc"))
            assert (opened.status_code, opened.json()["orders"]) == (200, "/orders")

            async def by_service() -> bool | None:
                shown = await asyncio.to_thread(ncc_json, "merchant", "show", key, home=home)
                return (shown["payment"]["flow"], shown["payment"]["flaws"]) == ("service", []) or None

            await shop.until(by_service, "orders paid through the service")
            await asyncio.to_thread(ncc, "merchant", "recommend", key, "--none", home=home)

            async def by_hand() -> bool | None:
                shown = await asyncio.to_thread(ncc_json, "merchant", "show", key, home=home)
                return shown["payment"]["flow"] == "manual" or None

            await shop.until(by_hand, "orders paid by hand again")
