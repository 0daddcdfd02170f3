"""Reads what a BTCPay API key may do in one store, and what of that is too much (least privilege)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

VIEW: Final = "btcpay.store.canviewinvoices"
CREATE: Final = "btcpay.store.cancreateinvoice"
NEEDED: Final = (VIEW, CREATE)
_UNRESTRICTED: Final = "unrestricted"
_MODIFY_STORE: Final = "btcpay.store.canmodifystoresettings"
_INCLUDED: Final = {
    _UNRESTRICTED: frozenset(NEEDED),
    _MODIFY_STORE: frozenset(NEEDED),
    "btcpay.store.canmodifyinvoices": frozenset(NEEDED),
    "btcpay.store.canviewstoresettings": frozenset({VIEW}),
}
"""What else a permission brings, of what is needed (BTCPay's policy definitions)."""


def rights_in(permissions: Iterable[str], store: str) -> tuple[str, ...]:
    """The permissions of a key that hold in a store, without their scope."""
    said = (permission.partition(":") for permission in permissions)
    return tuple(sorted({policy.lower() for policy, _, scope in said if scope in ("", store)}))


def lacking(rights: Iterable[str]) -> tuple[str, ...]:
    """What is needed and not there."""
    had = set(rights).union(*(_INCLUDED.get(right, frozenset()) for right in rights))
    return tuple(right for right in NEEDED if right not in had)


def too_much(permissions: Iterable[str]) -> tuple[str, ...]:
    """What to say of a key that may more than a shop needs, or may it in more stores than this."""
    said = list(permissions)
    more = sorted({one.partition(":")[0].lower() for one in said} - set(NEEDED))
    if more:
        return (f"this key may more than it needs to ({', '.join(more)}): {_better()}",)
    if any(":" not in one for one in said):
        return (f"this key is good for every store: {_better()}",)
    return ()


def _better() -> str:
    return f"make one with {' and '.join(NEEDED)} for this store alone"
