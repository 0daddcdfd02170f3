"""The embedded relay: a real Nostr relay in a process of its own.

`python -m services.embedded.relay --host 127.0.0.1 --port N --folder F` prints `relay ready at ws://…`
once it answers, and stops on SIGTERM or SIGINT.

With a folder every accepted event is on disk before its OK, in the library's own LMDB: events that arrive
together on several connections share one commit, and each connection waits for its own. That costs 0.3 to
0.6 ms of processor time an event; beside other work on 2 cores it made 550 to 950 events a second on one
connection and 400 to 1,900 on eight, as the disk goes. The commit's flushes are the price (5,900 a second
where they cost nothing), and the library has no switch for them.
Without one (`--memory`) events are gone with the process, and the oldest of more than 75,000 before that, at
0.1 ms and 4,500 to 10,800 events a second.
"""

import argparse
import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from nostr_sdk import (
    LocalRelay,
    NostrDatabase,
    RateLimit,
    RelayBuilder,
    RelayBuilderNip42,
    RelayBuilderNip42Mode,
)

from services.embedded.ports import LOOPBACK, free_port

READY_LINE: Final = "relay ready at "

# The one client is this deployment itself and what the operator runs beside it: limits would only drop orders.
SUBSCRIPTIONS_MAX: Final = 1_000_000
NOTES_PER_MINUTE_MAX: Final = 100_000_000
CONNECTIONS_MAX: Final = 10_000
SUBSCRIPTION_ID_CHARS_MAX: Final = 250
EVENTS_PER_QUERY_MAX: Final = 5_000
EVENTS_PER_QUERY_DEFAULT: Final = 500

DRAIN_S: Final = 0.2
"""How long commits and answers that are under way may take after the shutdown."""

_AUTH_MODES: Final = {mode.name.lower(): mode for mode in RelayBuilderNip42Mode}


async def serve(host: str, port: int, folder: Path | None, *, auth: str | None = None) -> None:
    """Serves until SIGTERM or SIGINT; without a folder it keeps events in memory only.

    `auth` (read, write, both) makes the relay demand NIP-42 for that.
    Raises what the relay library raises where the port is taken or the folder cannot be opened.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    builder = (
        RelayBuilder()
        .addr(host)
        .port(port)
        .rate_limit(RateLimit(max_reqs=SUBSCRIPTIONS_MAX, notes_per_minute=NOTES_PER_MINUTE_MAX))
        .max_connections(CONNECTIONS_MAX)
        .max_subid_length(SUBSCRIPTION_ID_CHARS_MAX)
        .max_filter_limit(EVENTS_PER_QUERY_MAX)
        .default_filter_limit(EVENTS_PER_QUERY_DEFAULT)
    )
    if folder is not None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        builder = builder.database(NostrDatabase.lmdb(str(folder)))
    if auth is not None:
        builder = builder.nip42(RelayBuilderNip42(mode=_AUTH_MODES[auth]))
    relay = LocalRelay(builder)
    await relay.run()
    print(f"{READY_LINE}{await relay.url()}", flush=True)  # noqa: T201 the supervisor's log and tests read it
    await stop.wait()
    relay.shutdown()
    await asyncio.sleep(DRAIN_S)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the relay as its own process."""
    parser = argparse.ArgumentParser(prog="services.embedded.relay", description="A relay on this machine.")
    parser.add_argument("--host", default=LOOPBACK)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--folder", type=Path, help="where events are kept")
    place.add_argument("--memory", action="store_true", help="keep events in memory only")
    parser.add_argument("--auth", choices=sorted(_AUTH_MODES), help="demand NIP-42 for reading, writing or both")
    chosen = parser.parse_args(arguments)
    asyncio.run(serve(chosen.host, chosen.port or free_port(), chosen.folder, auth=chosen.auth))


if __name__ == "__main__":
    main()
