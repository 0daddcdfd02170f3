"""Authentication to a relay: the event that answers a challenge (NIP-42)."""

from typing import Final

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, UnsignedEvent, sign_event
from schemas.nostr.secp256k1 import SecretKey

CHALLENGE_SIZE_MAX: Final = 1_024
"""Characters; a challenge is a short random text, and we sign no essays of a relay's choosing."""


def auth_event(secret: SecretKey, relay_url: str, challenge: str, created_at: int) -> Event:
    """Answer a relay's challenge; `created_at` is now, in unix seconds.

    `relay_url` must be the URL *we* dialled, never one the relay names: a relay could pass on
    another's challenge and speak there in our name.
    Raises ValueError for a challenge that is empty, too long, or holds control bytes.
    """
    if not 0 < len(challenge) <= CHALLENGE_SIZE_MAX:
        raise ValueError(f"a challenge has 1 to {CHALLENGE_SIZE_MAX} characters")
    unsigned = UnsignedEvent(
        pubkey=secret.public_key,
        created_at=created_at,
        kind=int(Kind.CLIENT_AUTH),
        tags=(("relay", relay_url), ("challenge", challenge)),
        content="",
    )
    return sign_event(unsigned, secret)
