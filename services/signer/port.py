"""What can be asked of a signer: meaningful acts, never "give me the key" (D8)."""

from __future__ import annotations

from typing import Protocol

from schemas.catalogue import Template
from schemas.nostr.nip01 import Event
from schemas.nostr.nip59 import OpenedWrap, Rumor


class UnknownMerchant(LookupError):
    """This signer holds no key for the merchant; the message says what to do."""


class Signer(Protocol):
    """One deployment's signer. Every call may raise `UnknownMerchant`."""

    def merchants(self) -> frozenset[str]:
        """The public keys it can act for."""
        ...

    def is_own_copy(self, wrap: Event, merchant: str) -> bool:
        """Whether this wrap is the merchant's own copy of a message made here (NIP-59)."""
        ...

    def open_wrap(self, wrap: Event, merchant: str) -> OpenedWrap:
        """Open a gift wrap whose id and signature were checked. Raises `WrapRefused`."""
        ...

    def seal_and_wrap(self, rumor: Rumor, recipient: str, effect_id: str) -> Event:
        """Seal the merchant's rumor and wrap it; the same arguments give the same bytes (D5)."""
        ...

    def sign_listing(self, merchant: str, template: Template) -> Event:
        """Sign a new version of the merchant's listing; the same template gives the same bytes."""
        ...

    def authenticate(self, merchant: str, relay_url: str, challenge: str, created_at: int) -> Event:
        """Sign a relay's challenge for the address that was dialled (NIP-42)."""
        ...
