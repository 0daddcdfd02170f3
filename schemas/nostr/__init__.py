"""The Nostr core, one NIP a file; every function is pure."""
