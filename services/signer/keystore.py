"""Merchants' keys on disk: one NIP-49 file a key, unlocked with the home's own pass-phrase."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Self

from schemas.nostr.nip49 import decrypt_key, encrypt_key
from schemas.nostr.secp256k1 import SecretKey
from services.home import Home
from services.signer.port import UnknownMerchant

LOG_N = 14
"""scrypt rounds, 2^14 (16 MiB): the pass-phrase is 256 random bits, so more would only slow every start."""
SUFFIX = ".ncryptsec"


class Keystore:
    """A folder of key files (mode 0600). Keys are unlocked when first needed and kept in this process only."""

    def __init__(self, folder: Path, passphrase_file: Path) -> None:
        self._folder = folder
        self._passphrase_file = passphrase_file
        self._unlocked: dict[str, SecretKey] = {}

    @classmethod
    def of(cls, home: Home) -> Self:
        """The keystore of a home folder."""
        return cls(home.keys, home.secrets / "keystore-passphrase")

    def add(self, secret: SecretKey) -> str:
        """Store a key and return its public key. Adding it again changes nothing."""
        path = self._folder / f"{secret.public_key}{SUFFIX}"
        if not path.exists():
            text = encrypt_key(secret, self._passphrase(), LOG_N, secrets.token_bytes(16), secrets.token_bytes(24))
            write_private(path, text + "\n")
        return secret.public_key

    def get(self, public_key: str) -> SecretKey:
        """The key of a merchant. Raises `UnknownMerchant`."""
        known = self._unlocked.get(public_key)
        if known is not None:
            return known
        path = self._folder / f"{public_key}{SUFFIX}"
        try:
            text = path.read_text().strip()
        except FileNotFoundError:
            raise UnknownMerchant(f"no key for {public_key} in this home: add it with `ncc merchant add`") from None
        secret = decrypt_key(text, self._passphrase())
        if secret.public_key != public_key:
            raise UnknownMerchant(f"the key file of {public_key} holds another key: restore it from a backup")
        self._unlocked[public_key] = secret
        return secret

    def public_keys(self) -> frozenset[str]:
        """Every merchant with a key file."""
        if not self._folder.is_dir():
            return frozenset()
        return frozenset(path.name.removesuffix(SUFFIX) for path in self._folder.glob(f"*{SUFFIX}"))

    def _passphrase(self) -> str:
        """The home's pass-phrase, made at first use."""
        if not self._passphrase_file.exists():
            write_private(self._passphrase_file, secrets.token_urlsafe(32) + "\n")
        return self._passphrase_file.read_text().strip()


def secret_of(home: Home, name: str) -> bytes:
    """A secret of 32 random bytes in the home, made at first use by whoever comes first."""
    path = home.secrets / name
    if not path.exists():
        write_private(path, secrets.token_hex(32) + "\n")
    return bytes.fromhex(path.read_text().strip())


def write_private(path: Path, text: str) -> None:
    """Write a whole file that only its owner may read, or nothing; an existing one is left as it is."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
