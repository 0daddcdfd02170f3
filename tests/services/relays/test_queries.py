"""The query book: what is asked, paged, retried and complete, told without any socket."""

import json
from collections.abc import Sequence
from typing import Any

from services.relays.pace import Backoff
from services.relays.queries import Now, QueryBook, Reached
from services.relays.reports import ReportKind
from services.relays.subscriptions import LOOK_BACK_S, RelayLimits, Subscription, plan

START_S = 1_700_000_000
ORDERS = Subscription("orders", ({"kinds": [1059]},))
SHOP = Subscription("shop", ({"kinds": [30402]}, {"kinds": [30405]}))


class Desk:
    """A query book with a clock of its own and the frames it sent."""

    def __init__(self, *, cursor: int | None = None, page_events: int = 3) -> None:
        self.at_s = 0.0
        self.reports: list[ReportKind] = []
        self.book = QueryBook(
            cursor=lambda _key: cursor,
            page_events=page_events,
            eose_timeout_s=30.0,
            again=Backoff(first_s=1.0, most_s=8.0),
            draw=lambda: 1.0,
            report=lambda kind, _detail: self.reports.append(kind),
        )

    @property
    def now(self) -> Now:
        return Now(self.at_s, START_S + int(self.at_s))

    def want(self, *subscriptions: Subscription) -> list[list[Any]]:
        self.book.want(plan(subscriptions, RelayLimits()), self.now)
        return self.sent()

    def sent(self) -> list[list[Any]]:
        return [json.loads(message) for message in self.book.messages(self.now)]

    def receive(self, name: str, times: Sequence[int]) -> list[Reached]:
        for created_at in times:
            self.book.on_event(name, created_at, self.at_s)
        return self.book.on_eose(name)


def test_a_short_answer_completes_a_subscription_up_to_the_time_of_asking() -> None:
    """Two of at most three events came, so nothing was cut off."""
    desk = Desk()
    assert desk.want(ORDERS) == [["REQ", "q1", {"kinds": [1059]}]]
    desk.at_s = 5
    assert desk.receive("q1", [10, 9]) == [Reached("orders", ORDERS.cursor_key, START_S)]


def test_a_known_cursor_becomes_a_since_with_look_back() -> None:
    """Resuming does not read from the beginning."""
    desk = Desk(cursor=START_S)
    assert desk.want(ORDERS) == [["REQ", "q1", {"kinds": [1059], "since": START_S - LOOK_BACK_S}]]


def test_a_full_answer_is_paged_one_page_at_a_time() -> None:
    """Each page begins at the oldest second seen; complete is only the end of the last."""
    desk = Desk()
    desk.want(ORDERS)
    assert desk.receive("q1", [10, 9, 8]) == []
    assert desk.sent() == [["REQ", "q2", {"kinds": [1059], "until": 8}]]
    assert desk.receive("q2", [8, 7]) == []
    assert desk.sent() == [["CLOSE", "q2"], ["REQ", "q3", {"kinds": [1059], "until": 7}]]
    assert desk.receive("q3", [7]) == [Reached("orders", ORDERS.cursor_key, START_S)]
    assert desk.sent() == [["CLOSE", "q3"]]


def test_several_filters_are_paged_each_by_itself() -> None:
    """Nobody knows which filter's answer was cut, so each is read from the top."""
    desk = Desk()
    desk.want(SHOP)
    desk.receive("q1", [10, 9, 8, 7])
    assert desk.sent() == [["REQ", "q2", {"kinds": [30402]}]]
    assert desk.receive("q2", [10]) == []
    assert desk.sent() == [["CLOSE", "q2"], ["REQ", "q3", {"kinds": [30405]}]]
    assert desk.receive("q3", [9, 8]) == [Reached("shop", SHOP.cursor_key, START_S)]


def test_a_filter_with_a_limit_is_not_paged() -> None:
    """The caller wants the newest few, and gets them."""
    desk = Desk()
    latest = Subscription("latest", ({"kinds": [0], "limit": 3},))
    desk.want(latest)
    assert desk.receive("q1", [10, 9, 8]) == [Reached("latest", latest.cursor_key, START_S)]
    assert desk.sent() == []


def test_a_second_that_holds_more_than_a_page_is_stepped_over_and_reported() -> None:
    """No relay can be made to show the rest; the older ones are still read."""
    desk = Desk()
    desk.want(ORDERS)
    desk.receive("q1", [8, 8, 8])
    desk.sent()
    desk.receive("q2", [8, 8, 8])
    assert desk.reports == [ReportKind.PAGE_OVERFLOW]
    assert desk.sent()[-1] == ["REQ", "q3", {"kinds": [1059], "until": 7}]


def test_events_out_of_range_do_not_lead_paging_astray() -> None:
    """A relay that answers a page with other times cannot move where the next one begins."""
    desk = Desk()
    desk.want(ORDERS)
    desk.receive("q1", [10, 9, 8])
    desk.sent()
    assert desk.receive("q2", [99, 98, 97]) == [Reached("orders", ORDERS.cursor_key, START_S)]


def test_an_event_for_no_open_query_belongs_to_nobody() -> None:
    """Neither made-up names nor those of closed queries count."""
    desk = Desk()
    desk.want(ORDERS)
    desk.want()
    assert desk.book.on_event("q1", 5, 0.0) is None
    assert desk.book.on_event("elsewhere", 5, 0.0) is None
    assert desk.book.on_eose("q1") == []


def test_only_what_changed_is_asked_anew() -> None:
    """Adding one subscription leaves the others' queries alone, dropping one closes its own."""
    desk = Desk()
    desk.want(ORDERS)
    assert [frame[:2] for frame in desk.want(ORDERS, SHOP)] == [["REQ", "q2"]]
    assert desk.want(SHOP) == [["CLOSE", "q1"]]


def test_a_closed_query_is_asked_again_after_growing_waits() -> None:
    """1, 2, 4 seconds; an EOSE forgives."""
    desk = Desk()
    desk.want(ORDERS)
    for number, wait_s in enumerate((1, 2, 4), start=1):
        desk.book.on_closed(f"q{number}", "error: busy", desk.now)
        desk.at_s += wait_s - 0.5
        assert desk.sent() == []
        desk.at_s += 0.5
        assert desk.sent() == [["REQ", f"q{number + 1}", {"kinds": [1059]}]]
    desk.receive("q4", [])
    desk.book.on_closed("q4", "error: busy", desk.now)
    desk.at_s += 1
    assert [frame[1] for frame in desk.sent()] == ["q5"]


def test_a_refused_page_is_asked_again_and_completeness_waits_for_it() -> None:
    """A page that was closed is a gap until it was read."""
    desk = Desk()
    desk.want(ORDERS)
    desk.receive("q1", [10, 9, 8])
    desk.sent()
    desk.book.on_event("q2", 8, 0.0)
    desk.book.on_closed("q2", "rate-limited: slow down", desk.now)
    assert desk.book.on_pong(START_S) == []
    desk.at_s += 1
    assert desk.sent() == [["REQ", "q3", {"kinds": [1059], "until": 8}]]
    assert desk.receive("q3", [8]) == [Reached("orders", ORDERS.cursor_key, START_S)]


def test_a_live_query_asked_again_drops_its_pages() -> None:
    """Its new answer says what there is to page."""
    desk = Desk()
    desk.want(ORDERS)
    desk.receive("q1", [10, 9, 8])
    desk.sent()
    desk.book.on_closed("q1", "error: restart", desk.now)
    desk.at_s += 1
    assert desk.sent() == [["CLOSE", "q2"], ["REQ", "q3", {"kinds": [1059]}]]
    assert desk.receive("q3", []) == [Reached("orders", ORDERS.cursor_key, START_S + 1)]


def test_want_of_authentication_is_told_and_the_query_repeated() -> None:
    """The first refusal is answered at once, a second one only after a wait and a new authentication."""
    desk = Desk()
    desk.want(ORDERS)
    desk.book.on_closed("q1", "auth-required: who?", desk.now)
    assert desk.book.needs_authentication
    desk.book.on_authentication(True, desk.now)
    assert desk.sent() == [["REQ", "q2", {"kinds": [1059]}]]
    desk.book.on_closed("q2", "auth-required: who?", desk.now)
    assert not desk.book.needs_authentication
    desk.at_s += 2
    assert desk.sent() == []
    assert desk.book.needs_authentication


def test_a_failed_authentication_is_tried_again_later() -> None:
    """A signer that was locked may be open by then."""
    desk = Desk()
    desk.want(ORDERS)
    desk.book.on_closed("q1", "auth-required: who?", desk.now)
    desk.book.on_authentication(False, desk.now)
    assert not desk.book.needs_authentication
    desk.at_s += 2
    desk.sent()
    assert desk.book.needs_authentication


def test_a_relay_that_never_ends_its_answer_is_asked_again() -> None:
    """Thirty silent seconds are enough; events in between keep the query alive."""
    desk = Desk()
    desk.want(ORDERS)
    desk.at_s = 25
    desk.book.on_event("q1", 10, desk.at_s)
    desk.at_s = 50
    assert desk.sent() == []
    desk.at_s = 56
    assert desk.sent() == [["CLOSE", "q1"]]
    desk.at_s = 57
    assert [frame[1] for frame in desk.sent()] == ["q2"]
    assert desk.reports == [ReportKind.NO_EOSE]


def test_our_own_stall_is_not_the_relays_silence() -> None:
    """While the sink stalls nothing is read, so no query may be called silent."""
    desk = Desk()
    desk.want(ORDERS)
    desk.at_s = 100
    assert desk.book.messages(desk.now, is_stalled=True) == []
    desk.at_s = 110
    assert desk.sent() == []


def test_an_answered_ping_moves_what_is_complete() -> None:
    """A socket open for days need not be read again from its beginning."""
    desk = Desk()
    desk.want(ORDERS, SHOP)
    desk.receive("q1", [])
    assert desk.book.on_pong(START_S + 60) == [Reached("orders", ORDERS.cursor_key, START_S + 60)]


def test_a_subscription_over_several_reqs_is_complete_when_all_are() -> None:
    """The earliest of their times counts."""
    desk = Desk()
    keys = [f"{number:064x}" for number in range(40)]
    wide = Subscription("wide", ({"#p": keys},))
    desk.book.want(plan([wide], RelayLimits(message_max_bytes=1_800)), desk.now)
    names = [frame[1] for frame in desk.sent()]
    assert len(names) == 2
    assert desk.receive(names[0], []) == []
    assert desk.receive(names[1], []) == [Reached("wide", wide.cursor_key, START_S)]
