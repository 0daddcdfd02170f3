"""Checks that the table's figures for frames are those that sockets are read by."""

from __future__ import annotations

from schemas import limits
from services.relays.connection import Connection, ConnectionSettings
from services.relays.frames import FrameTooBig


async def test_the_frame_figures_are_those_of_every_socket() -> None:
    """What is over the first is dropped and the connection goes on."""

    class Socket:
        async def recv(self, decode: bool) -> bytes:
            return b" " * (limits.FRAME.most + 1)

    settings = ConnectionSettings()
    assert (settings.frame_max_bytes, settings.frame_hard_max_bytes) == (limits.FRAME.most, limits.FRAME_HARD.most)
    connection = Connection("wss://relay.example", Socket(), settings)  # type: ignore[arg-type]
    assert await connection.receive() == FrameTooBig(limits.FRAME.most + 1)
