"""Dicts of a shop that know what changed since they were saved, and orders that are fetched when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from streams.domain.shop import Order

LOADED_MAX: Final = 50_000
"""Orders of one shop that stay in memory though nothing is due for them; the oldest go back to the file."""
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


class Orders(Kept[str, Order]):
    """A shop's orders by reference: those of late, and any other when it is asked for by its reference."""

    def __init__(self, fetch: Callable[[str], Order | None], items: Iterable[tuple[str, Order]] = ()) -> None:
        super().__init__(items)
        self._fetch = fetch

    def get(self, key: str, default: Any = None) -> Any:
        """The order, from memory or from the file."""
        found = super().get(key, ABSENT)
        if found is not ABSENT:
            return found
        order = self._fetch(key)
        if order is None:
            return default
        super(Kept, self).__setitem__(key, order)
        return order

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key, ABSENT) is not ABSENT

    def __getitem__(self, key: str) -> Order:
        order = self.get(key, ABSENT)
        if order is ABSENT:
            raise KeyError(key)
        return order  # type: ignore[no-any-return]

    def shed(self) -> None:
        """Forget saved orders that nothing is due for, the least recently changed first, down to `LOADED_MAX`."""
        surplus = len(self) - LOADED_MAX
        idle = (ref for ref, order in list(self.items()) if order.deadline_ms is None and ref not in self.changed)
        for ref, _ in zip(idle, range(max(0, surplus)), strict=False):
            super(Kept, self).__delitem__(ref)
