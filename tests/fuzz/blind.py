"""A search without guidance, for machines that the engine has no build for: changes what is kept, sees no branches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from random import Random

from tests.fuzz.mutate import mutated_json
from tests.fuzz.target import SIZE_MAX, Target


def search(target: Target, starts: Sequence[bytes], seconds: float, seed: int, take: Callable[[bytes], None]) -> int:
    """Put changed inputs to `take` until the time is over; says how many they were."""
    chance = Random(seed)
    words = [word.encode("utf-8", "surrogatepass") for word in target.words]
    executions = 0
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        take(changed(target, chance.choice(starts), starts, words, chance))
        executions += 1
    return executions


def changed(target: Target, data: bytes, starts: Sequence[bytes], words: Sequence[bytes], chance: Random) -> bytes:
    """The input changed in one to four places, as JSON where it is JSON."""
    if target.json_after is not None and chance.randrange(3):
        choices = target.json_after
        body = mutated_json(data[choices:], SIZE_MAX - choices, chance)
        if body is not None:
            return data[:choices] + body
    for _ in range(chance.randint(1, 4)):
        data = _changed_once(data, starts, words, chance)
    return data[:SIZE_MAX]


def _changed_once(data: bytes, starts: Sequence[bytes], words: Sequence[bytes], chance: Random) -> bytes:
    at, to = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
    match chance.randrange(7):
        case 0:
            return data[:at] + chance.randbytes(chance.randint(1, 4)) + data[at:]
        case 1:
            return data[:at] + data[to:]
        case 2:
            return data[:to] + data[at:to] + data[to:]
        case 3 if words:
            return data[:at] + chance.choice(words) + data[at:]
        case 4:
            other = chance.choice(starts)
            return data[:at] + other[chance.randint(0, len(other)) :]
        case 5 if data:
            place = min(at, len(data) - 1)
            return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]
        case _:
            return (
                data[:at] + chance.choice((b"0", b"-1", b"9" * 30, b"\xff", b"\0", b"\xed\xa0\x80", b" ")) + data[at:]
            )
