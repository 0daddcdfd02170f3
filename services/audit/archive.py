"""What is left of many finished things: twelve bytes each, found by a name of hex digits."""

from __future__ import annotations

from array import array

SHARDS = 256
"""Tables grow one at a time, so that no growth holds anything up for long."""
_FIRST_SLOTS = 8


class Archive:
    """Names of at least 16 hex digits → a small number above 0; nothing is ever taken out.

    A name is known by its first 64 bits. They come from a hash, so among ten million names
    two are taken for one with a probability of some three in a million.
    """

    def __init__(self) -> None:
        self._shards: dict[int, _Shard] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, name: str) -> int:
        """The number of this name; 0 where there is none."""
        key = int(name[:16], 16) or 1
        shard = self._shards.get(key % SHARDS)
        return 0 if shard is None else shard.numbers[shard.slot(key)]

    def put(self, name: str, number: int) -> None:
        """Keep a number, 1 to 2³²−1, in the place of one that was there."""
        key = int(name[:16], 16) or 1
        shard = self._shards.setdefault(key % SHARDS, _Shard(_FIRST_SLOTS))
        if shard.put(key, number):
            self._count += 1


class _Shard:
    """An open-addressing table; a key of 0 marks a free slot."""

    def __init__(self, slots: int) -> None:
        self.keys = array("Q", bytes(8 * slots))
        self.numbers = array("I", bytes(4 * slots))
        self.used = 0

    def slot(self, key: int) -> int:
        """Where the key is, or the free slot where it belongs."""
        keys, mask = self.keys, len(self.keys) - 1
        at = (key // SHARDS) & mask
        while keys[at] not in (0, key):
            at = (at + 1) & mask
        return at

    def put(self, key: int, number: int) -> bool:
        """Whether the key is new."""
        at = self.slot(key)
        is_new = not self.keys[at]
        self.keys[at], self.numbers[at] = key, number
        self.used += is_new
        if self.used * 3 > len(self.keys) * 2:
            self._grow()
        return is_new

    def _grow(self) -> None:
        old_keys, old_numbers = self.keys, self.numbers
        self.keys = array("Q", bytes(16 * len(old_keys)))
        self.numbers = array("I", bytes(8 * len(old_numbers)))
        for key, number in zip(old_keys, old_numbers, strict=True):
            if key:
                at = self.slot(key)
                self.keys[at], self.numbers[at] = key, number
