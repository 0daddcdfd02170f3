"""The catalogue over HTTP, on the real domain and the real signer, without a broker: wishes in, decisions out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.merchants import Merchant
from schemas.messages import Command, JournalRecord
from schemas.nostr.kinds import Kind
from schemas.publishing import PublicationPromised
from schemas.rows import OfferRow, Row
from services.api import catalogue
from services.api.app import Services, make_app
from services.signer.keystore import Keystore
from services.signer.local import LocalSigner
from streams.domain.lint import lint_offers
from streams.domain.projections import RowKey, fold
from tests.schemas.nostr import given
from tests.support.builders import NOW_MS, NOW_S, post, product
from tests.support.story import Story

SHOP = given.MERCHANT.public_key
TEA = {"id": "tea", "title": "Tea", "price": "10 USD", "stock": 5, "description": "Green."}
HIDDEN = "A teapot nobody knows of"


class Deployment:
    """One shop: its decider, its rows, its signer."""

    def __init__(self, folder: Path) -> None:
        keystore = Keystore(folder / "keys", folder / "passphrase")
        keystore.add(given.MERCHANT)
        self.story = Story(merchant=SHOP)
        self.table: dict[RowKey, Row] = {}
        self.heard: list[Command] = []
        services = Services(
            token="t",
            desk=self,
            queries=self,
            merchants=self,
            put_merchant=lambda _merchant: None,  # type: ignore[arg-type,return-value]
            personal=lambda _merchant, _ref: None,
            replayer=None,
            is_signer_for=lambda _key: True,
            seal=lambda *_: None,
            signer=LocalSigner(keystore),
            lint=self.lint,
            raw=None,
            letters=None,
        )
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(make_app(services)),
            base_url="http://ncc",
            headers={"Authorization": "Bearer t"},
        )

    async def ask(self, command: Command) -> JournalRecord | None:
        """Decide, fold and project."""
        self.heard.append(command)
        self.story.when(command)
        if not self.story.events:
            return None
        record = self.story.journal[-1]
        self.table.update(fold(record, 0, self.table.get))
        return record

    async def rows(self, _sql: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        """What ClickHouse would hold of offers."""
        found = [row for row in self.table.values() if isinstance(row, OfferRow) and not row.withdrawn]
        chosen = [
            row for row in found if row.coordinate == params.get("c") or row.coordinate.startswith(params.get("k", "-"))
        ]
        return [{"body": row.body} for row in sorted(chosen, key=lambda row: row.coordinate)][params.get("offset", 0) :]

    def get(self, key: str) -> Merchant | None:
        """The shop."""
        return Merchant(public_key=SHOP, name="shop", added_ms=NOW_MS) if key == SHOP else None

    def lint(self, merchant: str, offers: Any) -> list[dict[str, str]]:
        """As the api role composes it."""
        found = lint_offers(merchant, offers, self.story.shop.settings, NOW_S, {"USD"})
        return [{"coordinate": one.coordinate, "flaw": one.flaw.value, "detail": one.detail} for one in found]

    async def call(self, method: str, path: str, body: Any = None, code: int = 200, **params: Any) -> Any:
        """One request under the shop, and how it must end."""
        noun, _, rest = path.partition("/")
        where = f"/{noun}/{SHOP}{f'/{rest}' if rest else ''}"
        answer = await self.http.request(method, where, json=body, params=params)
        assert answer.status_code == code, answer.text
        return answer.json()

    async def put(self, noun: str, document: dict[str, Any], code: int = 200, **more: Any) -> Any:
        """A document."""
        return await self.call("PUT", f"catalogue/{noun}", {"document": document, **more}, code)

    @property
    def sent(self) -> list[PublicationPromised]:
        """What went out with the last decision."""
        return [event for event in self.story.events if isinstance(event, PublicationPromised)]


@pytest.fixture
async def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Deployment]:
    """A shop, and nobody who waits long for what is not there."""
    monkeypatch.setattr(catalogue, "PAUSE_S", 0.0)
    made = Deployment(tmp_path)
    yield made
    await made.http.aclose()


async def test_a_document_is_published_listed_changed_and_deleted(at: Deployment) -> None:
    """Only the fields that are named are changed; what is listed is the document that would write it."""
    (done,) = await at.put("listing", TEA, expects="")
    assert (done["decided"], done["coordinate"]) == ("done", f"30402:{SHOP}:tea")
    (again,) = await at.put("listing", TEA, expects="")
    assert again["decided"] == "nothing_new"
    (refused,) = await at.put("listing", {**TEA, "title": "Other"}, expects="")
    assert (refused["decided"], refused["reason"]) == ("refused", "already_there")

    await at.put("listing", {"id": "tea", "price": "12 USD", "stock": None}, fields=["price"])
    assert ("price", "12", "USD") in at.sent[0].template.tags
    await at.put("listing", {"id": "tea", "summary": "Fine", "title": "Ignored"}, fields=["summary"])
    (row,) = await at.call("GET", "catalogue", noun="listing")
    document = {**TEA, "price": "12 USD", "summary": "Fine", "format": "digital"}
    assert (row["noun"], row["id"], row["document"]) == ("listing", "tea", document)

    gone = await at.call("DELETE", "catalogue/listing", id="tea")
    assert (gone["decided"], at.sent[0].template.kind) == ("done", 5)
    assert await at.call("GET", "catalogue") == []


@pytest.mark.req("SHP-13")
async def test_one_document_with_two_pickup_places_makes_two_events(at: Deployment) -> None:
    """Each with a `d` of its own."""
    places = [{"id": "berlin", "location": "Hauptstr. 1"}, {"id": "wien", "geohash": "u2edk"}]
    said = {"id": "pickup", "title": "Pickup", "price": "0 USD", "service": "pickup", "places": places}
    done = await at.put("shipping", said)
    assert [(one["id"], one["decided"]) for one in done] == [("berlin", "done"), ("wien", "done")]
    assert {row["id"] for row in await at.call("GET", "catalogue", noun="shipping")} == {"berlin", "wien"}


async def test_what_is_wrong_is_refused_in_a_sentence_before_anything_is_decided(at: Deployment) -> None:
    """With the field it is about."""
    for document, code, sentence in (
        ({**TEA, "price": "10"}, 400, "price: is an amount"),
        ({"id": "x"}, 400, "title: Field required"),
        ({**TEA, "stok": 1}, 400, "stok"),
    ):
        assert sentence in (await at.put("listing", document, code=code))["detail"]
    assert "add it first" in (await at.put("listing", {"id": "x", "price": "1 USD"}, 404, fields=["price"]))["detail"]
    assert "'note'" in (await at.put("note", TEA, 404))["detail"]
    assert at.heard == []
    stranger = await at.http.get(f"/catalogue/{'ab' * 32}")
    assert stranger.status_code == 404


async def test_an_import_leaves_what_was_sold_alone(at: Deployment) -> None:
    """With `keeps_stock` the number is the shop's, whatever the document says."""
    await at.put("listing", TEA)
    await at.put("listing", {**TEA, "title": "Leaf", "stock": 99}, keeps_stock=True)
    assert ("stock", "5") in at.sent[0].template.tags


@pytest.mark.req("CAT-13")
async def test_every_faulty_listing_has_its_finding(at: Deployment) -> None:
    """Each by its address, its flaw, and what it is about."""
    weighed = {"id": "post", "title": "Post", "price": "5 USD", "weight_max": "30 kg"}
    await at.put("shipping", weighed)
    for d, more in {
        "a": {"price": "10 XYZ"},
        "b": {"shipping": ["post", "ghost"], "weight": "1 kg"},
        "c": {"format": "physical"},
        "d": {"shipping": ["post"]},
        "e": {"structure": "variation", "parent": "nobody"},
        "f": {"location_of": "nowhere"},
    }.items():
        await at.put("listing", {"id": d, "title": d, "price": "10 USD", **more})
    rows = await at.call("GET", "catalogue/findings")
    assert [(row["coordinate"][-1], row["flaw"]) for row in rows if row["coordinate"].startswith("30402")] == [
        ("a", "unpriceable_currency"),
        ("b", "dangling_reference"),
        ("c", "physical_without_shipping"),
        ("d", "measure_missing"),
        ("e", "dangling_reference"),
        ("e", "orphan_variation"),
        ("f", "dangling_reference"),
    ]


@pytest.mark.req("CAT-10")
async def test_a_draft_is_saved_listed_edited_published_and_another_discarded(at: Deployment) -> None:
    """No command, no event and no row has a word of it before it is published."""
    teapot = {"id": "pot", "title": HIDDEN, "price": "30 USD"}
    await at.call("PUT", "drafts/listing", {"document": teapot})
    (promised,) = at.sent
    assert promised.template.kind == Kind.DRAFT_WRAP
    (row,) = await at.call("GET", "drafts")
    assert (row["id"], row["noun"], row["title"]) == ("pot", "listing", HIDDEN)
    assert row["document"] == {**teapot, "format": "digital"}
    await at.call("PUT", "drafts/listing", {"document": {**teapot, "price": "31 USD"}})
    said = "".join(command.model_dump_json() for command in at.heard)
    said += "".join(record.model_dump_json() for record in at.story.journal)
    assert HIDDEN not in said + "".join(row.model_dump_json() for row in at.table.values())
    assert await at.call("GET", "catalogue") == []

    done = await at.call("POST", "drafts/publish", id="pot")
    assert done["decided"] == "done"
    assert [one.template.kind for one in at.sent] == [Kind.PRODUCT, Kind.DRAFT_WRAP]
    assert ("title", HIDDEN) in at.sent[0].template.tags
    assert ("price", "31", "USD") in at.sent[0].template.tags
    assert at.sent[1].template.content == ""
    assert await at.call("GET", "drafts") == []

    await at.call("PUT", "drafts/shipping", {"document": {"id": "post", "title": "Post", "price": "5 USD"}})
    await at.call("DELETE", "drafts", id="post")
    assert await at.call("GET", "drafts") == []
    assert "no draft" in (await at.call("POST", "drafts/publish", id="post", code=404))["detail"]
    assert product("pot").split(":")[2] in {row["id"] for row in await at.call("GET", "catalogue")}
    assert post() not in at.story.shop.options


async def test_a_draft_of_a_listing_that_is_published_keeps_what_other_clients_wrote_there(at: Deployment) -> None:
    """It is an edit like any other, laid over the newest version."""
    await at.put("listing", TEA)
    await at.call("PUT", "drafts/listing", {"document": {**TEA, "price": "9 USD"}})
    before = at.story.shop.listings[f"30402:{SHOP}:tea"]
    template = before.template.model_copy(update={"tags": (*before.template.tags, ("x-foo", "1"))})
    at.story.shop.listings[before.coordinate] = before.model_copy(update={"template": template})
    await at.call("POST", "drafts/publish", id="tea")
    tags = at.sent[0].template.tags
    assert ("x-foo", "1") in tags
    assert ("price", "9", "USD") in tags


async def test_a_draft_that_cannot_be_opened_is_listed_with_what_is_wrong(at: Deployment) -> None:
    """Another key's, say; it can still be discarded."""
    await at.call("PUT", "drafts/listing", {"document": TEA})
    key = next(key for key in at.table if key.key.endswith("31234:" + SHOP + ":tea"))
    row = at.table[key]
    assert isinstance(row, OfferRow)
    at.table[key] = row.model_copy(update={"body": row.body.replace('"content":"', '"content":"AAAA')})
    (shown,) = await at.call("GET", "drafts")
    assert "cannot be opened" in shown["wrong"]
    assert "cannot be opened" in (await at.call("POST", "drafts/publish", id="tea", code=400))["detail"]
    assert (await at.call("DELETE", "drafts", id="tea"))["decided"] == "done"


async def test_relay_lists_are_published_one_of_them_in_private(at: Deployment) -> None:
    """What is there already is told; a name that is no relay is a sentence."""
    assert await at.call("GET", "relays") == {"inbox": None, "drafts": None}
    await at.call("PUT", "relays", {"relays": ["wss://a.example"]})
    assert at.sent[0].template.tags == (("relay", "wss://a.example"),)
    await at.call("PUT", "relays", {"relays": ["wss://r3.example"], "list": "drafts"})
    assert at.sent[0].template.tags == ()
    assert "r3" not in at.sent[0].template.content
    assert await at.call("GET", "relays") == {"inbox": ["wss://a.example"], "drafts": ["wss://r3.example"]}
    other = await at.call("PUT", "relays", {"relays": ["wss://b.example"]})
    assert (other["decided"], other["reason"]) == ("refused", "already_there")
    assert "relays" in (await at.call("PUT", "relays", {"relays": ["https://b.example"]}, code=400))["detail"]
