"""Work that is owed: from the record that asks for it until the journal has what came of it, whoever does it when.

Level-triggered: it is taken up once its partition was read to its end, may be begun again at any time, and holds back
how far the journal counts as read.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

PAUSE_FIRST_S = 0.5
PAUSE_MAX_S = 30.0
"""How long to wait before a wallet is asked again: twice as long each time, up to this."""


@dataclass(slots=True)
class Owed[E]:
    """What is owed, and the record that asked for it."""

    event: E
    merchant: str
    partition: int
    offset: int
    task: asyncio.Task[None] | None = None


class OwedWork[N: Hashable, O: Owed[Any]](ABC):
    """What the partitions of this process owe, by name; `_do` does one of them, as often as that takes."""

    def __init__(self, may_act: Callable[[O], bool], fail: Callable[[BaseException], None]) -> None:
        """`may_act` says whether the partition was read to its end and its merchant's effects do not wait;
        `fail` stops the role for what is no back-end's fault.
        """
        self._may_act, self._fail = may_act, fail
        self._owed: dict[N, O] = {}

    def resume(self) -> None:
        """Take up what is owed and may be done now."""
        for name, owed in self._owed.items():
            if owed.task is None and self._may_act(owed):
                owed.task = asyncio.ensure_future(self._do(name, owed))
                owed.task.add_done_callback(self._done)

    async def hold(self, merchant: str) -> None:
        """Stop a merchant's; one that is under way is found at the back-end later."""
        held = [owed for owed in self._owed.values() if owed.merchant == merchant]
        tasks = [owed.task for owed in held if owed.task is not None]
        for owed in held:
            owed.task = None
        await _stopped(tasks)

    def needed_from(self, partition: int, next_offset: int) -> int:
        """The record that asked for the oldest still owed, where that is before `next_offset`."""
        return min([next_offset, *(one.offset for one in self._owed.values() if one.partition == partition)])

    def end(self, partition: int) -> None:
        """Another process takes the partition's over."""
        for name in [name for name, owed in self._owed.items() if owed.partition == partition]:
            self._forget(name)

    async def close(self) -> None:
        """Stop everything under way."""
        await _stopped([owed.task for owed in self._owed.values() if owed.task is not None])

    @abstractmethod
    async def _do(self, name: N, owed: O) -> None:
        """Do it, and say what came of it."""

    def _owe(self, name: N, owed: O) -> None:
        self._owed[name] = owed
        self.resume()

    def _forget(self, name: N) -> None:
        owed = self._owed.pop(name, None)
        if owed is not None and owed.task is not None:
            owed.task.cancel()

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)


async def _stopped(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
