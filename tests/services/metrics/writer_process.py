"""A writer in a process of its own, for a test that kills it: a known journal into a folder, from where it stands.

    python -m tests.services.metrics.writer_process FOLDER SEED

Prints the number of records written after each insert.
"""

from __future__ import annotations

import random
import sys

from schemas.messages import JournalRecord
from services.metrics.store import open_store
from services.metrics.writer import MetricsWriter
from tests.services.metrics.conftest import pseudonym
from tests.services.metrics.scenes import a_record, an_empty_record

PARTITIONS = 4
RECORDS = 3_000
"""Records of each partition."""


def record_of(seq: int) -> JournalRecord:
    """Every tenth record is empty, the others hold so many units as their number."""
    return an_empty_record(seq) if seq % 10 == 0 else a_record(seq, units=seq)


def main(folder: str, seed: int) -> None:
    """Write until the journal's end, in batches of many sizes that begin before the stored position."""
    chance = random.Random(seed)
    store = open_store(f"chdb://{folder}")
    writer = MetricsWriter(store, pseudonym)
    writer.migrate()
    reached = writer.positions()
    while any(reached.get(partition, 0) < RECORDS for partition in range(PARTITIONS)):
        batch = {}
        for partition in chance.sample(range(PARTITIONS), chance.randint(1, PARTITIONS)):
            at = reached.get(partition, 0)
            first, last = max(1, at - 2), min(RECORDS, at + chance.randint(1, 60))
            batch[partition] = [record_of(seq) for seq in range(first, last + 1)]
            reached[partition] = last
        writer.write_journal(batch)
        print(sum(reached.values()), flush=True)
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
