"""The REQs open on one connection: which to send, when to page on, retry or close, and what is complete.

```
REQ ──▶ stored events ──EOSE──▶ cut off? ──yes──▶ page by page into the past ──▶ complete up to the REQ's time
 ▲                                  └───no──────────────────────────────────────▶        │ then live, and each
 └── CLOSED or silence: authenticate or wait, then again                                 ▼ answered ping adds to it
```
A state machine without I/O: it is told what happened and when, and says what to send.
Every REQ goes out under a name never used before on the connection, so that a late EOSE of a former one
cannot pass for an answer; the names tell the relay nothing.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from services.relays.frames import close_message, prefix_of, req_message
from services.relays.pace import Backoff
from services.relays.reports import ReportKind
from services.relays.subscriptions import Ask, Group, next_until, resume_since

PAGES_MAX = 10_000
"""Pages of one filter in one connection; a relay that has still more is making them up."""


@dataclass(frozen=True, slots=True)
class Now:
    """One moment by two clocks: a steady one for waits, and unix seconds for `since` and `until`."""

    steady_s: float
    unix_s: int


@dataclass(frozen=True, slots=True)
class Reached:
    """A subscription is complete up to `until_s` (unix)."""

    subscription: str
    cursor_key: str
    until_s: int


@dataclass(slots=True)
class _Query:
    """One REQ: the live one of a group (`owner`), or a page into the past of one of its filters."""

    owner: Group
    asks: Group
    is_page: bool
    since_s: tuple[int | None, ...]
    until_s: int | None = None
    page_number: int = 0
    active_at_s: float = 0.0
    count: int = 0
    oldest_s: int | None = None
    has_eose: bool = False

    def note(self, created_at: int | None) -> None:
        """Count a stored event, unless it lies outside what was asked for."""
        if self.has_eose or created_at is None:
            return
        if created_at < min(bound or 0 for bound in self.since_s):
            return
        if self.until_s is not None and created_at > self.until_s:
            return
        self.count += 1
        self.oldest_s = created_at if self.oldest_s is None else min(self.oldest_s, created_at)


@dataclass(slots=True)
class _Progress:
    """How far one group is read on this connection."""

    asked_at_s: int = 0
    has_eose: bool = False
    pages_open: int = 0
    refusals: int = 0

    @property
    def is_complete(self) -> bool:
        return self.has_eose and self.pages_open == 0


@dataclass(slots=True)
class _Retry:
    due_at_s: float
    query: _Query
    needs_authentication: bool


@dataclass(slots=True)
class QueryBook:
    """All queries of one connection.

    `cursor` gives the time up to which a cursor key is known complete, `draw` a random number in [0, 1).
    """

    cursor: Callable[[str], int | None]
    page_events: int
    eose_timeout_s: float
    again: Backoff
    draw: Callable[[], float]
    report: Callable[[ReportKind, str], None]
    _progress: dict[Group, _Progress] = field(default_factory=dict)
    _open: dict[str, _Query] = field(default_factory=dict)
    _pages: deque[_Query] = field(default_factory=deque)
    _retries: list[_Retry] = field(default_factory=list)
    _refused: list[_Query] = field(default_factory=list)
    _outbox: list[str] = field(default_factory=list)
    _names_given: int = 0
    _stalled_at_s: float = float("-inf")

    # What we want

    def want(self, groups: Iterable[Group], now: Now) -> None:
        """Open the groups that are new, close those no longer wanted, leave the others alone."""
        wanted = dict.fromkeys(groups)
        for group in [one for one in self._progress if one not in wanted]:
            self._drop(group, pages_only=False)
            del self._progress[group]
        for group in wanted:
            if group not in self._progress:
                self._progress[group] = _Progress()
                self._ask_live(group, now)

    def messages(self, now: Now, *, is_stalled: bool = False) -> list[str]:
        """Return the frames to send now; while we are stalled ourselves, the relay's silence is no fault."""
        if is_stalled:
            self._stalled_at_s = now.steady_s
        self._give_up_silent(now)
        due = [retry for retry in self._retries if retry.due_at_s <= now.steady_s]
        self._retries = [retry for retry in self._retries if retry.due_at_s > now.steady_s]
        for retry in due:
            if retry.needs_authentication:
                self._refused.append(retry.query)
            else:
                self._ask_again(retry.query, now)
        if self._pages and not any(query.is_page for query in self._open.values()):
            self._send(self._pages.popleft(), now)
        messages, self._outbox = self._outbox, []
        return messages

    # What the relay says

    def on_event(self, name: str, created_at: int | None, now_s: float) -> Group | None:
        """Note an event and return the group it was sent for, None if nobody asked."""
        query = self._open.get(name)
        if query is None:
            return None
        query.active_at_s = now_s
        query.note(created_at)
        return query.owner

    def on_eose(self, name: str) -> list[Reached]:
        """Note the end of stored events; call it when all of them are in safe hands."""
        query = self._open.get(name)
        if query is None or query.has_eose:
            return []
        query.has_eose = True
        progress = self._progress[query.owner]
        progress.refusals = 0
        following = list(self._following_pages(query))
        if query.is_page:
            self._close(name)
            progress.pages_open -= 1
        else:
            progress.has_eose = True
        progress.pages_open += len(following)
        self._pages.extend(following)
        return self._reached_by(query.owner) if progress.is_complete else []

    def on_closed(self, name: str, message: str, now: Now) -> Group:
        """Note that the relay ended a query, and return the group it was for, empty if nobody asked; it is asked
        again, after authentication or a wait.
        """
        query = self._open.pop(name, None)
        if query is None:
            return ()
        progress = self._progress[query.owner]
        progress.refusals += 1
        if not query.is_page:
            progress.has_eose = False
        needs_authentication = prefix_of(message) == "auth-required"
        if needs_authentication and progress.refusals == 1:
            self._refused.append(query)
        else:
            self._retry_later(query, now, needs_authentication=needs_authentication)
        return query.owner

    def on_pong(self, pinged_at_s: int) -> list[Reached]:
        """Note that everything sent before a ping is in safe hands: what was complete is so up to the ping."""
        keys = {ask.cursor_key: ask for group in self._progress for ask in group}
        return [Reached(ask.subscription, key, pinged_at_s) for key, ask in keys.items() if self._is_complete(key)]

    # Authentication

    @property
    def needs_authentication(self) -> bool:
        """Return whether a query was refused for want of authentication."""
        return bool(self._refused)

    def on_authentication(self, is_accepted: bool, now: Now) -> None:
        """Ask the refused queries again: at once if the relay accepted us, else after a wait."""
        refused, self._refused = self._refused, []
        for query in refused:
            if is_accepted:
                self._ask_again(query, now)
            else:
                self._progress[query.owner].refusals += 1
                self._retry_later(query, now, needs_authentication=True)

    # Asking

    def _ask_live(self, group: Group, now: Now) -> None:
        progress = self._progress[group]
        progress.asked_at_s, progress.has_eose = now.unix_s, False
        since_s = tuple(resume_since(self.cursor(ask.cursor_key), ask.look_back_s) for ask in group)
        self._send(_Query(group, group, is_page=False, since_s=since_s), now)

    def _ask_again(self, query: _Query, now: Now) -> None:
        if query.is_page:
            self._pages.appendleft(_fresh(query))
            return
        self._drop(query.owner, pages_only=True)
        self._ask_live(query.owner, now)

    def _send(self, query: _Query, now: Now) -> None:
        self._names_given += 1
        name = f"q{self._names_given}"
        query.active_at_s = now.steady_s
        self._open[name] = query
        filters = [ask.bounded(since_s, query.until_s) for ask, since_s in zip(query.asks, query.since_s, strict=True)]
        self._outbox.append(req_message(name, filters))

    def _close(self, name: str) -> None:
        del self._open[name]
        self._outbox.append(close_message(name))

    def _drop(self, group: Group, *, pages_only: bool) -> None:
        def goes(query: _Query) -> bool:
            return query.owner == group and (query.is_page or not pages_only)

        for name in [name for name, query in self._open.items() if goes(query)]:
            self._close(name)
        self._pages = deque(query for query in self._pages if not goes(query))
        self._retries = [retry for retry in self._retries if not goes(retry.query)]
        self._refused = [query for query in self._refused if not goes(query)]
        self._progress[group].pages_open = 0

    def _retry_later(self, query: _Query, now: Now, *, needs_authentication: bool = False) -> None:
        wait_s = self.again.delay_s(max(0, self._progress[query.owner].refusals - 1), self.draw())
        self._retries.append(_Retry(now.steady_s + wait_s, query, needs_authentication))

    def _give_up_silent(self, now: Now) -> None:
        deadline_s = now.steady_s - self.eose_timeout_s
        if self._stalled_at_s > deadline_s:
            return
        silent = [n for n, q in self._open.items() if not q.has_eose and q.active_at_s < deadline_s]
        for name in silent:
            query = self._open[name]
            self.report(ReportKind.NO_EOSE, f"no end of stored events within {self.eose_timeout_s:g} s")
            self._close(name)
            self._progress[query.owner].refusals += 1
            self._retry_later(query, now)

    # Paging

    def _following_pages(self, query: _Query) -> Iterable[_Query]:
        if len(query.asks) > 1:
            # The relay cut the answer somewhere, nobody knows for which filter: read each one by itself.
            if query.count >= self.page_events:
                for ask, since_s in zip(query.asks, query.since_s, strict=True):
                    if not ask.has_limit:
                        yield self._page(query, ask, since_s, None)
            return
        (ask,), (since_s,) = query.asks, query.since_s
        until_s = next_until(query.until_s, query.oldest_s, query.count, since_s, self.page_events)
        if until_s is None or ask.has_limit:
            return
        if query.page_number >= PAGES_MAX:
            # Never complete, so the next connection begins anew.
            self.report(ReportKind.PAGE_OVERFLOW, f"more than {PAGES_MAX} pages")
            self._progress[query.owner].pages_open += 1
            return
        if query.oldest_s is not None and until_s < query.oldest_s:
            self.report(ReportKind.PAGE_OVERFLOW, f"more than a page of events at {query.oldest_s}")
        yield self._page(query, ask, since_s, until_s)

    def _page(self, query: _Query, ask: Ask, since_s: int | None, until_s: int | None) -> _Query:
        return _Query(query.owner, (ask,), True, (since_s,), until_s, query.page_number + 1)

    # Completeness

    def _is_complete(self, cursor_key: str) -> bool:
        return all(p.is_complete for g, p in self._progress.items() if _holds(g, cursor_key))

    def _reached_by(self, group: Group) -> list[Reached]:
        """Return what is complete now that this group is: a long subscription spreads over several groups."""
        reached = []
        for key, ask in {ask.cursor_key: ask for ask in group}.items():
            if self._is_complete(key):
                asked_at_s = [p.asked_at_s for g, p in self._progress.items() if _holds(g, key)]
                reached.append(Reached(ask.subscription, key, min(asked_at_s)))
        return reached


def _holds(group: Group, cursor_key: str) -> bool:
    return any(ask.cursor_key == cursor_key for ask in group)


def _fresh(query: _Query) -> _Query:
    return replace(query, count=0, oldest_s=None, has_eose=False)
