"""The signer in this process, over the home's keystore."""

from __future__ import annotations

from schemas.catalogue import Template
from schemas.ciphers import derive
from schemas.nostr import nip42, nip59
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, UnsignedEvent, sign_event
from schemas.nostr.nip59 import OpenedWrap, Rumor
from services.signer.keystore import Keystore

LISTING_KINDS = frozenset({Kind.PRODUCT, Kind.COLLECTION, Kind.SHIPPING_OPTION})
"""What `sign_listing` signs; a stolen caller cannot have a note or a deletion signed (NCC-04)."""


class LocalSigner:
    """Acts with keys from a keystore; see `services.signer.port.Signer`."""

    def __init__(self, keystore: Keystore) -> None:
        self._keystore = keystore

    def merchants(self) -> frozenset[str]:
        """The public keys it can act for."""
        return self._keystore.public_keys()

    def is_own_copy(self, wrap: Event, merchant: str) -> bool:
        """Whether this wrap is the merchant's own copy of a message made here."""
        return nip59.is_own_copy(wrap, self._keystore.get(merchant))

    def open_wrap(self, wrap: Event, merchant: str) -> OpenedWrap:
        """Open a gift wrap addressed to the merchant."""
        return nip59.open_wrap(wrap, self._keystore.get(merchant))

    def seal_and_wrap(self, rumor: Rumor, recipient: str, effect_id: str) -> Event:
        """Seal and wrap with derived keys, nonces and times."""
        return nip59.make_wrap(rumor, self._keystore.get(rumor.pubkey), recipient, effect_id)

    def sign_listing(self, merchant: str, template: Template) -> Event:
        """Sign a listing, collection or shipping option; ValueError for any other kind."""
        if template.kind not in LISTING_KINDS:
            raise ValueError(f"kind {template.kind} is not signed as a listing")
        secret = self._keystore.get(merchant)
        unsigned = UnsignedEvent(
            pubkey=merchant,
            created_at=template.created_at,
            kind=template.kind,
            tags=template.tags,
            content=template.content,
        )
        return sign_event(unsigned, secret, derive(secret.reveal(), "listing", str(template.created_at)))

    def authenticate(self, merchant: str, relay_url: str, challenge: str, created_at: int) -> Event:
        """Sign a relay's challenge."""
        return nip42.auth_event(self._keystore.get(merchant), relay_url, challenge, created_at)
