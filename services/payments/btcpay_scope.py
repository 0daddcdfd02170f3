"""Reads what a BTCPay API key may do in one store, and what of that is too much (least privilege)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

VIEW: Final = "btcpay.store.canviewinvoices"
CREATE: Final = "btcpay.store.cancreateinvoice"
REFUND: Final = "btcpay.store.cancreatenonapprovedpullpayments"
"""To give out claim links, each claim of which the merchant approves in BTCPay; it brings the right to see them."""
APPROVED: Final = "btcpay.store.cancreatepullpayments"
"""The same without an approval: whoever has such a key can have the store pay."""
NEEDED: Final = (VIEW, CREATE)
_UNRESTRICTED: Final = "unrestricted"
_MODIFY_STORE: Final = "btcpay.store.canmodifystoresettings"
_INCLUDED: Final = {
    _UNRESTRICTED: frozenset({*NEEDED, REFUND}),
    _MODIFY_STORE: frozenset({*NEEDED, REFUND}),
    "btcpay.store.canmodifyinvoices": frozenset(NEEDED),
    "btcpay.store.canviewstoresettings": frozenset({VIEW}),
    "btcpay.store.canmanagepullpayments": frozenset({REFUND}),
    APPROVED: frozenset({REFUND}),
}
"""What else a permission brings, of what is needed (BTCPay's policy definitions)."""


def needed(may_refund: bool) -> tuple[str, ...]:
    """The permissions of a key that only receives, or gives out refunds too."""
    return (*NEEDED, REFUND) if may_refund else NEEDED


def rights_in(permissions: Iterable[str], store: str) -> tuple[str, ...]:
    """The permissions of a key that hold in a store, without their scope."""
    said = (permission.partition(":") for permission in permissions)
    return tuple(sorted({policy.lower() for policy, _, scope in said if scope in ("", store)}))


def lacking(rights: Iterable[str], may_refund: bool = False) -> tuple[str, ...]:
    """What is needed and not there."""
    had = set(rights).union(*(_INCLUDED.get(right, frozenset()) for right in rights))
    return tuple(right for right in needed(may_refund) if right not in had)


def too_much(permissions: Iterable[str], may_refund: bool = False) -> tuple[str, ...]:
    """What to say of a key that may more than a shop needs, or may it in more stores than this."""
    said, wanted = list(permissions), needed(may_refund)
    better = f"make one with {' and '.join(wanted)} for this store alone"
    more = {one.partition(":")[0].lower() for one in said} - set(wanted)
    if may_refund and more == {APPROVED}:
        more = set()  # it is a merchant's choice to have claims paid without a look at each
    if more:
        return (f"this key may more than it needs to ({', '.join(sorted(more))}): {better}",)
    if any(":" not in one for one in said):
        return (f"this key is good for every store: {better}",)
    return ()
