"""Gift wraps: a rumor inside a seal inside a wrap (NIP-59, as NIP-17 uses it).

Opening proves who wrote: the *seal's* signature names the sender, the rumor is believed only when it
names the same one, and nothing the wrap says is believed at all beyond "someone sent this here".

Making is deterministic: one-time key, nonces, auxiliary bytes and both dates derive from the author's
secret, the effect's name, the recipient and the rumor's id. A repeated effect is the same event byte for
byte, so relays drop the repeat. The rumor's id is among the labels so that one effect rendered in two
ways can never use one nonce for two texts.

**Own-copy mark.** Every message is also wrapped to its author, and those copies come back from relays as
often as orders arrive. On a copy to self the outer nonce, which anyone can see and which looks random, is
an HMAC of the wrap's one-time key under a key that only the author can derive. Intake recognises its own
copies by it for the price of one HMAC instead of two ECDH, and nobody else can make or see the mark.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

import orjson

from schemas import limits
from schemas.ciphers import derive, hmac_sha256, same_bytes
from schemas.nostr import nip44
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import (
    Event,
    EventFault,
    EventRefused,
    Hex32,
    UnsignedEvent,
    check_id,
    check_sig,
    event_id,
    id_form,
    parse_event,
    parse_object,
    refuse_unwritable,
    shape,
    sign_event,
    tag_values,
    to_json,
)
from schemas.nostr.secp256k1 import KeyRefused, SecretKey

WRAP_TAGS_MAX: Final = limits.WRAP_TAGS.most
RUMOR_IN_MAX: Final = limits.RUMOR_IN.most
"""Bytes of a rumor's JSON that we read."""
RUMOR_OUT_MAX: Final = limits.RUMOR_OUT.most
"""Bytes of a rumor's JSON that we write: wrapped twice it still fits strfry's 65,536 bytes an event."""
BACKDATED_S_MAX: Final = 2 * 24 * 60 * 60
"""Seals and wraps are dated up to two days back (NIP-17)."""
CONVERSATIONS_KEPT_MAX: Final = 512
"""Conversation keys kept with a secret key: with ourselves, and with the buyers of the moment."""


class WrapFault(StrEnum):
    """Why a wrap is refused."""

    NOT_A_WRAP = "not_a_wrap"
    WRONG_RECIPIENT = "wrong_recipient"
    BAD_PAYLOAD = "bad_payload"
    SEAL_SHAPE = "seal_shape"
    SEAL_KIND = "seal_kind"
    SEAL_TAGS = "seal_tags"
    SEAL_ID = "seal_id"
    SEAL_SIG = "seal_sig"
    RUMOR_SHAPE = "rumor_shape"
    RUMOR_ID = "rumor_id"
    IMPERSONATION = "impersonation"


class WrapRefused(ValueError):
    """A wrap that proves nothing; `detail` names the inner code or fields and quotes no content."""

    def __init__(self, reason: WrapFault, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class Rumor(UnsignedEvent):
    """An event without a signature: it says something, and by itself proves nothing."""

    id: Hex32


@dataclass(frozen=True, slots=True)
class OpenedWrap:
    """A wrap whose sender is proven: `sender` signed the seal, and the rumor names the same author.

    `rumor_carried_sig` flags a rumor that came with a `sig` field; it was dropped unread (a rumor is
    deniable by design, and a signature on it must never raise or lower what the seal proves).
    """

    wrap_id: str
    sender: str
    recipient: str
    rumor: Rumor = field(repr=False)  # a log line that shows this value shows no one's words
    rumor_carried_sig: bool


def open_wrap(wrap: Event, secret: SecretKey) -> OpenedWrap:
    """Open a wrap whose id and signature were checked (`read_event`); raise `WrapRefused` at the first flaw.

    Checks that the kind is 1059, that its `p` tags name us once (or nobody: then decryption decides), that
    the seal is of kind 13 with no tag but `expiration` and its own valid id and signature, that the rumor's
    id is its hash (computed when it is missing), and that rumor and seal have one author (NIP-17).
    """
    _check_address(wrap, secret.public_key)
    seal_event = _open_seal(wrap, secret)
    rumor, carried_sig = _open_rumor(seal_event, secret)
    if rumor.pubkey != seal_event.pubkey:
        raise WrapRefused(WrapFault.IMPERSONATION, f"sealed by {seal_event.pubkey}")
    return OpenedWrap(wrap.id, seal_event.pubkey, secret.public_key, rumor, carried_sig)


def make_wrap(rumor: Rumor, secret: SecretKey, recipient: str, effect: str) -> Event:
    """Seal and wrap a rumor to one recipient; the same arguments give the same bytes.

    `effect` names what is being done (an outbox id). Wrapped to the author's own key it carries the
    own-copy mark. Raises ValueError for a rumor that is not the author's, is too long, or cannot be
    written, and `KeyRefused` for a recipient that is no public key.
    """
    parts = _derive_parts(rumor, secret, recipient, effect)
    one_time = SecretKey(parts.one_time_secret)
    nonce = parts.wrap_nonce
    if recipient == secret.public_key:
        nonce = _own_copy_nonce(secret, one_time.public_key)
    sealed = seal(rumor, secret, recipient, parts.seal_at, parts.seal_nonce, parts.seal_aux)
    return wrap(sealed, recipient, one_time, parts.wrap_at, nonce, parts.wrap_aux)


def seal(rumor: Rumor, secret: SecretKey, recipient: str, created_at: int, nonce32: bytes, aux32: bytes) -> Event:
    """Encrypt a rumor to the recipient and sign that as its author (kind 13, no tags)."""
    if rumor.pubkey != secret.public_key:
        raise ValueError("a rumor is sealed by its author only")
    refuse_unwritable(rumor)
    text = _rumor_json(rumor)
    if len(text) > RUMOR_OUT_MAX:
        raise ValueError(f"the rumor has {len(text)} bytes, more than the {RUMOR_OUT_MAX} we send")
    content = nip44.encrypt(text.decode(), _kept_conversation_key(secret, recipient), nonce32)
    return _signed(Kind.SEAL, secret, created_at, (), content, aux32)


def wrap(seal: Event, recipient: str, one_time: SecretKey, created_at: int, nonce32: bytes, aux32: bytes) -> Event:
    """Encrypt a seal to the recipient under a key used once; only the recipient's `p` tag is visible."""
    content = nip44.encrypt(to_json(seal), nip44.conversation_key(one_time, recipient), nonce32)
    return _signed(Kind.GIFT_WRAP, one_time, created_at, (("p", recipient),), content, aux32)


def is_own_copy(wrap: Event, secret: SecretKey) -> bool:
    """Tell, without decrypting, whether we wrapped this to ourselves (see the module's text)."""
    if tag_values(wrap, "p") != (secret.public_key,):
        return False
    nonce = nip44.payload_nonce(wrap.content)
    return nonce is not None and same_bytes(nonce, _own_copy_nonce(secret, wrap.pubkey))


class _Parts(NamedTuple):
    """Everything about a wrap that would be random elsewhere."""

    one_time_secret: bytes
    seal_nonce: bytes
    wrap_nonce: bytes
    seal_aux: bytes
    wrap_aux: bytes
    seal_at: int
    wrap_at: int


def _derive_parts(rumor: Rumor, secret: SecretKey, recipient: str, effect: str) -> _Parts:
    raw = derive(secret.reveal(), "nip59", effect, recipient, rumor.id, length=5 * 32 + 2 * 8)
    return _Parts(
        one_time_secret=raw[:32],
        seal_nonce=raw[32:64],
        wrap_nonce=raw[64:96],
        seal_aux=raw[96:128],
        wrap_aux=raw[128:160],
        seal_at=_backdated(rumor.created_at, raw[160:168]),
        wrap_at=_backdated(rumor.created_at, raw[168:]),
    )


def _backdated(created_at: int, derived8: bytes) -> int:
    return max(0, created_at - int.from_bytes(derived8) % (BACKDATED_S_MAX + 1))


def _own_copy_nonce(secret: SecretKey, wrap_pubkey: str) -> bytes:
    key = secret.kept.get("own-copy")
    if key is None:
        key = secret.kept["own-copy"] = derive(secret.reveal(), "own-copy")
    return hmac_sha256(key, bytes.fromhex(wrap_pubkey))


def _check_address(wrap: Event, our_pubkey: str) -> None:
    if wrap.kind != Kind.GIFT_WRAP:
        raise WrapRefused(WrapFault.NOT_A_WRAP, f"kind {wrap.kind}")
    if len(wrap.tags) > WRAP_TAGS_MAX:
        raise WrapRefused(WrapFault.NOT_A_WRAP, f"more than {WRAP_TAGS_MAX} tags")
    named = [tag[1] if len(tag) > 1 else "" for tag in wrap.tags if tag[0] == "p"]
    if named and named.count(our_pubkey) != 1:
        raise WrapRefused(WrapFault.WRONG_RECIPIENT)


def _open_seal(wrap: Event, secret: SecretKey) -> Event:
    try:
        key = nip44.conversation_key(secret, wrap.pubkey)
    except KeyRefused:  # only when the wrap's signature was not checked first
        raise WrapRefused(WrapFault.BAD_PAYLOAD, "the wrap's key is not on the curve") from None
    text = _decrypt(wrap.content, key, "wrap")
    try:
        seal = parse_event(text)
    except EventRefused as error:
        raise WrapRefused(WrapFault.SEAL_SHAPE, str(error)) from None
    if seal.kind != Kind.SEAL:
        raise WrapRefused(WrapFault.SEAL_KIND, f"kind {seal.kind}")
    if any(tag[0] != "expiration" for tag in seal.tags):
        # NIP-59 wants no tags; NIP-17 asks for `expiration` here. Anything else could smuggle claims.
        raise WrapRefused(WrapFault.SEAL_TAGS)
    try:
        check_id(seal)
        check_sig(seal)
    except EventRefused as error:
        fault = WrapFault.SEAL_ID if error.reason is EventFault.BAD_ID else WrapFault.SEAL_SIG
        raise WrapRefused(fault) from None
    return seal


def _open_rumor(seal: Event, secret: SecretKey) -> tuple[Rumor, bool]:
    text = _decrypt(seal.content, _kept_conversation_key(secret, seal.pubkey), "seal")
    try:
        fields = parse_object(text, RUMOR_IN_MAX)
        if fields.get("id") in (None, ""):  # some clients leave it out; there is nothing to contradict
            fields["id"] = _id_of(shape(UnsignedEvent, fields))
        rumor = shape(Rumor, fields)
    except EventRefused as error:
        raise WrapRefused(WrapFault.RUMOR_SHAPE, str(error)) from None
    if id_form(rumor, rumor.id) is None:
        raise WrapRefused(WrapFault.RUMOR_ID)
    return rumor, "sig" in fields


def _id_of(event: UnsignedEvent) -> str:
    return event_id(event.pubkey, event.created_at, event.kind, event.tags, event.content)


def _decrypt(payload: str, key: bytes, layer: str) -> str:
    try:
        return nip44.decrypt(payload, key)
    except nip44.PayloadRefused as error:
        raise WrapRefused(WrapFault.BAD_PAYLOAD, f"{error.reason} in the {layer}") from None


def _kept_conversation_key(secret: SecretKey, peer: str) -> bytes:
    """Give the seal layer's key, kept with the secret key; one-time keys never come here."""
    key = secret.kept.get(peer)
    if key is None:
        key = nip44.conversation_key(secret, peer)
        if len(secret.kept) >= CONVERSATIONS_KEPT_MAX:
            secret.kept.clear()
        secret.kept[peer] = key
    return key


def _signed(
    kind: Kind,
    secret: SecretKey,
    created_at: int,
    tags: tuple[tuple[str, ...], ...],
    content: str,
    aux32: bytes,
) -> Event:
    unsigned = UnsignedEvent(
        pubkey=secret.public_key, created_at=created_at, kind=int(kind), tags=tags, content=content
    )
    return sign_event(unsigned, secret, aux32)


def _rumor_json(rumor: Rumor) -> bytes:
    fields: dict[str, Any] = {
        "id": rumor.id,
        "pubkey": rumor.pubkey,
        "created_at": rumor.created_at,
        "kind": rumor.kind,
        "tags": rumor.tags,
        "content": rumor.content,
    }
    return orjson.dumps(fields)
