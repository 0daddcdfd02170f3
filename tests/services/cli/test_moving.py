"""Checks what an import from elsewhere would do, and what it says about what is here already."""

from __future__ import annotations

import json
from typing import Any

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event
from services.cli.looking import Seen, counts
from services.cli.moving import Plan, plan
from tests.support.builders import MERCHANT, NOW_S, an_event

LISTING = an_event(30402, ("d", "mug"), ("title", "Mug"), ("price", "9", "EUR"), at=NOW_S)
ODD = an_event(30402, ("d", "odd"), ("title", "Odd"), at=NOW_S)


def a_product(d: str, **said: Any) -> Event:
    """A product of NIP-15 without a stall."""
    content = {"id": d, "name": d.title(), "price": 5, "currency": "EUR", **said}
    return an_event(Kind.STALL_PRODUCT, ("d", d), content=json.dumps(content), at=NOW_S)


def planned(*events: Event, here: dict[tuple[str, str], dict[str, Any]] | None = None) -> Plan:
    """What an import of these would do."""
    return plan(Seen(counts(events), {}, ()), here or {})


def states(made: Plan) -> dict[str, tuple[str, str]]:
    """What is settled, by its source."""
    return {one.source: (one.state, one.why) for one in made.settled}


def test_every_event_of_the_source_is_handed_on_converted_or_named() -> None:
    """A listing goes as it is signed, a product becomes a document, and what cannot be read says why."""
    made = planned(LISTING, ODD, a_product("pot"), a_product("bad", price="no"))

    assert made.events == (LISTING,)
    assert [one.id for one in made.documents] == ["pot"]
    assert states(made)["30402 odd"][0] == "not imported"
    assert states(made)["product bad"][0] == "not imported"


def test_what_is_here_stays_and_a_difference_is_named() -> None:
    """The same event, a newer one, and a document with another price."""
    same = {"event_id": LISTING.id, "created_at": NOW_S, "document": {}}
    pot = {"event_id": "ab", "created_at": NOW_S, "document": {"id": "pot", "title": "Pot", "price": "6 EUR"}}
    here = {("listing", "mug"): same, ("listing", "pot"): pot}

    assert states(planned(LISTING, here=here))["30402 mug"] == ("same", "")
    newer = {("listing", "mug"): {**same, "event_id": "ff" * 32, "created_at": NOW_S + 1}}
    assert states(planned(LISTING, here=newer))["30402 mug"] == ("same", "a newer version is here")
    older = {("listing", "mug"): {**same, "event_id": "ff" * 32, "created_at": NOW_S - 1}}
    assert planned(LISTING, here=older).events == (LISTING,)
    ((state, why),) = states(planned(a_product("pot"), here=here)).values()
    assert (state, "another price" in why) == ("same", True)


def test_a_product_that_is_there_in_both_forms_is_imported_once() -> None:
    """The new form counts, whichever came first."""
    made = planned(a_product("mug"), LISTING)

    assert (made.events, made.documents) == ((LISTING,), ())
    assert states(made)["product mug"][0] == "same"


def test_what_its_author_deleted_is_not_part_of_the_source() -> None:
    """By address up to the deletion's time, or by id; a version after it counts again."""
    gone = an_event(5, ("a", f"30402:{MERCHANT}:mug"), at=NOW_S)
    later = LISTING.model_copy(update={"created_at": NOW_S + 1, "id": "ee" * 32})

    assert planned(LISTING, gone).events == ()
    assert planned(LISTING, an_event(5, ("e", LISTING.id), at=NOW_S)).events == ()
    assert planned(LISTING, gone, later).events == (later,)
