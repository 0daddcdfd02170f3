"""Input that could not become a fact: the original, where it was met, and a stable reason code."""

from __future__ import annotations

from schemas.values import Value


class Quarantined(Value):
    """One quarantined input (`ncc.quarantine`).

    `id` is stable for the same input and reason, so a repeat counts once.
    `original` is the text as it came: a wrap stays ciphertext, and nothing decrypted is ever put here.
    `topic`, `partition` and `offset` say where it was read, if it had reached Kafka.
    `detail` is a few words for a person, without content.
    """

    v: int = 1
    id: str
    reason: str
    detail: str
    stage: str
    merchant: str | None
    relay: str | None
    at_ms: int
    original: str | None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
