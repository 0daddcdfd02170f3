"""Named places where a process may be killed by a test: compiled in, off unless armed, and then the cost of a look.

A kill is seen by the world only through what was or was not done outside the process before it, so the points
stand on both sides of every act outside. Here because every half of the tree passes some, and may import this.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Point(StrEnum):
    """A place between two acts, by the role that passes it."""

    INGEST_RECEIVED = "ingest: received"
    INGEST_QUEUED = "ingest: queued, not acknowledged"
    INGEST_CURSOR_SAVED = "ingest: cursor saved"
    INTAKE_READ = "intake: read"
    INTAKE_SENT = "intake: sent, not acknowledged"
    INTAKE_ACKNOWLEDGED = "intake: acknowledged, position not stored"
    DECIDER_DECIDED = "decider: decided, nothing appended"
    DECIDER_APPENDED = "decider: appended, not committed"
    DECIDER_COMMITTED = "decider: committed"
    FOLLOWER_TAKEN = "follower: taken"
    FOLLOWER_STORED = "follower: position stored"
    VIEWS_FOLDED = "views: folded, nothing put"
    VIEWS_ROW_PUT = "views: row put"
    PAYMENTS_ENSURING = "payments: about to ask for a request"
    PAYMENTS_MADE = "payments: request made, nobody told"
    PAYMENTS_LOOKED = "payments: looked up, nobody told"
    PAYMENTS_SAID = "payments: command stored"
    PUBLISHER_WRAPPED = "publisher: wrapped, nothing sent"
    PUBLISHER_ON_A_RELAY = "publisher: one relay answered"
    PUBLISHER_PUBLISHED = "publisher: published, not recorded"
    PUBLISHER_RECORDED = "publisher: delivery recorded"
    METRICS_TAKEN = "metrics: about to insert"
    METRICS_INSERTED = "metrics: inserted, position not stored"


armed: Callable[[Point], None] | None = None
"""Who is told of every point passed. It may end the process, or raise what ends it."""


def reach(point: Point) -> None:
    """Pass a point."""
    if armed is not None:
        armed(point)


def arm(told: Callable[[Point], None] | None) -> None:
    """Have every point told to `told`; None turns them off again."""
    global armed  # one process, one switch: a parameter through every layer would cost more
    armed = told
