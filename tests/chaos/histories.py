"""`python -m tests.chaos.histories START COUNT PROCESSES`: simulate histories, and say every few seconds how far it is.

Each line on stdout is one JSON document with everything since the start, so that whoever ends it has lost nothing.
"""

from __future__ import annotations

import json
import sys
import time

from tests.simulation.fleet import Tally, run_fleet

SAY_EVERY_S = 5.0


def main(start: int, count: int, processes: int) -> None:
    """Simulate the histories of so many seeds."""
    said_s = 0.0

    def say(tally: Tally) -> None:
        nonlocal said_s
        if time.monotonic() - said_s < SAY_EVERY_S and tally.histories < count:
            return
        said_s = time.monotonic()
        failures = [{"seed": failure.seed, "said": failure.said} for failure in tally.failures]
        said = {"histories": tally.histories, "steps": tally.steps, "records": tally.records, "failures": failures}
        print(json.dumps({**said, "cpu_s": round(tally.cpu_s, 1), "coverage": tally.coverage}), flush=True)

    run_fleet(range(start, start + count), processes, say)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
