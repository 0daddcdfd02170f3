"""Which lightning address a shop may have here: one that is served, and no other shop's."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.merchants import Merchant


def refuse_address(shop: Merchant, others: Iterable[Merchant], service_url: str) -> None:
    """Raise ValueError with a sentence for an address that would lead nowhere, or to two shops."""
    address = shop.settings.lightning_address
    if not address:
        return
    if not service_url:
        raise ValueError("lightning_address: nobody serves it: open the buyers' door first (NCC_SERVICE_URL)")
    name = address.partition("@")[0]
    for other in others:
        is_other = other.public_key != shop.public_key
        if is_other and other.settings.lightning_address.partition("@")[0] == name:
            raise ValueError(f"lightning_address: {other.name} has the name {name} already: choose another one")
