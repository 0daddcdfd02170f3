"""Keys of a simulated history: a signer without cryptography for most, the real one for some, and their messages.

In the cheap world an envelope is readable by anybody and its signature is a constant; what it proves is the same.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, Protocol

import orjson

from schemas.dialects.contract import PersonalDetails
from schemas.nostr import nip59
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, EventFault, EventRefused, UnsignedEvent, event_id, sign_event, tag_values
from schemas.nostr.nip59 import OpenedWrap, Rumor, WrapFault, WrapRefused
from schemas.nostr.secp256k1 import SecretKey
from schemas.values import SealedDetails
from services.signer.local import LocalSigner

GOOD_SIG, BAD_SIG = "11" * 64, "00" * 64


def cheap_check_sig(event: Event) -> None:
    """What stands for a signature's check in the cheap world."""
    if event.sig != GOOD_SIG:
        raise EventRefused(EventFault.BAD_SIG, f"event {event.id} is not signed by {event.pubkey}")


def digest(*parts: object) -> str:
    """64 hex digits that follow from these."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@lru_cache(maxsize=256)
def secret_of(name: str) -> SecretKey:
    """A person's key in the real world."""
    return SecretKey(hashlib.sha256(f"simulated {name}".encode()).digest())


@lru_cache(maxsize=256)
def cheap_key(name: str) -> str:
    """A person's public key in the cheap world."""
    return digest("key", name)


class Crypto(Protocol):
    """How people's words become events, and what a signer of the tree does with them."""

    def key(self, name: str) -> str:
        """A person's public key."""

    def public(self, name: str, created_at: int, kind: int, tags: tuple[tuple[str, ...], ...]) -> Event:
        """A public event of theirs."""

    def wrap(self, rumor: Rumor, sender: str, recipient: str, salt: str, fault: str) -> Event:
        """A rumor wrapped by its sender (a name); `fault` is a `WrapFault` that the envelope is to have, or nothing."""

    def signer(self, merchants: tuple[str, ...]) -> Any:
        """The merchants' signer."""


class CheapCrypto:
    """No cryptography: 1/20 of the cost."""

    def key(self, name: str) -> str:
        return cheap_key(name)

    def public(self, name: str, created_at: int, kind: int, tags: tuple[tuple[str, ...], ...]) -> Event:
        return cheap_event(cheap_key(name), created_at, kind, tags, "")

    def wrap(self, rumor: Rumor, sender: str, recipient: str, salt: str, fault: str) -> Event:
        key = cheap_key(sender)
        content = _envelope(key, rumor, fault)
        return cheap_event(digest(salt, recipient, content), rumor.created_at, 1059, (("p", recipient),), content)

    def signer(self, merchants: tuple[str, ...]) -> CheapSigner:
        return CheapSigner()


class RealCrypto:
    """NIP-59 and BIP-340 as the tree has them."""

    def key(self, name: str) -> str:
        return secret_of(name).public_key

    def public(self, name: str, created_at: int, kind: int, tags: tuple[tuple[str, ...], ...]) -> Event:
        secret = secret_of(name)
        unsigned = UnsignedEvent(pubkey=secret.public_key, created_at=created_at, kind=kind, tags=tags, content="")
        return sign_event(unsigned, secret)

    def wrap(self, rumor: Rumor, sender: str, recipient: str, salt: str, fault: str) -> Event:
        parts = [bytes.fromhex(digest(part, salt, rumor.id)) for part in ("seal", "seal aux", "wrap", "wrap aux")]
        sealed = nip59.seal(rumor, secret_of(sender), recipient, rumor.created_at, parts[0], parts[1])
        one_time = secret_of(digest("one-time", salt, rumor.id))
        made = nip59.wrap(sealed, recipient, one_time, rumor.created_at, parts[2], parts[3])
        if not fault:
            return made
        broken = made.content[:-8] + "AAAAAAA="
        unsigned = UnsignedEvent(
            pubkey=secret_of(salt).public_key,
            created_at=made.created_at,
            kind=made.kind,
            tags=made.tags,
            content=broken,
        )
        return sign_event(unsigned, secret_of(salt))

    def signer(self, merchants: tuple[str, ...]) -> LocalSigner:
        return LocalSigner(_Keys(merchants))  # type: ignore[arg-type]


class _Keys:
    """A keystore that unlocks nothing."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._secrets = {secret_of(name).public_key: secret_of(name) for name in names}

    def get(self, public_key: str) -> SecretKey:
        return self._secrets[public_key]

    def public_keys(self) -> frozenset[str]:
        return frozenset(self._secrets)


def cheap_event(pubkey: str, created_at: int, kind: int, tags: tuple[tuple[str, ...], ...], content: str) -> Event:
    """An event with its true id and the constant that stands for a signature."""
    return quick(
        Event,
        pubkey=pubkey,
        created_at=created_at,
        kind=kind,
        tags=tags,
        content=content,
        id=event_id(pubkey, created_at, kind, tags, content),
        sig=GOOD_SIG,
    )


def quick[M: UnsignedEvent](model: type[M], **fields: Any) -> M:
    """A value of a contract without its checks: ours to make, and made by the thousand."""
    made = model.__new__(model)
    object.__setattr__(made, "__dict__", fields)
    object.__setattr__(made, "__pydantic_fields_set__", set(fields))
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


def _envelope(sender: str, rumor: Rumor, fault: str) -> str:
    fields = {
        "sender": sender,
        "fault": fault,
        "id": rumor.id,
        "pubkey": rumor.pubkey,
        "at": rumor.created_at,
        "kind": rumor.kind,
        "tags": rumor.tags,
        "content": rumor.content,
    }
    return orjson.dumps(fields).decode()


class CheapSigner:
    """`services.signer.port.Signer` without cryptography."""

    def merchants(self) -> frozenset[str]:
        return frozenset()

    def is_own_copy(self, wrap: Event, merchant: str) -> bool:
        return wrap.content.startswith("own ") and tag_values(wrap, "p") == (merchant,)

    def open_wrap(self, wrap: Event, merchant: str) -> OpenedWrap:
        """What is inside, once the sender is proven."""
        fields = orjson.loads(wrap.content.removeprefix("own "))
        if fields["fault"]:
            raise WrapRefused(WrapFault(fields["fault"]))
        tags = tuple(tuple(tag) for tag in fields["tags"])
        rumor = quick(
            Rumor,
            pubkey=fields["pubkey"],
            created_at=fields["at"],
            kind=fields["kind"],
            tags=tags,
            content=fields["content"],
            id=fields["id"],
        )
        if rumor.pubkey != fields["sender"]:
            raise WrapRefused(WrapFault.IMPERSONATION)
        return OpenedWrap(wrap.id, fields["sender"], merchant, rumor, False)

    def seal_and_wrap(self, rumor: Rumor, recipient: str, effect_id: str) -> Event:
        content = _envelope(rumor.pubkey, rumor, "")
        if recipient == rumor.pubkey:
            content = f"own {content}"
        one_time = digest("one-time", effect_id, recipient, rumor.id)
        return cheap_event(one_time, rumor.created_at, int(Kind.GIFT_WRAP), (("p", recipient),), content)

    def sign_public(self, merchant: str, template: Any) -> Event:
        return cheap_event(merchant, template.created_at, template.kind, template.tags, template.content)

    def seal_private(self, merchant: str, kind: int, name: str, text: str) -> str:
        return f"sealed {digest(merchant, str(kind), name)} {text}" if text else ""

    def open_private(self, event: Any) -> str:
        return str(event.content.split(" ", 2)[2]) if event.content.startswith("sealed ") else ""

    def authenticate(self, merchant: str, relay_url: str, challenge: str, created_at: int) -> Event:
        raise AssertionError("nobody asks who we are in a simulated history")


class WatchedSigner:
    """A signer whose every message is noted: the same effect must always give the same bytes (I4, I9)."""

    def __init__(self, inner: Any, made: Made) -> None:
        self._inner = inner
        self._made = made
        self.merchants = inner.merchants
        self.is_own_copy = inner.is_own_copy
        self.open_wrap = inner.open_wrap
        self.authenticate = inner.authenticate
        self.sign_public = inner.sign_public
        self.seal_private = inner.seal_private
        self.open_private = inner.open_private

    def seal_and_wrap(self, rumor: Rumor, recipient: str, effect_id: str) -> Event:
        """Seal, wrap and note."""
        event: Event = self._inner.seal_and_wrap(rumor, recipient, effect_id)
        self._made.note(effect_id, recipient, rumor, event)
        return event


class Made:
    """Every message the coordinator made, by effect and by event id."""

    def __init__(self) -> None:
        self.rumor_of: dict[str, str] = {}
        self.event_of: dict[tuple[str, str], str] = {}
        self.by_event: dict[str, tuple[str, str, Rumor]] = {}
        self.faults: list[str] = []

    def note(self, effect_id: str, recipient: str, rumor: Rumor, event: Event) -> None:
        """One message."""
        if self.rumor_of.setdefault(effect_id, rumor.id) != rumor.id:
            self.faults.append(f"I4: {effect_id} was said in two rumors")
        if self.event_of.setdefault((effect_id, recipient), event.id) != event.id:
            self.faults.append(f"I4: {effect_id} went to one recipient in two wraps")
        self.by_event[event.id] = (effect_id, recipient, rumor)


class CheapVault:
    """`streams.sealing.Vault`: the box is a digest, the same for the same details."""

    def seal(self, merchant: str, order_ref: str, rumor_id: str, details: PersonalDetails) -> SealedDetails | None:
        return SealedDetails(key_id=f"{order_ref}:{rumor_id[:16]}", box=digest(merchant, details.address, details.note))

    def seal_token(self, merchant: str, intent_id: str, token_id: str, text: str) -> SealedDetails | None:
        return SealedDetails(key_id=f"token-{intent_id[:32]}:{token_id[:16]}", box=digest(merchant, text))
