"""Checks the operator's application and shops' recommendations over HTTP, down to what the journal promises."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from schemas.market.handlers import read_handler, read_recommendation
from schemas.messages import CommandBody
from schemas.nostr.nip01 import Event, event_id
from schemas.publishing import PublishApp
from services.api import applications
from services.api.places import Places
from tests.schemas.nostr import given
from tests.support.builders import NOW_S

SHOP, APP = given.MERCHANT.public_key, given.BUYER.public_key


class Desk:
    """Takes every wish down."""

    def __init__(self, places: Places) -> None:
        self.heard: list[tuple[str, PublishApp]] = []
        app = FastAPI()

        @app.exception_handler(ValueError)
        async def refused(_request: object, error: ValueError) -> JSONResponse:
            return JSONResponse({"detail": str(error)}, status_code=400)

        applications.add_routes(app, (), self.decide, lambda key: key == SHOP, lambda key: key == APP, places)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ncc")

    async def decide(self, merchant: str, body: CommandBody, _request: str | None) -> dict[str, object]:
        """As the decider would be asked."""
        assert isinstance(body, PublishApp)
        self.heard.append((merchant, body))
        return {"decided": "done"}


@pytest.fixture
def desk() -> Desk:
    """A deployment whose door is open."""
    return Desk(Places(own_relays=("wss://r.example",), service_url="http://127.0.0.1:8200"))


def event(author: str, kind: int, body: PublishApp) -> Event:
    """What would be signed."""
    made = event_id(author, NOW_S, kind, body.tags, body.content)
    return Event(
        pubkey=author, created_at=NOW_S, kind=kind, tags=body.tags, content=body.content, id=made, sig="00" * 64
    )


async def test_an_application_says_what_it_handles_and_where_as_the_world_reaches_it(desk: Desk) -> None:
    """The five kinds, a link with a place for an entity, and its name; our own reader finds nothing odd."""
    answer = await desk.http.put(f"/applications/{APP}", json={"name": "Tills", "url": "https://tills.example/"})

    assert answer.json()["web"] == "https://tills.example/open/<bech32>"
    ((key, body),) = desk.heard
    handler = read_handler(event(key, 31990, body))
    assert (key, handler.name, handler.warnings) == (APP, "Tills", ())
    assert handler.kinds == (30402, 30405, 30406, 16, 17)
    assert handler.coordinate == answer.json()["coordinate"] == body.coordinate


async def test_a_recommendation_names_the_application_and_where_it_is_found(desk: Desk) -> None:
    """For listings and for orders; without an application it names none."""
    app = f"31990:{APP}:orders"
    await desk.http.put(f"/recommendations/{SHOP}", json={"app": app})
    await desk.http.put(f"/recommendations/{SHOP}", json={"app": None})

    said = [read_recommendation(event(SHOP, 31989, body)) for _, body in desk.heard]
    assert [one.kind for one in said] == [16, 30402, 16, 30402]
    assert [[(a.coordinate, a.relay, a.platform) for a in one.apps] for one in said] == [
        *([[(app, "wss://r.example", "web")]] * 2),
        [],
        [],
    ]


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        (f"/applications/{SHOP}", {"name": "x"}, "key is a shop's"),
        (f"/applications/{'ab' * 32}", {"name": "x"}, "ncc service publish"),
        (f"/applications/{APP}", {"name": "x", "url": "ftp://x"}, "https://"),
        (f"/recommendations/{SHOP}", {"app": f"30402:{APP}:x"}, "31990:"),
        (f"/recommendations/{SHOP}", {"app": "nonsense"}, "31990:"),
        (f"/recommendations/{APP}", {"app": None}, "ncc merchant list"),
    ],
)
async def test_what_cannot_be_published_is_said_in_a_sentence(
    desk: Desk, path: str, body: dict[str, object], sentence: str
) -> None:
    """And nothing is asked of the decider."""
    answer = await desk.http.put(path, json=body)

    assert answer.is_client_error
    assert sentence in answer.json()["detail"]
    assert desk.heard == []


async def test_without_the_door_there_is_no_application_to_speak_of() -> None:
    """The sentence names the setting."""
    answer = await Desk(Places()).http.put(f"/applications/{APP}", json={"name": "x"})

    assert "NCC_SERVICE_URL" in answer.json()["detail"]
