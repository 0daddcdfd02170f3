"""Dicts of a shop that know what changed since they were saved, and some whose values are fetched when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

LOADED_MAX: Final = 50_000
"""Orders of one shop that stay in memory though nothing is due for them, and buyers; the oldest go back."""
ABSENT: Final = object()
"""Stands for no value where None may be one."""


class Kept[K, V](dict[K, V]):
    """A dict that notes which keys were changed since it was last saved, in order; True for those new at its end."""

    def __init__(self, items: Iterable[tuple[K, V]] = ()) -> None:
        super().__init__(items)
        self.changed: dict[K, bool] = {}

    def __setitem__(self, key: K, value: V) -> None:
        if dict.__contains__(self, key):
            self.changed.setdefault(key, False)
        else:
            self.changed.pop(key, None)
            self.changed[key] = True
        super().__setitem__(key, value)

    def __delitem__(self, key: K) -> None:
        self.changed[key] = True
        super().__delitem__(key)

    def pop(self, key: K, *default: Any) -> Any:
        """As of any dict."""
        self.changed[key] = True
        return super().pop(key, *default)

    def update(self, *items: Any, **named: V) -> None:
        """As of any dict."""
        for key, value in dict(*items, **named).items():
            self[key] = value


class Fetched[V](Kept[str, V]):
    """A shop's orders by reference, or what buyers got by their keys: those of late, and any other when asked for."""

    def __init__(self, fetch: Callable[[str], V | None], items: Iterable[tuple[str, V]] = ()) -> None:
        super().__init__(items)
        self._fetch = fetch

    def get(self, key: str, default: Any = None) -> Any:
        """The value, from memory or from the file."""
        found = super().get(key, ABSENT)
        if found is not ABSENT:
            return found
        value = self._fetch(key)
        if value is None:
            return default
        super(Kept, self).__setitem__(key, value)
        return value

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key, ABSENT) is not ABSENT

    def __getitem__(self, key: str) -> V:
        value = self.get(key, ABSENT)
        if value is ABSENT:
            raise KeyError(key)
        return value  # type: ignore[no-any-return]

    def shed(self) -> None:
        """Forget saved values that nothing is due for, the least recently changed first, down to `LOADED_MAX`."""
        surplus = len(self) - LOADED_MAX
        idle = (
            key
            for key, value in list(self.items())
            if getattr(value, "deadline_ms", None) is None and key not in self.changed
        )
        for key, _ in zip(idle, range(max(0, surplus)), strict=False):
            super(Kept, self).__delitem__(key)
