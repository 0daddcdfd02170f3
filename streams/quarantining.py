"""What the decider could not use, as quarantine records that say where the command stands, for it to be replayed.

A command holds what was decrypted, so it is never copied: the record names its place on `ncc.commands` instead.
Each id follows from the command, never from its place: one that is read again and is no better counts once.
"""

from __future__ import annotations

import hashlib
import traceback
from pathlib import Path

from schemas.messages import Command
from schemas.orders import MoveRefused
from schemas.quarantine import Quarantined
from streams.kafka import Record


def not_a_command(record: Record[bytes, bytes], detail: str) -> Quarantined:
    """A record on the command topic that is no command: our bug or somebody's hand, never a stop (OPS-07)."""
    digest = hashlib.sha256(b"not a command:" + (record.value or b"")).hexdigest()
    return _of_command(record, digest, "not_a_command", detail, None, record.timestamp)


def not_decided(record: Record[bytes, bytes], command: Command, error: Exception) -> Quarantined:
    """A command that deciding failed on: our bug, which must not stop the other shops of the partition."""
    name = _digest(f"not decided:{command.id}")
    return _of_command(record, name, "not_decided", place_of(error), command.merchant, command.at_ms)


def place_of(error: Exception) -> str:
    """An error's type and where it was raised; never its words, which may quote what nobody should read."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def only_counted(record: Record[bytes, bytes], command: Command, reason: str) -> Quarantined:
    """A message past what its sender may say, which is not answered (C-12)."""
    name = _digest(f"only counted:{command.id}")
    return _of_command(record, name, reason, "", command.merchant, command.at_ms)


def refused_move(record: Record[bytes, bytes], command: Command, event: MoveRefused) -> Quarantined:
    """A refused move as the operator's list shows it (ORD-12)."""
    name = _digest(f"refused:{command.id}:{event.reason}")
    detail = f"order {event.order.ref}, {event.actor}: {event.detail}"
    return _of_command(record, name, event.reason, detail, command.merchant, command.at_ms)


def _of_command(
    record: Record[bytes, bytes], digest: str, reason: str, detail: str, merchant: str | None, at_ms: int
) -> Quarantined:
    return Quarantined(
        id=digest[:32],
        reason=reason,
        detail=detail,
        stage="decider",
        merchant=merchant,
        relay=None,
        at_ms=at_ms,
        original=None,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
