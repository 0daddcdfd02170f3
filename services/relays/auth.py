"""NIP-42 for one connection: remember the challenge, answer it with every identity when it is needed.

Authenticating only when asked keeps merchants that share a machine apart for as long as a relay lets us.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable

from services.relays.errors import ConnectionLost
from services.relays.frames import OkFrame, auth_message

type Authenticate = Callable[[str, str], Awaitable[list[str]]]
"""Relay address (the one dialled) and challenge → signed AUTH events as JSON texts, one an identity."""


def only(identity: str, authenticate: Authenticate) -> Authenticate:
    """Answer as one identity (a public key) and as no other."""

    async def answer(relay_url: str, challenge: str) -> list[str]:
        texts = await authenticate(relay_url, challenge)
        return [text for text in texts if json.loads(text)["pubkey"] == identity]

    return answer


async def no_identities(_relay_url: str, _challenge: str) -> list[str]:
    """Answer no challenge: for readers and publishers that own no identity."""
    return []


class Authentication:
    """The authentication state of one connection; callers at the same time share one run."""

    def __init__(
        self,
        relay_url: str,
        authenticate: Authenticate,
        send: Callable[[str], Awaitable[None]],
        timeout_s: float,
    ) -> None:
        self._relay_url = relay_url
        self._authenticate = authenticate
        self._send = send
        self._timeout_s = timeout_s
        self._challenge = ""
        self._challenged = asyncio.Event()
        self._answers: dict[str, asyncio.Future[bool]] = {}
        self._running: asyncio.Task[bool] | None = None
        self._ended: ConnectionLost | None = None
        self.identities = 0
        """How many identities the relay has accepted on this connection at the last run."""

    def on_challenge(self, challenge: str) -> None:
        """Remember the relay's latest challenge; it makes the former one void."""
        self._challenge = challenge
        self._challenged.set()

    def on_ok(self, frame: OkFrame) -> bool:
        """Take an OK; returns whether it answered one of our AUTH events."""
        answer = self._answers.get(frame.event_id)
        if answer is None:
            return False
        if not answer.done():
            answer.set_result(frame.is_accepted)
        return True

    async def run(self) -> bool:
        """Authenticate every identity and return whether the relay accepted one at least.

        Waits for a challenge if none came yet, all in all no longer than the time-out.
        Raises `ConnectionLost`, and whatever `authenticate` raises.
        """
        if self._running is None:
            self._running = asyncio.create_task(self._run())
            self._running.add_done_callback(self._forget)
        return await asyncio.shield(self._running)

    def end(self, error: ConnectionLost) -> None:
        """Tell a run that the connection is over; it raises `error` to those who wait for it."""
        self._ended = error
        self._challenged.set()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result(False)

    def _forget(self, task: asyncio.Task[bool]) -> None:
        self._running = None
        if not task.cancelled():
            task.exception()  # Seen by those who wait; an unwatched failure is not worth a warning.

    async def _run(self) -> bool:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._challenged.wait()
                self._raise_if_ended()
                texts = await self._authenticate(self._relay_url, self._challenge)
                loop = asyncio.get_running_loop()
                for text in texts:
                    self._answers[str(json.loads(text)["id"])] = loop.create_future()
                    await self._send(auth_message(text))
                await asyncio.gather(*self._answers.values())
        except TimeoutError:
            pass
        finally:
            answers = list(self._answers.values())
            self._answers.clear()
        self._raise_if_ended()
        # A time-out cancels the answers that did not come.
        self.identities = sum(answer.done() and not answer.cancelled() and answer.result() for answer in answers)
        return self.identities > 0

    def _raise_if_ended(self) -> None:
        if self._ended is not None:
            raise self._ended
