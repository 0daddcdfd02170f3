"""Examples of what a merchant publishes: commands, facts and the row that shows it."""

from __future__ import annotations

from schemas.messages import CommandBody, Event
from schemas.publishing import (
    Draft,
    DraftRecorded,
    KeepDraft,
    PublicationPromised,
    PublicationRefused,
    PublishApp,
    PublishOffer,
    PublishRelays,
    RecordDraft,
    RecordRelays,
    RelayNames,
    RelaysRecorded,
    WithdrawOffer,
)
from schemas.rows import OfferRow
from tools.example_values import AT_MS, AT_S, EVENT, LISTING, MERCHANT, VASE

DRAFT = Draft(
    coordinate=f"31234:{MERCHANT}:vase",
    event_id="e5" * 32,
    created_at=AT_S,
    of_kind=30402,
    content="AgK…",
    expires_at=AT_S + 7_776_000,
)
INBOXES = RelayNames(kind=10050, event_id="e6" * 32, created_at=AT_S, relays=("wss://relay.example",))
COMMANDS: tuple[CommandBody, ...] = (
    PublishOffer(
        coordinate=VASE,
        tags=(("title", "Vase, blue"),),
        rules=("title",),
        content="A blue vase.",
        expects=EVENT,
        draft=DRAFT.coordinate,
        cause="operator 1",
    ),
    WithdrawOffer(coordinate=VASE, cause="operator 2"),
    KeepDraft(
        coordinate=DRAFT.coordinate, of_kind=30402, content="AgK…", expires_at=AT_S + 7_776_000, cause="operator 3"
    ),
    RecordDraft(draft=DRAFT),
    PublishRelays(kind=10050, relays=("wss://relay.example",), replaces=True, cause="operator 4"),
    RecordRelays(names=INBOXES),
    PublishApp(
        coordinate=f"31989:{MERCHANT}:30402",
        tags=(("d", "30402"), ("a", f"31990:{'ab' * 32}:orders", "wss://relay.example", "web")),
        cause="operator 5",
    ),
)
EVENTS: tuple[Event, ...] = (
    PublicationPromised(
        coordinate=VASE,
        event_id=EVENT,
        template=LISTING.template,
        relays=("wss://relay.example",),
        cause="operator 1",
    ),
    PublicationRefused(coordinate=VASE, reason="already_there", detail="there is one of this id", cause="operator 1"),
    DraftRecorded(draft=DRAFT),
    RelaysRecorded(names=INBOXES),
)
ROW = OfferRow(
    merchant=MERCHANT,
    coordinate=VASE,
    event_id=EVENT,
    created_at=AT_S,
    title="Vase",
    body=LISTING.model_dump_json(),
    updated_ms=AT_MS,
    partition=3,
    sequence=9,
)
