"""The signer in this process, over the home's keystore."""

from __future__ import annotations

from schemas.catalogue import Template
from schemas.ciphers import derive
from schemas.nostr import nip04, nip42, nip44, nip59
from schemas.nostr.coordinates import Coordinate, CoordinateRefused
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, UnsignedEvent, sign_event
from schemas.nostr.nip59 import OpenedWrap, Rumor
from schemas.publishing import OFFER_KINDS, PRIVATE_KINDS, PUBLISHABLE_KINDS
from services.signer.keystore import Keystore


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

    def open_direct(self, message: Event, merchant: str) -> str:
        """Decrypt a kind 4 to the merchant."""
        return nip04.open_message(message, self._keystore.get(merchant))

    def seal_direct(self, rumor: Rumor, recipient: str, effect_id: str) -> Event:
        """Encrypt and sign a kind 4 with a derived initialisation vector."""
        return nip04.make_message(rumor, self._keystore.get(rumor.pubkey), recipient, effect_id)

    def sign_public(self, merchant: str, template: Template) -> Event:
        """Sign what is on the list of kinds; ValueError for anything else, so that no caller has a note signed."""
        if template.kind not in PUBLISHABLE_KINDS:
            raise ValueError(f"kind {template.kind} is not published in a merchant's name")
        if template.kind == Kind.DELETION and not _deletes_own_offers(merchant, template):
            raise ValueError("a deletion names the merchant's own offers by their addresses, and nothing else")
        if template.kind == Kind.ZAP_RECEIPT and ("p", merchant) not in template.tags:
            raise ValueError("a zap receipt is for money that came to the merchant, and to nobody else")
        secret = self._keystore.get(merchant)
        unsigned = UnsignedEvent(
            pubkey=merchant,
            created_at=template.created_at,
            kind=template.kind,
            tags=template.tags,
            content=template.content,
        )
        return sign_event(unsigned, secret, derive(secret.reveal(), "listing", str(template.created_at)))

    def seal_private(self, merchant: str, kind: int, name: str, text: str) -> str:
        """Encrypt a draft, or a list of relays for drafts, to the merchant itself; nothing for nothing."""
        if kind not in PRIVATE_KINDS:
            raise ValueError(f"kind {kind} has no content for the merchant alone")
        if not text:
            return ""
        secret = self._keystore.get(merchant)
        nonce = derive(secret.reveal(), "private", str(kind), name, text)
        return nip44.encrypt(text, nip44.conversation_key(secret, merchant), nonce)

    def open_private(self, event: UnsignedEvent) -> str:
        """Decrypt what a merchant wrote for itself."""
        if event.kind not in PRIVATE_KINDS:
            raise ValueError(f"kind {event.kind} has no content for the merchant alone")
        if not event.content:
            return ""
        secret = self._keystore.get(event.pubkey)
        return nip44.decrypt(event.content, nip44.conversation_key(secret, event.pubkey))

    def authenticate(self, merchant: str, relay_url: str, challenge: str, created_at: int) -> Event:
        """Sign a relay's challenge."""
        return nip42.auth_event(self._keystore.get(merchant), relay_url, challenge, created_at)


def _deletes_own_offers(merchant: str, template: Template) -> bool:
    """Whether a deletion names nothing but the merchant's listings, collections and options (NIP-09)."""
    named = 0
    for tag in template.tags:
        if tag[0] == "k":
            continue
        try:
            target = Coordinate.parse(tag[1] if tag[0] == "a" and len(tag) > 1 else "")
        except CoordinateRefused:
            return False
        if target.pubkey != merchant or target.kind not in OFFER_KINDS:
            return False
        named += 1
    return named > 0
