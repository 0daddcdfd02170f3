"""One way to make a Faust app: raw bytes in, our own codec, no web server, no serializer magic (design.md §4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faust
from faust.types import ProcessingGuarantee

from streams.kafka import HEARTBEAT_MS, SESSION_TIMEOUT_MS


def make_app(
    name: str, bootstrap: str, partitions: int, data_folder: Path, committed_only: bool, instance: str = ""
) -> faust.App:
    """An app that reads from the start, at least once; its tables live in memory, rebuilt from their changelogs."""
    scheme = "committed" if committed_only else "kafka"
    return faust.App(
        name,
        broker=f"{scheme}://{bootstrap}",
        store="memory://",
        datadir=str(data_folder),
        key_serializer="raw",
        value_serializer="raw",
        topic_partitions=partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_replication_factor=1,
        web_enabled=False,
        processing_guarantee=ProcessingGuarantee.AT_LEAST_ONCE,
        broker_session_timeout=SESSION_TIMEOUT_MS / 1_000,
        broker_heartbeat_interval=HEARTBEAT_MS / 1_000,
        broker_commit_interval=1.0,
        broker_commit_every=2_000,
        broker_max_poll_records=500,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=f"{name}-{instance}" if instance else None,
        consumer_max_fetch_size=2 * 1_048_576,
        producer_max_request_size=4 * 1_048_576,
        producer_linger=0.05,
        stream_buffer_maxsize=1_024,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        table_cleanup_interval=3_600.0,
    )


async def run_app(app: faust.App) -> None:
    """Run an app inside the running loop until it is cancelled or crashes; a crash is raised."""
    try:
        await app.start()
        await app.wait_until_stopped()
        if app.crash_reason is not None:
            raise app.crash_reason
    finally:
        try:
            await app.stop()
        except RuntimeError:
            # A crashed producer refuses to send the rest; what it crashed of is what the operator must read.
            if app.crash_reason is None:
                raise


class Readiness:
    """Whether an app has its partitions and its tables are recovered."""

    def __init__(self, app: faust.App, topic: str) -> None:
        self._app = app
        self._topic = topic
        self._complete = False
        app.on_rebalance_complete.connect(self._on_complete)

    async def _on_complete(self, *_: Any, **__: Any) -> None:
        self._complete = True

    async def lag(self) -> dict[int, int]:
        """Records waiting, by partition of the topic that is followed."""
        consumer: Any = self._app.consumer
        lags: dict[int, int] = {}
        for tp in list(consumer.assignment()) if self() else ():
            newest = consumer.highwater(tp)
            if newest is None or tp.topic != self._topic:
                continue
            read, stored = consumer._read_offset[tp], consumer._committed_offset[tp]
            if read is None or (stored is not None and stored > read):
                position = await consumer.position(tp)  # past the markers that transactions leave behind
                lags[tp.partition] = max(0, newest - (newest if position is None else position))
            else:
                lags[tp.partition] = max(0, newest - (stored or 0))
        return lags

    def __call__(self) -> bool:
        """Faust tells the end of a recovery by the rebalance's completion."""
        return bool(self._complete and not self._app.rebalancing)
