"""How a child process comes into being: its own program, or a fork of one that has done the imports already."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

from services.supervision import processes

_GONE_EVERY_S: Final = 0.02


class Process(Protocol):
    """A child that lives, or lived."""

    @property
    def pid(self) -> int:
        """Its process id, and that of its group."""

    async def wait(self) -> int:
        """Its exit status once it has ended; minus the signal that killed it."""


class Launcher(Protocol):
    """Starts children in a session of their own, both outputs to `log`, ended by the system when we are gone."""

    async def start(self, argv: Sequence[str], env: Mapping[str, str], log: IO[bytes]) -> Process:
        """Starts one; `env` is added to our own environment. Raises OSError."""

    async def close(self) -> None:
        """Lets go of what it needed itself, once no child of it lives."""


class Program:
    """The usual way: argv names a program."""

    async def start(self, argv: Sequence[str], env: Mapping[str, str], log: IO[bytes]) -> Process:
        """Runs the program."""
        return await processes.start(argv, env, log)

    async def close(self) -> None:
        """Needs nothing."""


@dataclass
class _Forked:
    pid: int
    ended: asyncio.Future[int]

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)


class ForkServer:
    """Children that are forks of one prepared process, so that none of them pays for imports again.

    The prepared process is a program that gets a stream socket as its standard input. It answers each line
    `{"id", "argv", "env", "log"}` with `{"id", "pid"}` and, once that child has ended, `{"id", "status"}`; it ends
    with the socket. It is started with the first child, and anew when it is gone; then its children are gone too.
    """

    def __init__(self, argv: Sequence[str], log: Path) -> None:
        self._argv: Final = argv
        self._log: Final = log
        self._starting: Final = asyncio.Lock()
        self._server: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._last_id = 0
        self._asked: Final[dict[int, asyncio.Future[int]]] = {}
        self._living: Final[dict[int, _Forked]] = {}

    async def start(self, argv: Sequence[str], env: Mapping[str, str], log: IO[bytes]) -> Process:
        """Forks a child; `argv` says what to the prepared process alone."""
        async with self._starting:
            if self._writer is None or self._listening is None or self._listening.done():
                self._writer = await self._start_server()
            self._last_id += 1
            number = self._last_id
            asked = self._asked[number] = asyncio.get_running_loop().create_future()
            request = {"id": number, "argv": list(argv), "env": dict(env), "log": log.name}
            self._writer.write(json.dumps(request).encode() + b"\n")
        await asked
        return self._living[number]

    async def close(self) -> None:
        """Ends the prepared process."""
        if self._writer is not None:
            self._writer.close()
        if self._server is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self._server.wait()
            processes.signal_group(self._server.pid, signal.SIGKILL)
        if self._listening is not None:
            await self._listening

    async def _start_server(self) -> asyncio.StreamWriter:
        ours, its = socket.socketpair()
        with its, self._log.open("ab") as log:
            self._server = await processes.start(self._argv, {}, log, stdin=its.fileno())
        reader, writer = await asyncio.open_connection(sock=ours)
        self._listening = asyncio.create_task(self._listen(reader, self._server))
        return writer

    async def _listen(self, reader: asyncio.StreamReader, server: asyncio.subprocess.Process) -> None:
        """Hears of births and deaths until the prepared process is gone, and then sees that nobody outlives it."""
        with suppress(ConnectionError):
            async for line in reader:
                self._hear(json.loads(line))
        processes.signal_group(server.pid, signal.SIGKILL)
        await server.wait()
        for asked in self._asked.values():
            asked.set_exception(OSError(0, "the process to fork it from has ended"))
        self._asked.clear()
        for number in list(self._living):
            forked = self._living.pop(number)
            while processes.is_alive(forked.pid):
                processes.signal_group(forked.pid, signal.SIGKILL)
                await asyncio.sleep(_GONE_EVERY_S)
            forked.ended.set_result(-signal.SIGKILL)

    def _hear(self, said: dict[str, Any]) -> None:
        number = said["id"]
        if "pid" in said:
            self._living[number] = _Forked(said["pid"], asyncio.get_running_loop().create_future())
            self._asked.pop(number).set_result(said["pid"])
        else:
            self._living.pop(number).ended.set_result(said["status"])
