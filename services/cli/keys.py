"""Secret keys from files: an operator never types one on a command line."""

from __future__ import annotations

from pathlib import Path

from schemas.nostr.nip19 import Nip19Refused, read_secret_key
from schemas.nostr.nip49 import Nip49Refused, decrypt_key
from schemas.nostr.secp256k1 import KeyRefused, SecretKey
from services.cli.output import fail


def read_key(path: Path, passphrase_file: Path | None) -> SecretKey:
    """The key in a file; its text never shows in a message."""
    try:
        text = path.read_text().strip()
    except OSError as error:
        fail(f"the key file {path} cannot be read: {error.strerror}")
    try:
        if not text.startswith("ncryptsec"):
            return read_secret_key(text)
        if passphrase_file is None:
            fail(f"the key in {path} is encrypted: give its pass-phrase's file with --passphrase-file")
        return decrypt_key(text, passphrase_file.read_text().strip("\r\n"))
    except OSError as error:
        fail(f"the pass-phrase file {passphrase_file} cannot be read: {error.strerror}")
    except (Nip19Refused, Nip49Refused, KeyRefused, ValueError):
        fail(
            f"{path} holds no key that can be read: it needs one line with nsec, hex or ncryptsec (and its pass-phrase)"
        )
