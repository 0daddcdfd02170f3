"""Encrypted direct messages of the old kind (NIP-04), which the NIP-15 dialect alone still speaks.

AES-256-CBC under the bare x of the shared point, with nothing that tells a changed message from a true one.
So it is read for orders of that dialect and written only to answer them; everything else is NIP-44.
"""

import base64
import binascii
from enum import StrEnum
from typing import Final

from schemas import limits
from schemas.ciphers import CipherRefused, aes_cbc_decrypt, aes_cbc_encrypt, derive
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, UnsignedEvent, refuse_unwritable, sign_event, tag_values
from schemas.nostr.nip59 import Rumor
from schemas.nostr.secp256k1 import SecretKey, ecdh_x

CONTENT_MAX: Final = 128 * 1024
"""Characters of content we read: no more than the largest event that could carry it."""

TEXT_OUT_MAX: Final = limits.RUMOR_OUT.most
"""Bytes of a text that we write; what takes a wrap fits a message of this kind by far."""

_VECTOR_MARK: Final = "?iv="


class ContentFault(StrEnum):
    """Why a content is refused."""

    FORM = "nip04_form"
    PADDING = "nip04_padding"
    UTF8 = "nip04_utf8"


class ContentRefused(ValueError):
    """A content that cannot be read; the message does not quote it."""

    def __init__(self, reason: ContentFault) -> None:
        super().__init__(str(reason))
        self.reason = reason


def encrypt(plaintext: str, secret: SecretKey, pubkey_hex: str, iv16: bytes) -> str:
    """Encrypt a text for one recipient: base64, `?iv=`, base64. Raises `KeyRefused` where that is no public key."""
    ciphertext = aes_cbc_encrypt(ecdh_x(secret, pubkey_hex), iv16, plaintext.encode())
    return f"{base64.b64encode(ciphertext).decode()}{_VECTOR_MARK}{base64.b64encode(iv16).decode()}"


def decrypt(content: str, secret: SecretKey, pubkey_hex: str) -> str:
    """Read a content from or to the other side; the same from either side.

    Raises `ContentRefused`, and `KeyRefused` where the other side is no public key.
    """
    ciphertext_text, mark, iv_text = content.partition(_VECTOR_MARK)
    if not mark or len(content) > CONTENT_MAX:
        raise ContentRefused(ContentFault.FORM)
    try:
        ciphertext, iv16 = (base64.b64decode(text, validate=True) for text in (ciphertext_text, iv_text))
    except (binascii.Error, ValueError):
        raise ContentRefused(ContentFault.FORM) from None
    if len(iv16) != 16 or not ciphertext or len(ciphertext) % 16:
        raise ContentRefused(ContentFault.FORM)
    try:
        return aes_cbc_decrypt(ecdh_x(secret, pubkey_hex), iv16, ciphertext).decode()
    except CipherRefused:
        raise ContentRefused(ContentFault.PADDING) from None
    except UnicodeDecodeError:
        raise ContentRefused(ContentFault.UTF8) from None


def make_message(said: Rumor, secret: SecretKey, recipient: str, effect: str) -> Event:
    """A kind 4 that says to the recipient what this unencrypted one says; the same arguments give the same bytes.

    The initialisation vector is derived from the effect, the recipient and the text, so that no two texts share one.
    Raises ValueError for another kind, author or recipient, too long a text, or one that cannot be written.
    """
    if said.kind != Kind.ENCRYPTED_DIRECT_MESSAGE:
        raise ValueError(f"a message of kind {said.kind} is not sent as kind 4")
    if said.pubkey != secret.public_key:
        raise ValueError("a message is signed by its author only")
    if tag_values(said, "p") != (recipient,):
        raise ValueError("a message names its one recipient")
    if (size := len(said.content.encode())) > TEXT_OUT_MAX:
        raise ValueError(f"the message has {size} bytes, more than the {TEXT_OUT_MAX} we send")
    refuse_unwritable(said)
    derived = derive(secret.reveal(), "nip04", effect, recipient, said.id, length=16 + 32)
    unsigned = UnsignedEvent(
        pubkey=said.pubkey,
        created_at=said.created_at,
        kind=said.kind,
        tags=said.tags,
        content=encrypt(said.content, secret, recipient, derived[:16]),
    )
    return sign_event(unsigned, secret, derived[16:])


def open_message(event: Event, secret: SecretKey) -> str:
    """The text of a kind 4 to us, whose id and signature were checked: its author is who signed it.

    Raises `ContentRefused`; ValueError for another kind, or one that does not name us.
    """
    if event.kind != Kind.ENCRYPTED_DIRECT_MESSAGE or secret.public_key not in tag_values(event, "p"):
        raise ValueError("no message of kind 4 to this key")
    return decrypt(event.content, secret, event.pubkey)
