"""The way a new shop goes: relays asked, inbox list published, preferences and listings looked through, a trial.

Each step says in one sentence what is so or what to do next. One that cannot be done undoes nothing (C-41).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Final, Literal

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from schemas.market.describing import READERS
from schemas.market.handlers import SHOPPING_KINDS, read_handler, read_recommendation
from schemas.market.mints import read_mints
from schemas.market.profile import read_profile
from schemas.market.reading import MarketRefused
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event
from schemas.nostr.nip17 import read_inbox_relays
from schemas.nostr.nip65 import read_relay_list
from schemas.preferences import AppRecommendation, Preference
from services.cli import payment_choice
from services.cli.client import Stack
from services.cli.looking import Seen, look, look_up
from services.cli.output import ERR
from services.demo.trial import TrialFailed, try_shop
from services.relays.urls import relays_named_by_stranger
from streams.domain.payment_choice import choose

LISTS: Final = (Kind.METADATA, Kind.RELAY_LIST, Kind.INBOX_RELAYS, Kind.NUTZAP_INFO, Kind.APP_RECOMMENDATION)
GOODS: Final = (Kind.PRODUCT, Kind.COLLECTION, Kind.SHIPPING_OPTION)
INBOXES_MAX: Final = 3
"""A list of more makes every sender publish more often (NIP-17)."""
READ_WITHIN_S: Final = 20.0
"""How long the stack may take to read what the relays were seen to have."""

State = Literal["done", "todo", "failed"]
_MARKS: Final[dict[State, tuple[str, str]]] = {"done": ("✓", "green"), "todo": ("→", "yellow"), "failed": ("✗", "red")}


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one step: `done`, `todo` with what to do next, `failed` where the shop is not ready."""

    name: str
    state: State
    said: str


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A shop that was just added. `is_new_key` means that no client ever used its key."""

    name: str
    public_key: str
    relays: tuple[str, ...]
    is_new_key: bool


def settle(stack: Stack, shop: Newcomer, first: list[Step], with_trial: bool, country: str | None) -> list[Step]:
    """Take every step after the key, shown live in a terminal; what failed is said on the error stream either way."""
    steps = list(first)
    if ERR.is_terminal:
        with Live(_shown(steps), console=ERR, auto_refresh=False) as live:
            for step in _steps(stack, shop, with_trial, country):
                steps.append(step)
                live.update(_shown(steps), refresh=True)
        return steps
    for step in _steps(stack, shop, with_trial, country):
        steps.append(step)
        if step.state == "failed":
            ERR.print(f"[red]ncc:[/red] {step.name}: {escape(step.said)}", soft_wrap=True)
    return steps


def is_ready(steps: list[Step]) -> bool:
    """Whether buyers can reach the shop and are answered."""
    return all(step.state != "failed" for step in steps)


def as_rows(steps: list[Step]) -> list[dict[str, str]]:
    """The steps for a program."""
    return [asdict(step) for step in steps]


def _steps(stack: Stack, shop: Newcomer, with_trial: bool, country: str | None) -> Iterator[Step]:
    places = stack.get("/places")
    home = tuple(dict.fromkeys((*shop.relays, *places["own_relays"])))
    seen = _look_further(look((*home, *places["discovery_relays"]), shop.public_key, (*LISTS, *GOODS)), shop)
    yield _relays(seen, home)
    yield _profile(seen)
    yield _inbox(stack, shop, seen, home)
    yield _preferences(shop, seen)
    yield _listings(stack, shop, sum(map(_is_readable, seen.of(*GOODS))))
    if with_trial:
        yield _trial(stack, shop, country)


def _look_further(seen: Seen, shop: Newcomer) -> Seen:
    """Also where the merchant's other clients write (10002), if no inbox list was found nearer."""
    listed = seen.newest(Kind.RELAY_LIST)
    if listed is None or seen.newest(Kind.INBOX_RELAYS) is not None:
        return seen
    further = [url for url in relays_named_by_stranger(read_relay_list(listed).write) if url not in seen.asked]
    return seen.along_with(look(further, shop.public_key, (*LISTS, *GOODS))) if further else seen


def _relays(seen: Seen, home: tuple[str, ...]) -> Step:
    away = [relay for relay in home if relay in seen.silent]
    if len(away) == len(home):
        why = seen.silent[home[0]] if home else "none is named"
        return Step("relays", "failed", f"no relay answers ({why}): name others with --relay, and add the shop again")
    found = seen.newest(Kind.RELAY_LIST)
    lists = read_relay_list(found) if found else None
    said = f"{len(home) - len(away)} of {len(home)} answer"
    if lists is not None:
        said += f", and {len({*lists.read, *lists.write})} of the relay list (10002) are read as well"
    if away:
        return Step("relays", "todo", f"{said}; {', '.join(away)} does not, and is tried again by itself")
    return Step("relays", "done", said)


def _profile(seen: Seen) -> Step:
    event = seen.newest(Kind.METADATA)
    if event is None:
        return Step("profile", "todo", "none (kind 0) is there: publish one with any client, so that buyers see a name")
    return Step("profile", "done", f"buyers see {read_profile(event).name or 'no name yet'}")


def _inbox(stack: Stack, shop: Newcomer, seen: Seen, home: tuple[str, ...]) -> Step:
    """Where buyers write: published where there is no list, and never over one that another client wrote (T65-01)."""
    later = f"run `ncc merchant relays {shop.name}` later"
    event = seen.newest(Kind.INBOX_RELAYS)
    named = read_inbox_relays(event) if event else ()
    if named:
        return Step("inbox", "done", f"the inbox list (10050) names {', '.join(named)}")
    if event is not None:
        return Step(
            "inbox", "failed", f"the inbox list (10050) names no relay: `ncc merchant relays {shop.name} --yes`"
        )
    away = [relay for relay in home if relay in seen.silent]
    if not seen.answering or (away and not shop.is_new_key):
        where = ", ".join(away) or "any relay"
        return Step("inbox", "failed", f"an inbox list (10050) may be at {where}, which does not answer: {later}")
    wished = [relay for relay in home if relay not in away][:INBOXES_MAX] or list(home[:INBOXES_MAX])
    answer = stack.put(f"/relays/{shop.public_key}", {"list": "inbox", "relays": wished, "replaces": False})
    if answer["decided"] == "refused":
        return Step("inbox", "done", f"the inbox list (10050) is another client's: {answer['detail']}")
    said = "is published: it names" if answer["decided"] == "done" else "names"
    return Step("inbox", "done", f"the inbox list (10050) {said} {', '.join(answer['relays'])}")


def _preferences(shop: Newcomer, seen: Seen) -> Step:
    choice = choose(shop.public_key, {one.coordinate: one for one in _said(seen)})
    row = {"merchant": shop.public_key, "flaws": [flaw.value for flaw in choice.flaws]}
    found = [f"{what}: {remedy}" for _, _, what, remedy in payment_choice.findings([row], {})]
    if found:
        return Step("preferences", "todo", "; ".join(found))
    return Step("preferences", "done", f"new orders are paid {choice.flow.value}")


def _said(seen: Seen) -> Iterator[Preference]:
    """The shop's payment preferences, and the applications they recommend."""
    for event in seen.of(Kind.METADATA, Kind.NUTZAP_INFO, Kind.APP_RECOMMENDATION):
        try:
            one: Preference = _PREFERENCES[Kind(event.kind)](event)
        except MarketRefused:
            continue
        if not isinstance(one, AppRecommendation):
            yield one
        elif one.kind in SHOPPING_KINDS:
            yield one
            yield from _apps(one, seen.answering)


_PREFERENCES: Final[dict[Kind, Callable[[Event], Preference]]] = {
    Kind.METADATA: read_profile,
    Kind.NUTZAP_INFO: read_mints,
    Kind.APP_RECOMMENDATION: read_recommendation,
}


def _apps(recommendation: AppRecommendation, relays: tuple[str, ...]) -> Iterator[Preference]:
    for app in recommendation.apps:
        hints = relays_named_by_stranger([app.relay] if app.relay else [])
        event = look_up((*relays, *hints), Coordinate.parse(app.coordinate))
        if event is not None:
            try:
                yield read_handler(event)
            except MarketRefused:
                continue


def _is_readable(event: Event) -> bool:
    try:
        READERS[event.kind](event)
    except MarketRefused:
        return False
    return True


def _listings(stack: Stack, shop: Newcomer, there: int) -> Step:
    """What is for sale, once the stack has read what relays have, and what wants mending in it."""
    if not there:
        how = "`ncc listing add FILE`, or `ncc shop import` for a shop that is somewhere else"
        return Step("listings", "todo", f"nothing is published yet: {how}")
    rows = _until(lambda: _read(stack, shop, there), READ_WITHIN_S)
    if rows is None:
        return Step("listings", "todo", f"{there} are on relays and not all are read yet: look with `ncc shop lint`")
    wrong = stack.get(f"/catalogue/{shop.public_key}/findings")
    if wrong:
        first = f"{wrong[0]['coordinate'].split(':', 2)[2]}: {wrong[0]['flaw'].replace('_', ' ')}"
        return Step("listings", "todo", f"{rows} read, {len(wrong)} want mending ({first}): see `ncc shop lint`")
    return Step("listings", "done", f"{rows} listings, options and collections are read, nothing to mend")


def _read(stack: Stack, shop: Newcomer, there: int) -> int | None:
    read = len(stack.get(f"/catalogue/{shop.public_key}"))
    return read if read >= there else None


def _trial(stack: Stack, shop: Newcomer, country: str | None) -> Step:
    """A stranger's order, answered with a payment request and cancelled."""
    item = _until(lambda: _for_sale(stack, shop), READ_WITHIN_S)
    if item is None:
        return Step("trial", "failed", f"nothing is in stock to order: publish a listing, then `ncc try {shop.name}`")
    try:
        trial = asyncio.run(try_shop(stack.ready["relay"], shop.public_key, item, country))
    except TrialFailed as failed:
        return Step("trial", "failed", str(failed))
    if trial.outcome != "asked_for_payment":
        return Step("trial", "failed", f"a buyer is not asked to pay ({trial.outcome}): `ncc try {shop.name}` says why")
    return Step("trial", "done", f"a buyer is asked for {trial.amount_sats:,} sats; the order was cancelled, unpaid")


def _for_sale(stack: Stack, shop: Newcomer) -> str | None:
    rows = [row for row in stack.get("/stock") if row["merchant"] == shop.public_key and not row["withdrawn"]]
    there = (row for row in rows if row["on_hand"] is None or int(row["on_hand"]) > int(row["held"]))
    return next((str(row["coordinate"]) for row in there), None)


def _until[T](ask: Callable[[], T | None], patience_s: float) -> T | None:
    give_up_s = time.monotonic() + patience_s
    while (answer := ask()) is None and time.monotonic() < give_up_s:
        time.sleep(0.3)
    return answer


def _shown(steps: list[Step]) -> Group:
    lines = []
    for step in steps:
        mark, colour = _MARKS[step.state]
        lines.append(Text.assemble((f"{mark} {step.name:<12}", colour), step.said))
    return Group(*lines)
