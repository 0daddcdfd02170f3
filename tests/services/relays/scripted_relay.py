"""A relay on loopback that keeps events and behaves, or misbehaves, as a test tells it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

type Answer = Callable[["ScriptedRelay", "Guest", dict[str, Any]], Awaitable[None]]

CHALLENGE = "a-challenge"


def an_event(number: int, *, created_at: int = 1_000, kind: int = 1059, tag_p: str = "aa" * 32) -> str:
    """Return an event's text; id and signature are made up, since nobody here checks them."""
    tags = [["p", tag_p]]
    event = {"id": f"{number:064x}", "pubkey": "bb" * 32, "created_at": created_at, "kind": kind}
    return json.dumps({**event, "tags": tags, "content": f"no. {number}", "sig": "cc" * 64})


def id_of(text: str) -> str:
    """Return the id in an event's text."""
    return str(json.loads(text)["id"])


class Guest:
    """One connection to the relay."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.queries: dict[str, list[dict[str, Any]]] = {}
        self.authenticated: set[str] = set()
        self.last_identity = ""

    async def say(self, *parts: object) -> None:
        await self.connection.send(json.dumps(parts))

    async def show(self, name: str, text: str) -> None:
        await self.connection.send(f'["EVENT",{json.dumps(name)},{text}]')


async def accept(relay: "ScriptedRelay", guest: Guest, event: dict[str, Any]) -> None:
    """Answer an event like an honest relay."""
    known = event["id"] in relay.accepted
    relay.accepted.add(event["id"])
    if not known:
        await relay.add(json.dumps(event))
    await guest.say("OK", event["id"], True, "duplicate: have it" if known else "")


def answers(*words: tuple[bool, str]) -> Answer:
    """Answer events with these OKs in turn, the last one for ever."""
    left = list(words)

    async def answer(_relay: "ScriptedRelay", guest: Guest, event: dict[str, Any]) -> None:
        is_accepted, message = left.pop(0) if len(left) > 1 else left[0]
        await guest.say("OK", event["id"], is_accepted, message)

    return answer


class ScriptedRelay:
    """Use as `async with ScriptedRelay() as relay`; `received` holds every frame it was sent.

    `page_max` caps the stored events per REQ; `identities` makes it demand NIP-42 from each of them before
    it serves queries or, with `auth_to_write`, takes events; `sends_eose=False` is the lazy one;
    `guests_max_messages` closes a connection after so many frames; `on_event` answers what is published;
    `document` is what it says of itself over HTTP (NIP-11). With `one_identity` a query for wraps must ask for those
    of the last identity that authenticated, and for nothing else, as `conduit-relay` has it.
    """

    def __init__(
        self,
        *texts: str,
        page_max: int = 10_000,
        identities: tuple[str, ...] = (),
        auth_to_write: bool = False,
        sends_eose: bool = True,
        guests_max_messages: int | None = None,
        on_event: Answer = accept,
        on_connect: Callable[[Guest], Awaitable[None]] | None = None,
        document: str | None = None,
        one_identity: bool = False,
    ) -> None:
        self.texts = list(texts)
        self.page_max = page_max
        self.identities = identities
        self.auth_to_write = auth_to_write
        self.sends_eose = sends_eose
        self.guests_max_messages = guests_max_messages
        self.on_event = on_event
        self.on_connect = on_connect
        self.document = document
        self.one_identity = one_identity
        self.documents_asked = 0
        self.guests: list[Guest] = []
        self.accepted = {id_of(text) for text in texts}
        self.connections_ever = 0
        self.received: list[list[Any]] = []
        self._port = 0
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    def frames(self, word: str) -> list[list[Any]]:
        """Return the received frames of one type."""
        return [frame for frame in self.received if frame[0] == word]

    async def start(self) -> None:
        """Listen; after a stop, on the same port."""
        self._server = await serve(
            self._welcome,
            "127.0.0.1",
            self._port,
            compression=None,
            max_size=None,
            ping_interval=None,
            process_request=self._describe,
            close_timeout=0.2,
        )
        self._port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        if self._server is None:
            return
        self.hang_up()
        self._server.close()
        await self._server.wait_closed()
        self._server = None

    def hang_up(self) -> None:
        """Cut every connection off without a word."""
        for guest in self.guests:
            guest.connection.transport.abort()

    async def add(self, text: str) -> None:
        """Store an event and send it to everyone whose query matches."""
        self.texts.append(text)
        event = json.loads(text)
        for guest in list(self.guests):
            for name, filters in list(guest.queries.items()):
                if any(_matches(one, event) for one in filters):
                    with suppress(ConnectionClosed):
                        await guest.show(name, text)

    async def say_to_all(self, raw: str) -> None:
        """Send one raw frame to everyone; `{q}` stands for the name of their first query."""
        for guest in self.guests:
            await guest.connection.send(raw.replace("{q}", next(iter(guest.queries), "")))

    def _describe(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Accept") != "application/nostr+json":
            return None
        self.documents_asked += 1
        return connection.respond(200 if self.document is not None else 404, self.document or "")

    async def _welcome(self, connection: ServerConnection) -> None:
        guest = Guest(connection)
        self.guests.append(guest)
        self.connections_ever += 1
        try:
            if self.on_connect is not None:
                await self.on_connect(guest)
            if self.identities or self.one_identity:
                await guest.say("AUTH", CHALLENGE)
            count = 0
            async for message in connection:
                await self._answer(guest, json.loads(message))
                count += 1
                if count == self.guests_max_messages:
                    return
        except ConnectionClosed:
            pass
        finally:
            self.guests.remove(guest)

    async def _answer(self, guest: Guest, frame: list[Any]) -> None:
        self.received.append(frame)
        is_welcome = guest.authenticated >= set(self.identities)
        match frame:
            case ["REQ", name, *_] if not is_welcome:
                await guest.say("CLOSED", name, "auth-required: who are you?")
            case ["REQ", name, *filters] if self.one_identity and not _is_for_one(filters, guest.last_identity):
                known = "restricted: one recipient" if guest.last_identity else "auth-required: who are you?"
                await guest.say("CLOSED", name, known)
            case ["REQ", name, *filters]:
                guest.queries[name] = filters
                for text in self._stored(filters):
                    await guest.show(name, text)
                if self.sends_eose:
                    await guest.say("EOSE", name)
            case ["CLOSE", name]:
                guest.queries.pop(name, None)
            case ["AUTH", event]:
                guest.authenticated.add(event["pubkey"])
                guest.last_identity = event["pubkey"]
                await guest.say("OK", event["id"], True, "")
            case ["EVENT", event] if self.auth_to_write and not is_welcome:
                await guest.say("OK", event["id"], False, "auth-required: who are you?")
            case ["EVENT", event]:
                await self.on_event(self, guest, event)

    def _stored(self, filters: list[dict[str, Any]]) -> list[str]:
        chosen: dict[str, int] = {}
        for one in filters:
            found = [(text, json.loads(text)) for text in self.texts]
            matching = [(event["created_at"], text) for text, event in found if _matches(one, event)]
            matching.sort(key=lambda pair: -pair[0])
            for created_at, text in matching[: min(self.page_max, one.get("limit", self.page_max))]:
                chosen[text] = created_at
        return sorted(chosen, key=lambda text: -chosen[text])


async def dribble(guest: Guest, text: str, *, bytes_per_s: float = 1.0) -> None:
    """Send one frame byte by byte until the other side has had enough."""
    for byte in Frame(Opcode.TEXT, text.encode()).serialize(mask=False):
        if guest.connection.transport.is_closing():
            return
        guest.connection.transport.write(bytes([byte]))
        await asyncio.sleep(1 / bytes_per_s)


def an_auth_event(pubkey: str, relay_url: str, challenge: str) -> str:
    """Return what a signer would answer a challenge with, unsigned."""
    tags = [["relay", relay_url], ["challenge", challenge]]
    return json.dumps({"id": f"a{pubkey[1:]}", "pubkey": pubkey, "kind": 22242, "tags": tags})


def _is_for_one(filters: list[dict[str, Any]], identity: str) -> bool:
    about_wraps = [one for one in filters if 1059 in one.get("kinds", (1059,))]
    return not about_wraps or [(one.get("kinds"), one.get("#p")) for one in filters] == [([1059], [identity])]


def _matches(one: dict[str, Any], event: dict[str, Any]) -> bool:
    if "kinds" in one and event["kind"] not in one["kinds"]:
        return False
    if "authors" in one and event["pubkey"] not in one["authors"]:
        return False
    if not one.get("since", 0) <= event["created_at"] <= one.get("until", 1 << 60):
        return False
    for key, values in one.items():
        if key.startswith("#") and not any(tag[0] == key[1:] and tag[1] in values for tag in event["tags"]):
            return False
    return True
