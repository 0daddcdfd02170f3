"""What can be asked of a signer: meaningful acts, never "give me the key" (D8)."""

from __future__ import annotations

from typing import Protocol

from schemas.catalogue import Template
from schemas.nostr.nip01 import Event, UnsignedEvent
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

    def open_direct(self, message: Event, merchant: str) -> str:
        """The text of a kind 4 to the merchant whose id and signature were checked (NIP-04).

        Raises `ContentRefused`; ValueError for another kind, or one to somebody else.
        """
        ...

    def seal_direct(self, rumor: Rumor, recipient: str, effect_id: str) -> Event:
        """Encrypt and sign the merchant's kind 4 to one buyer; the same arguments give the same bytes (NIP-04).

        ValueError for another kind, so that no caller has a note signed.
        """
        ...

    def sign_public(self, merchant: str, template: Template) -> Event:
        """Sign what the merchant publishes; the same template gives the same bytes.

        ValueError for a kind that is not in `schemas.publishing.PUBLISHABLE_KINDS`, and for a deletion of anything
        but the merchant's own offers (NCC-04).
        """
        ...

    def seal_private(self, merchant: str, kind: int, name: str, text: str) -> str:
        """The content of a draft (31234) or of a list of relays for drafts (10013), encrypted to the merchant (NIP-37).

        `name` is its `d`; the same arguments give the same bytes. ValueError for another kind, or too long a text.
        """
        ...

    def open_private(self, event: UnsignedEvent) -> str:
        """The text in a draft or list of the merchant's own; "" where it was emptied.

        Raises `PayloadRefused`; ValueError for another kind.
        """
        ...

    def authenticate(self, merchant: str, relay_url: str, challenge: str, created_at: int) -> Event:
        """Sign a relay's challenge for the address that was dialled (NIP-42)."""
        ...
