"""The relay side: reading every event relays hold for us, and publishing what we say.

`RelayPool` reads, `Publisher` publishes and asks; both speak to relays through `connection` alone.
"""

from services.relays.auth import Authenticate
from services.relays.connection import ConnectionSettings
from services.relays.errors import (
    BadRelayUrl,
    ConnectionLost,
    Forbidden,
    Refused,
    RelayError,
    TimedOut,
    Unreachable,
)
from services.relays.information import RelayInformation
from services.relays.line import LineSettings
from services.relays.pool import RefusedRelay, RelayPool
from services.relays.publish import Outcome, Publisher, PublishResult
from services.relays.reports import Completion, RawSighting, RelayReport, RelayStatus, ReportKind
from services.relays.session import ReadSettings
from services.relays.subscriptions import LOOK_BACK_S, RelayLimits, Subscription
from services.relays.urls import is_public_address, normalise_relay_url, relays_named_by_stranger

__all__ = [
    "LOOK_BACK_S",
    "Authenticate",
    "BadRelayUrl",
    "Completion",
    "ConnectionLost",
    "ConnectionSettings",
    "Forbidden",
    "LineSettings",
    "Outcome",
    "PublishResult",
    "Publisher",
    "RawSighting",
    "ReadSettings",
    "Refused",
    "RefusedRelay",
    "RelayError",
    "RelayInformation",
    "RelayLimits",
    "RelayPool",
    "RelayReport",
    "RelayStatus",
    "ReportKind",
    "Subscription",
    "TimedOut",
    "Unreachable",
    "is_public_address",
    "normalise_relay_url",
    "relays_named_by_stranger",
]
