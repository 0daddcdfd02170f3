"""A signer in a process of its own, behind a Unix socket: what holds the keys runs nothing else (D8).

    SignerDoor     the side with the keys: answers each line with one line, over any signer
    RemoteSigner   the side without: a signer like any other

A request is `{"act": …, …}`, an answer `{"done": …}`, or why not: `{"refused": [reason, detail]}`,
`{"payload": reason}`, `{"content": reason}`, `{"unknown": sentence}`, `{"wrong": sentence}`, `{"denied": sentence}`.
Nothing secret crosses but what was asked.
"""

from __future__ import annotations

import os
import socket
import socketserver
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.catalogue import Template
from schemas.nostr.nip01 import Event, UnsignedEvent
from schemas.nostr.nip04 import ContentFault, ContentRefused
from schemas.nostr.nip44 import PayloadFault, PayloadRefused
from schemas.nostr.nip59 import OpenedWrap, Rumor, WrapFault, WrapRefused
from schemas.signing import SignerDenies
from services.signer.port import Signer, UnknownMerchant

ANSWER_S: Final = 5.0
"""How long an act may take; the event loop that asks waits as long."""
LINE_BYTES_MAX: Final = 2_000_000
_OPENED: Final = TypeAdapter(OpenedWrap)


class SignerDoor:
    """Answers over a signer on one socket, which only the owner of the process may open."""

    def __init__(self, socket_file: Path, signer: Signer) -> None:
        """Raises OSError where the socket cannot be made, for one where its path is too long."""
        socket_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        socket_file.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server: Final = _Server(str(socket_file), _Answering)
        finally:
            os.umask(before)
        self._server.signer = signer
        self._file: Final = socket_file

    def serve(self) -> None:
        """Answer until `close` is called by another thread, or the process ends."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        for connection in tuple(self._server.connections):
            with suppress(OSError):  # it has ended by itself meanwhile
                connection.shutdown(socket.SHUT_RDWR)
        self._file.unlink(missing_ok=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    signer: Signer

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.connections: Final[set[socket.socket]] = set()


class _Answering(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.server.connections.add(self.request)
        try:
            while line := self.rfile.readline(LINE_BYTES_MAX):
                self.wfile.write(orjson.dumps(_answer(self.server.signer, line)) + b"\n")
        except ConnectionError:
            pass  # who asked has gone; another may ask
        finally:
            self.server.connections.discard(self.request)


def _answer(signer: Signer, line: bytes) -> dict[str, Any]:
    try:
        asked = orjson.loads(line)
        return {"done": _ACTS[asked.pop("act")](signer, **asked)}
    except WrapRefused as refused:
        return {"refused": [refused.reason.value, refused.detail]}
    except PayloadRefused as refused:
        return {"payload": refused.reason.value}
    except ContentRefused as refused:
        return {"content": refused.reason.value}
    except UnknownMerchant as unknown:
        return {"unknown": str(unknown)}
    except SignerDenies as denied:
        return {"denied": str(denied)}
    except ValidationError:
        return {"wrong": "an argument has not the shape of its act"}
    except (LookupError, TypeError, AttributeError, orjson.JSONDecodeError) as error:
        return {"wrong": f"the request is not understood ({type(error).__name__})"}
    except ValueError as error:
        return {"wrong": str(error)}


def _shown(value: Event) -> dict[str, Any]:
    return value.model_dump(mode="json")


_ACTS: Final[dict[str, Callable[..., Any]]] = {
    "merchants": lambda signer: sorted(signer.merchants()),
    "is_own_copy": lambda signer, wrap, merchant: signer.is_own_copy(Event.model_validate(wrap), merchant),
    "open_wrap": lambda signer, wrap, merchant: _OPENED.dump_python(
        signer.open_wrap(Event.model_validate(wrap), merchant), mode="json"
    ),
    "seal_and_wrap": lambda signer, rumor, recipient, effect_id: _shown(
        signer.seal_and_wrap(Rumor.model_validate(rumor), recipient, effect_id)
    ),
    "open_direct": lambda signer, message, merchant: signer.open_direct(Event.model_validate(message), merchant),
    "seal_direct": lambda signer, rumor, recipient, effect_id: _shown(
        signer.seal_direct(Rumor.model_validate(rumor), recipient, effect_id)
    ),
    "sign_public": lambda signer, merchant, template: _shown(
        signer.sign_public(merchant, Template.model_validate(template))
    ),
    "seal_private": lambda signer, merchant, kind, name, text: signer.seal_private(merchant, kind, name, text),
    "open_private": lambda signer, event: signer.open_private(UnsignedEvent.model_validate(event)),
    "authenticate": lambda signer, merchant, relay_url, challenge, created_at: _shown(
        signer.authenticate(merchant, relay_url, challenge, created_at)
    ),
}


class RemoteSigner:
    """Asks a `SignerDoor`; see `services.signer.port.Signer`. Every call may also raise `SignerDenies`."""

    def __init__(self, socket_file: Path) -> None:
        self._file: Final = socket_file
        self._connection: socket.socket | None = None

    def merchants(self) -> frozenset[str]:
        """The public keys it can act for."""
        return frozenset(self._ask("merchants"))

    def is_own_copy(self, wrap: Event, merchant: str) -> bool:
        """Whether this wrap is the merchant's own copy of a message made here."""
        return bool(self._ask("is_own_copy", wrap=_shown(wrap), merchant=merchant))

    def open_wrap(self, wrap: Event, merchant: str) -> OpenedWrap:
        """Open a gift wrap addressed to the merchant."""
        return _OPENED.validate_python(self._ask("open_wrap", wrap=_shown(wrap), merchant=merchant))

    def seal_and_wrap(self, rumor: Rumor, recipient: str, effect_id: str) -> Event:
        """Seal and wrap with derived keys, nonces and times."""
        return Event.model_validate(
            self._ask("seal_and_wrap", rumor=rumor.model_dump(mode="json"), recipient=recipient, effect_id=effect_id)
        )

    def open_direct(self, message: Event, merchant: str) -> str:
        """Decrypt a kind 4 to the merchant."""
        return str(self._ask("open_direct", message=_shown(message), merchant=merchant))

    def seal_direct(self, rumor: Rumor, recipient: str, effect_id: str) -> Event:
        """Encrypt and sign a kind 4 with a derived initialisation vector."""
        return Event.model_validate(
            self._ask("seal_direct", rumor=rumor.model_dump(mode="json"), recipient=recipient, effect_id=effect_id)
        )

    def sign_public(self, merchant: str, template: Template) -> Event:
        """Sign what the merchant publishes."""
        return Event.model_validate(
            self._ask("sign_public", merchant=merchant, template=template.model_dump(mode="json"))
        )

    def seal_private(self, merchant: str, kind: int, name: str, text: str) -> str:
        """Encrypt a draft, or a list of relays for drafts, to the merchant itself."""
        return str(self._ask("seal_private", merchant=merchant, kind=kind, name=name, text=text))

    def open_private(self, event: UnsignedEvent) -> str:
        """Decrypt what a merchant wrote for itself."""
        return str(self._ask("open_private", event=event.model_dump(mode="json")))

    def authenticate(self, merchant: str, relay_url: str, challenge: str, created_at: int) -> Event:
        """Sign a relay's challenge."""
        return Event.model_validate(
            self._ask(
                "authenticate", merchant=merchant, relay_url=relay_url, challenge=challenge, created_at=created_at
            )
        )

    def _ask(self, act: str, **arguments: Any) -> Any:
        try:
            answer = orjson.loads(self._exchange(orjson.dumps({"act": act, **arguments}) + b"\n"))
        except (OSError, orjson.JSONDecodeError) as error:
            self._hang_up()
            raise SignerDenies(f"the signer at {self._file} does not answer ({type(error).__name__})") from None
        match answer:
            case {"done": done}:
                return done
            case {"refused": [reason, detail]}:
                raise WrapRefused(WrapFault(reason), detail)
            case {"payload": reason}:
                raise PayloadRefused(PayloadFault(reason))
            case {"content": reason}:
                raise ContentRefused(ContentFault(reason))
            case {"unknown": sentence}:
                raise UnknownMerchant(sentence)
            case {"denied": sentence}:
                raise SignerDenies(sentence)
            case _:
                raise ValueError(f"{act}: {answer['wrong']}")

    def _exchange(self, line: bytes) -> bytes:
        """One line there and one back, dialling anew where the other side was started again meanwhile."""
        if self._connection is not None:
            try:
                return self._say(self._connection, line)
            except ConnectionError:
                self._hang_up()
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.settimeout(ANSWER_S)
        self._connection.connect(str(self._file))
        return self._say(self._connection, line)

    def _say(self, connection: socket.socket, line: bytes) -> bytes:
        connection.sendall(line)
        answer = bytearray()
        while not answer.endswith(b"\n"):
            part = connection.recv(1 << 18)
            if not part:
                raise ConnectionResetError
            answer += part
        return bytes(answer)

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
