"""Free loopback ports, kept in a file so that a restarted part answers where its clients look for it."""

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.home import write_atomic

LOOPBACK: Final = "127.0.0.1"


class PortTakenError(Exception):
    """A port the operator asked for is in use by another program."""


@dataclass(frozen=True)
class KeptPorts:
    """The ports of one deployment by name, in one small JSON file."""

    file: Path

    def take(self, name: str, asked: int | None = None) -> int:
        """The port for `name`: the asked one, else the one kept from before, else a free one; keeps it.

        A kept port that another program took meanwhile is replaced; an asked one raises PortTakenError.
        """
        kept = self._read()
        port = asked or kept.get(name)
        if asked and not is_free(asked):
            raise PortTakenError(f"port {asked} for {name} is in use by another program: choose another")
        if port is None or not is_free(port):
            others = set(kept.values())
            port = next(port for port in iter(free_port, 0) if port not in others)
        if kept.get(name) != port:
            write_atomic(self.file, json.dumps(kept | {name: port}).encode())
        return port

    def _read(self) -> dict[str, int]:
        try:
            return {str(name): int(port) for name, port in json.loads(self.file.read_bytes()).items()}
        except (FileNotFoundError, ValueError, AttributeError):
            return {}


def free_port() -> int:
    """A loopback port that nothing listens on now; another program may still take it before its use."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether this port can be listened on now; connections that linger in TIME_WAIT do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
