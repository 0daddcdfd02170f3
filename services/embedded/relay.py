"""The embedded relay: a real Nostr relay in a process of its own, which keeps its events in a folder.

`python -m services.embedded.relay --host 127.0.0.1 --port N --folder F` prints `relay ready at ws://…`
once it answers, and stops on SIGTERM or SIGINT.
"""

import argparse
import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from nostr_sdk import (
    LocalRelayBuilder,
    LocalRelayBuilderNip42,
    LocalRelayBuilderNip42Mode,
    NostrLmdb,
    RateLimit,
    uniffi_set_event_loop,
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

_AUTH_MODES: Final = {mode.name.lower(): mode for mode in LocalRelayBuilderNip42Mode}


async def serve(host: str, port: int, folder: Path, *, auth: str | None = None) -> None:
    """Serves until SIGTERM or SIGINT; `auth` (read, write, both) makes the relay demand NIP-42 for that.

    Raises what the relay library raises where the port is taken or the folder cannot be opened.
    """
    stop = asyncio.Event()
    # The relay's threads come back into Python for its database and have no loop of their own.
    uniffi_set_event_loop(asyncio.get_running_loop())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    builder = (
        LocalRelayBuilder()
        .addr(host)
        .port(port)
        .database(await NostrLmdb.open(str(folder)))
        .rate_limit(RateLimit(max_reqs=SUBSCRIPTIONS_MAX, notes_per_minute=NOTES_PER_MINUTE_MAX))
        .max_connections(CONNECTIONS_MAX)
        .max_subid_length(SUBSCRIPTION_ID_CHARS_MAX)
        .max_filter_limit(EVENTS_PER_QUERY_MAX)
        .default_filter_limit(EVENTS_PER_QUERY_DEFAULT)
    )
    if auth is not None:
        builder = builder.nip42(LocalRelayBuilderNip42(mode=_AUTH_MODES[auth]))
    relay = builder.build()
    await relay.run()
    print(f"{READY_LINE}{await relay.url()}", flush=True)  # noqa: T201 the supervisor's log and tests read it
    await stop.wait()
    relay.shutdown()


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the relay as its own process."""
    parser = argparse.ArgumentParser(prog="services.embedded.relay", description="A relay on this machine.")
    parser.add_argument("--host", default=LOOPBACK)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--folder", type=Path, required=True, help="where events are kept")
    parser.add_argument("--auth", choices=sorted(_AUTH_MODES), help="demand NIP-42 for reading, writing or both")
    chosen = parser.parse_args(arguments)
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(chosen.host, chosen.port or free_port(), chosen.folder, auth=chosen.auth))


if __name__ == "__main__":
    main()
