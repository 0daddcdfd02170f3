"""The process that roles are forked from: it has imported what any role needs, and runs none itself.

Nine interpreters that import the same libraries cost some 15 seconds of processor time at every start of a
deployment, 1.6 at every return of a role, and every page of that memory nine times.
`services.supervision.launchers.ForkServer` is its one client and says what they tell each other.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from services.config import Role, Settings
from services.roles.run import run_role
from services.supervision.processes import dies_with_parent

_PR_SET_NAME: Final = 15


def main() -> None:
    """Answers on standard input's socket until the other side is gone."""
    preload()
    with socket.socket(fileno=os.dup(0)) as client:
        _Server(client).run()


def preload() -> None:
    """Imports every role, and leaves what is imported out of every later search for garbage."""
    for role in Role:
        importlib.import_module(f"services.roles.{role.value}")
    gc.collect()
    gc.freeze()


class _Server:
    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._rest = b""
        self._woken, self._wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._numbers: dict[int, int] = {}

    def run(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        while True:
            readable, _, _ = select.select([self._client.fileno(), self._woken], [], [])
            if self._woken in readable:
                os.read(self._woken, 4_096)
                self._bury()
            if self._client.fileno() in readable:
                data = self._client.recv(65_536)
                if not data:
                    return
                for request in self._requests(data):
                    self._fork(request)

    def _requests(self, data: bytes) -> Iterator[dict[str, Any]]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        yield from (json.loads(line) for line in lines)

    def _fork(self, request: dict[str, Any]) -> None:
        die_with_us = dies_with_parent()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                self._let_go()
                if die_with_us is not None:
                    die_with_us()
                status = _be_the_child(request)
            except BaseException:  # noqa: BLE001 the process's edge: nothing may come back into the server's loop
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        self._numbers[pid] = request["id"]
        self._say({"id": request["id"], "pid": pid})

    def _let_go(self) -> None:
        """What is the server's alone must not live on in a child."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._client.close()
        os.close(self._woken)
        os.close(self._wakes)

    def _bury(self) -> None:
        while self._numbers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._say({"id": self._numbers.pop(pid), "status": os.waitstatus_to_exitcode(status)})

    def _say(self, what: dict[str, int]) -> None:
        self._client.sendall(json.dumps(what).encode() + b"\n")


def _be_the_child(request: dict[str, Any]) -> int:
    """Becomes what a program of its own would be, and runs the role; its exit status."""
    os.setsid()
    with Path(request["log"]).open("ab") as log, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ.update(request["env"])
    (name,) = request["argv"]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, f"ncc-{name}".encode(), 0, 0, 0)
    return run_role(Role(name), Settings())


if __name__ == "__main__":
    main()
