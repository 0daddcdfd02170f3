"""Two other implementations of Nostr behind the same questions: nostr-sdk (Rust) and nostr-tools (JavaScript)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nostr_sdk

FOLDER = Path(__file__).parent


class Refused(Exception):
    """The peer would not do it; its words are for people."""


class JavaScript:
    """nostr-tools in one long-lived process, asked line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def hash(self, event: dict[str, Any]) -> str:
        """The event's id."""
        return str(self._ask("hash", event=event))

    def is_valid(self, text: str) -> bool:
        """Whether the text is an event with a right id and signature."""
        with suppress(Refused):
            return self._ask("verify", text=text) is True
        return False

    def conversation_key(self, secret: bytes, pubkey: str) -> bytes:
        """NIP-44's key between two parties."""
        return bytes.fromhex(self._ask("key", secret=secret.hex(), pubkey=pubkey))

    def encrypt(self, text: str, key: bytes, nonce: bytes) -> str:
        """A NIP-44 payload with this nonce."""
        return str(self._ask("encrypt", text=text, key=key.hex(), nonce=nonce.hex()))

    def decrypt(self, payload: str, key: bytes) -> str:
        """The text in a payload."""
        return str(self._ask("decrypt", payload=payload, key=key.hex()))

    def open(self, text: str, secret: bytes) -> dict[str, Any]:
        """The rumor in a gift wrap."""
        rumor: dict[str, Any] = self._ask("open", text=text, secret=secret.hex())
        return rumor

    def wrap(self, event: dict[str, Any], secret: bytes, to: str) -> str:
        """A gift wrap around a rumor of ours, as text."""
        return json.dumps(self._ask("wrap", event=event, secret=secret.hex(), to=to))

    def _ask(self, ask: str, **what: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"ask": ask, **what}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer.get("answer")


@contextmanager
def javascript() -> Iterator[JavaScript]:
    """nostr-tools, installed first where it is not, and ended afterwards."""
    installed = subprocess.run([FOLDER / "install.sh"], capture_output=True, text=True, check=False)
    if installed.returncode != 0:
        raise RuntimeError(installed.stderr)
    process = subprocess.Popen(
        ["node", "peer.mjs"], cwd=FOLDER / "node", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield JavaScript(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


class Rust:
    """nostr-sdk, called through its binding."""

    def is_id(self, event: dict[str, Any], event_id: str) -> bool:
        """Whether this is the event's id, whatever its signature."""
        text = json.dumps({**event, "id": event_id, "sig": "0" * 128})
        with suppress(nostr_sdk.NostrSdkError):
            return bool(nostr_sdk.Event.from_json(text).verify_id())
        return False

    def is_valid(self, text: str) -> bool:
        """Whether the text is an event with a right id and signature."""
        with suppress(nostr_sdk.NostrSdkError):
            return bool(nostr_sdk.Event.from_json(text).verify())
        return False

    def decrypt(self, payload: str, secret: bytes, pubkey: str) -> str:
        """The text in a payload from this peer."""
        try:
            return str(nostr_sdk.nip44_decrypt(_secret(secret), nostr_sdk.PublicKey.parse(pubkey), payload))
        except nostr_sdk.NostrSdkError as error:
            raise Refused(str(error)) from None

    def encrypt(self, text: str, secret: bytes, pubkey: str) -> str:
        """A NIP-44 payload with a nonce of its own."""
        key, version = nostr_sdk.PublicKey.parse(pubkey), nostr_sdk.Nip44Version.V2
        return str(nostr_sdk.nip44_encrypt(_secret(secret), key, text, version))

    async def open(self, text: str, secret: bytes) -> tuple[str, dict[str, Any]]:
        """Who proved to have sent a gift wrap, and the rumor in it."""
        signer = nostr_sdk.NostrSigner.keys(nostr_sdk.Keys(_secret(secret)))
        try:
            gift = await nostr_sdk.UnwrappedGift.from_gift_wrap(signer, nostr_sdk.Event.from_json(text))
            return gift.sender().to_hex(), json.loads(gift.rumor().as_json())
        except nostr_sdk.NostrSdkError as error:
            raise Refused(str(error)) from None

    async def wrap(self, event: dict[str, Any], secret: bytes, to: str) -> str:
        """A gift wrap around a rumor of ours, as text."""
        signer = nostr_sdk.NostrSigner.keys(nostr_sdk.Keys(_secret(secret)))
        rumor = nostr_sdk.UnsignedEvent.from_json(json.dumps(event))
        wrapped = await nostr_sdk.gift_wrap(signer, nostr_sdk.PublicKey.parse(to), rumor)
        return str(wrapped.as_json())


def _secret(secret: bytes) -> Any:
    return nostr_sdk.SecretKey.parse(secret.hex())
