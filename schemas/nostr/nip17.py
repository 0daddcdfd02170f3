"""Private messages: rumors to be wrapped, and the inbox relays of kind 10050 (NIP-17)."""

from collections.abc import Iterable

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import UnsignedEvent, event_id, refuse_unwritable, tag_values
from schemas.nostr.nip59 import Rumor
from schemas.nostr.relay_urls import FOREIGN_RELAYS_MAX, keep_relay_urls


def make_rumor(pubkey: str, created_at: int, kind: int, tags: Iterable[Iterable[str]], content: str) -> Rumor:
    """Make a rumor with its id; `created_at` is the true time in unix seconds.

    Raises ValueError for a wrong shape or for control bytes that no two clients hash alike.
    """
    frozen_tags = tuple(tuple(tag) for tag in tags)
    rumor = Rumor(
        pubkey=pubkey,
        created_at=created_at,
        kind=kind,
        tags=frozen_tags,
        content=content,
        id=event_id(pubkey, created_at, kind, frozen_tags, content),
    )
    refuse_unwritable(rumor)
    return rumor


def read_inbox_relays(event: UnsignedEvent, keep: int = FOREIGN_RELAYS_MAX) -> tuple[str, ...]:
    """Read the `relay` tags of a kind 10050 event: the first few ws/wss URLs, none for another kind."""
    if event.kind != Kind.INBOX_RELAYS:
        return ()
    return keep_relay_urls(tag_values(event, "relay"), keep)


def inbox_relay_tags(urls: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Write the tags of a kind 10050 event."""
    return tuple(("relay", url) for url in urls)
