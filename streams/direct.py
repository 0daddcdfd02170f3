"""Kind 4, encrypted and signed by its author alone: who said what to which merchant (NIP-04, NIP-15).

There is no seal: the event's own signature, checked before, says who wrote. So a kind 4 inside a wrap is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from schemas.dialects import nip15, recognise
from schemas.dialects.contract import Dialect, Said
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, tag_values
from schemas.nostr.nip04 import ContentRefused
from schemas.nostr.nip59 import WrapFault
from streams.raw import Known, Refused


class Decrypts(Protocol):
    """What this asks of the keeper of keys (D8)."""

    def open_direct(self, message: Event, merchant: str) -> str:
        """The text of a kind 4 to the merchant. Raises `ContentRefused`."""


def said_directly(
    event: Event, is_hosted: Callable[[str], bool], takes_nip15: Callable[[str], bool], signer: Decrypts
) -> Said | Known:
    """A kind 4 whose id and signature were checked, read; what only a merchant says is counted. Raises `Refused`."""
    hosted = {key for key in tag_values(event, "p") if is_hosted(key)}
    if len(hosted) != 1:
        raise Refused(WrapFault.WRONG_RECIPIENT, "no single merchant here is named")
    (merchant,) = hosted
    if not takes_nip15(merchant):
        raise Refused("dialect_off", "a NIP-04 message; nip15 is not switched on", merchant)
    if event.pubkey == merchant:
        return Known("own_direct_message")
    try:
        text = signer.open_direct(event, merchant)
    except ContentRefused as refused:
        raise Refused(refused.reason.value, "", merchant) from None
    if why := nip15.ignored(text):
        return Known(why)
    return Said(event.id, event.pubkey, merchant, event.kind, event.tags, text)


def dialect_of(said: Said) -> Dialect | None:
    """Whose message it is; kind 4 carries checkouts and people's words, and only its text tells which."""
    if said.kind == Kind.ENCRYPTED_DIRECT_MESSAGE and not nip15.is_checkout(said.content):
        return None
    return recognise(said.kind, said.tags)
