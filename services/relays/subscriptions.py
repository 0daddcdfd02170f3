"""What we ask of a relay: subscriptions cut into REQs that fit it, where to resume, how to page.

Everything here is a pure function over plain values.
Source: NIP-01 (filters, `since`, `until`), NIP-11 (limits), NIP-59 (wraps are dated up to two days back).
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.relays.frames import Filter, compact_json

LOOK_BACK_S = 2 * 86_400 + 3_600
"""A wrap's time is up to two days before it was sent; the hour is slack for clocks that disagree."""
TIME_BOUNDS_BYTES = 48
"""Room for the `since` and `until` that are added to a filter when it is sent."""
REQ_BYTES = 64
"""Room for the frame around the filters."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Something wanted from a relay; the name is ours, never sent, and must be unique on a relay.

    On resuming, events are asked for from `since_look_back_s` before the time up to which the relay is known
    complete. A filter that carries a `limit` is asked once and never paged.
    With an `identity` (a public key) it goes over a connection that is this one's alone.
    """

    name: str
    filters: tuple[Filter, ...]
    since_look_back_s: int = LOOK_BACK_S
    identity: str = ""

    @property
    def cursor_key(self) -> str:
        """Return the name under which to store how far this was read; other filters, other key."""
        canonical = json.dumps(self.filters, sort_keys=True, separators=(",", ":"))
        return f"{self.name}:{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """What one relay puts up with (its NIP-11 document); the defaults suit the relays seen in the wild.

    `page_events` is the smallest number of stored events that may be a cut-off answer.
    """

    message_max_bytes: int = 16_384
    subscriptions_max: int = 20
    filters_max: int = 10
    page_events: int = 100


@dataclass(frozen=True, slots=True)
class Ask:
    """One filter of one subscription."""

    subscription: str
    cursor_key: str
    filter_text: str
    look_back_s: int

    @property
    def has_limit(self) -> bool:
        """Return whether the caller wants only so many."""
        return "limit" in json.loads(self.filter_text)

    def bounded(self, since_s: int | None, until_s: int | None) -> Filter:
        """Return the filter within times; a time the caller's filter already holds is only made tighter."""
        bounded: dict[str, object] = json.loads(self.filter_text)
        for key, bound_s, tighter in (("since", since_s, max), ("until", until_s, min)):
            own = bounded.get(key)
            if bound_s is not None:
                bounded[key] = tighter(own, bound_s) if isinstance(own, int) else bound_s
        return bounded


type Group = tuple[Ask, ...]
"""The asks that share one REQ."""


def plan(subscriptions: Iterable[Subscription], limits: RelayLimits) -> tuple[Group, ...]:
    """Cut subscriptions into REQs within the relay's limits; one place is kept free for paging.

    Subscriptions share a REQ only where there are more of them than the relay allows.
    What does not fit even so is left in, and the relay's own refusal tells about it.
    """
    room = limits.message_max_bytes - REQ_BYTES
    groups: list[Group] = []
    for subscription in subscriptions:
        asks = [ask for one in subscription.filters for ask in _asks(subscription, one, room)]
        groups.extend(_packed(asks, room, limits.filters_max))
    if len(groups) > max(1, limits.subscriptions_max - 1):
        groups = _packed([ask for group in groups for ask in group], room, limits.filters_max)
    return tuple(groups)


def label(group: Group) -> str:
    """Return the name under which events of a REQ are reported: its subscription's, or several joined."""
    return "+".join(dict.fromkeys(ask.subscription for ask in group))


def resume_since(cursor_s: int | None, look_back_s: int) -> int | None:
    """Return where to resume (unix seconds): everything, if nothing is known to be complete."""
    return None if cursor_s is None else max(0, cursor_s - look_back_s)


def next_until(
    until_s: int | None, oldest_s: int | None, count: int, since_s: int | None, page_events: int
) -> int | None:
    """Return the `until` of the next page, None when this was the last.

    `until_s` is what this page was asked with (None: no bound), `oldest_s` and `count` what came within it.
    The next page begins *at* the oldest second, since the cut may have gone through it.
    A page that is full of one single second cannot be continued, so the next one steps over that second;
    the caller sees it as a result below `oldest_s`.
    """
    if oldest_s is None:
        return None
    if until_s is None:
        following = oldest_s if count >= page_events else None
    elif oldest_s < until_s:
        following = oldest_s
    else:
        following = oldest_s - 1 if count >= page_events else None
    return None if following is None or following < (since_s or 0) else following


def _asks(subscription: Subscription, one: Filter, room: int) -> list[Ask]:
    return [
        Ask(subscription.name, subscription.cursor_key, compact_json(part), subscription.since_look_back_s)
        for part in _split(one, room)
    ]


def _split(one: Filter, room: int) -> list[Filter]:
    """Halve a filter's longest list until each part fits; the parts together match the same events."""
    if _size(compact_json(one)) <= room:
        return [one]
    lists = [(len(value), key) for key, value in one.items() if isinstance(value, list | tuple)]
    length, key = max(lists, default=(0, ""))
    if length < 2:
        return [one]
    values = one[key]
    assert isinstance(values, Sequence)
    halves = (values[: length // 2], values[length // 2 :])
    return [part for half in halves for part in _split({**one, key: half}, room)]


def _packed(asks: list[Ask], room: int, filters_max: int) -> list[Group]:
    groups: list[list[Ask]] = []
    used = room
    for ask in asks:
        size = _size(ask.filter_text)
        if used + size > room or len(groups[-1]) >= filters_max:
            groups.append([])
            used = 0
        groups[-1].append(ask)
        used += size
    return [tuple(group) for group in groups]


def _size(filter_text: str) -> int:
    return len(filter_text.encode()) + TIME_BOUNDS_BYTES
