"""The embedded relay as a process: it serves, keeps what it was given, and stops when asked."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nostr_sdk import EventBuilder, Keys, Kind
from websockets.sync.client import connect

from services.embedded.ports import free_port
from services.embedded.relay import READY_LINE

pytestmark = pytest.mark.real


@contextmanager
def relay(folder: Path | None, *more: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    place = ["--memory"] if folder is None else ["--folder", str(folder)]
    argv = [sys.executable, "-m", "services.embedded.relay", *place, *more]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line.startswith(READY_LINE)
        yield line.removeprefix(READY_LINE), process
    finally:
        process.kill()
        process.communicate()


def a_note(number: int = 0) -> dict[str, object]:
    signed = EventBuilder(Kind(1), f"note {number}").sign_with_keys(Keys.parse(f"{1:064x}"))
    event: dict[str, object] = json.loads(signed.as_json())
    return event


def publish(url: str, *notes: dict[str, object]) -> list[bool]:
    with connect(url) as socket:
        for note in notes:
            socket.send(json.dumps(["EVENT", note]))
        return [bool(json.loads(socket.recv(5))[2]) for _ in notes]


def stored(url: str, event_id: object) -> list[dict[str, object]]:
    with connect(url) as socket:
        socket.send(json.dumps(["REQ", "x", {"ids": [event_id]}]))
        found = []
        while (message := json.loads(socket.recv(5)))[0] == "EVENT":
            found.append(message[2])
        return found


def test_a_stored_event_survives_a_killed_relay(tmp_path: Path) -> None:
    """Kill -9, start again on the same folder and port: the event is there, as it was sent."""
    note, port = a_note(), str(free_port())
    with relay(tmp_path, "--port", port) as (url, process):
        accepted = publish(url, note)
        process.kill()
        process.wait()
    with relay(tmp_path, "--port", port) as (again, _):
        found = stored(again, note["id"])

    assert accepted == [True]
    assert again == url == f"ws://127.0.0.1:{port}"
    assert found == [note]


def test_many_events_at_once_meet_no_rate_limit(tmp_path: Path) -> None:
    """A burst of one publisher is accepted whole."""
    with relay(tmp_path) as (url, _):
        accepted = publish(url, *(a_note(number) for number in range(300)))

    assert accepted == [True] * 300


def test_without_a_folder_events_are_kept_in_memory() -> None:
    """A relay for measurements stores and serves, and leaves nothing behind."""
    note = a_note()
    with relay(None) as (url, _):
        accepted = publish(url, note)
        found = stored(url, note["id"])

    assert accepted == [True]
    assert found == [note]


def test_sigterm_under_load_ends_it_cleanly(tmp_path: Path) -> None:
    """A stop that was asked for is a success, also while events are being stored."""
    with relay(tmp_path) as (url, process), connect(url) as socket:
        for number in range(200):
            socket.send(json.dumps(["EVENT", a_note(number)]))
        process.terminate()

        assert process.wait(5) == 0


def test_it_can_demand_authentication_for_writing(tmp_path: Path) -> None:
    """With --auth write a stranger's event is refused with the NIP-42 reason."""
    with relay(tmp_path, "--auth", "write") as (url, _), connect(url) as socket:
        socket.send(json.dumps(["EVENT", a_note()]))
        messages = [json.loads(socket.recv(5)) for _ in range(2)]

    refusal = next(message for message in messages if message[0] == "OK")
    assert refusal[2] is False
    assert refusal[3].startswith("auth-required")


def test_a_taken_port_ends_it_with_an_error(tmp_path: Path) -> None:
    """The second relay on a port says so and ends, so that the supervisor can report it."""
    with relay(tmp_path / "one") as (url, _):
        port = url.rsplit(":", 1)[1].strip("/")
        argv = [sys.executable, "-m", "services.embedded.relay", "--folder", str(tmp_path / "two"), "--port", port]
        second = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)

    assert second.returncode != 0
    assert "in use" in second.stderr
