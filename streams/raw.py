"""A record of `ncc.raw`, and what reading it may come to: commands, nothing new, or a quarantine record."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from schemas.messages import Command, CommandBody
from schemas.quarantine import Quarantined
from schemas.values import Origin


@dataclass(frozen=True, slots=True)
class Raw:
    """One record of `ncc.raw`. `tenants` are the merchants whose subscription brought it."""

    text: bytes
    relay: str
    received_ms: int
    tenants: tuple[str, ...] = ()
    replayed_ms: int | None = None
    """When an operator had it read again, knowing how old it is."""

    @property
    def at_ms(self) -> int:
        """The time by which it is judged and answered: now, as the record tells it."""
        return self.received_ms if self.replayed_ms is None else self.replayed_ms


@dataclass(frozen=True, slots=True)
class Commands:
    """What the event asks for, or states."""

    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """Nothing new, and why: counted, never lost."""

    why: str


class Refused(Exception):
    """The event becomes a quarantine record with this stable reason."""

    def __init__(self, reason: str, detail: str = "", merchant: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.detail, self.merchant = reason, detail, merchant


Reading = Commands | Known | Quarantined


def command(raw: Raw, event_id: str, merchant: str, body: CommandBody) -> Command:
    """A command whose id follows from the event and the merchant, so that a repeat carries the same one."""
    name = hashlib.sha256(f"command:{event_id}:{merchant}".encode()).hexdigest()[:32]
    return Command(id=name, merchant=merchant, at_ms=raw.at_ms, origin=Origin.RELAY, source=event_id, body=body)


def quarantined(raw: Raw, reason: str, detail: str, merchant: str | None) -> Quarantined:
    """The record as quarantine keeps it: original text, where it came from, a stable reason."""
    original = raw.text.decode("utf-8", "replace")
    name = hashlib.sha256(f"quarantine:{reason}:{original}".encode()).hexdigest()[:32]
    return Quarantined(
        id=name,
        reason=reason,
        detail=detail,
        stage="intake",
        merchant=merchant,
        relay=raw.relay,
        at_ms=raw.received_ms,
        original=original,
    )
