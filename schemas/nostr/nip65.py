"""Relay lists of kind 10002: where someone writes, and where they read mentions (NIP-65)."""

from dataclasses import dataclass

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import UnsignedEvent
from schemas.nostr.relay_urls import FOREIGN_RELAYS_MAX, keep_relay_urls


@dataclass(frozen=True, slots=True)
class RelayList:
    """Someone's relays: `read` for what mentions them, `write` for what they publish."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()


def read_relay_list(event: UnsignedEvent, keep: int = FOREIGN_RELAYS_MAX) -> RelayList:
    """Read the `r` tags of a kind 10002 event, a few URLs for each use; empty for another kind.

    No marker means both uses; a marker the NIP does not know names neither.
    """
    if event.kind != Kind.RELAY_LIST:
        return RelayList()
    marked = [(tag[1], tag[2] if len(tag) > 2 else "") for tag in event.tags if tag[0] == "r" and len(tag) > 1]
    return RelayList(
        read=keep_relay_urls((url for url, marker in marked if marker in ("", "read")), keep),
        write=keep_relay_urls((url for url, marker in marked if marker in ("", "write")), keep),
    )


def relay_list_tags(relays: RelayList) -> tuple[tuple[str, ...], ...]:
    """Write the tags of a kind 10002 event, a URL of both uses once and without a marker."""
    both = [("r", url) for url in relays.write if url in relays.read]
    written = [("r", url, "write") for url in relays.write if url not in relays.read]
    read = [("r", url, "read") for url in relays.read if url not in relays.write]
    return (*both, *written, *read)
