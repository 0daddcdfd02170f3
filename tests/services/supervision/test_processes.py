"""Child processes as the system sees them: identified beyond doubt before they are ended."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from services.supervision import processes


def sleeper(*, ignores_term: bool = False) -> subprocess.Popen[bytes]:
    trap = "trap '' TERM; " if ignores_term else ""
    child = subprocess.Popen(
        ["/bin/sh", "-c", f"{trap}echo on; while :; do sleep 1; done"], stdout=subprocess.PIPE, start_new_session=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    return child


def reap(child: subprocess.Popen[bytes]) -> int:
    assert child.stdout is not None
    child.stdout.close()
    return child.wait(5)


def test_a_noted_process_is_ended_and_its_note_removed(tmp_path: Path) -> None:
    """What a killed supervisor left is stopped, by name."""
    child = sleeper()
    processes.record(tmp_path / "relay.json", child.pid)

    assert processes.stop_leftovers(tmp_path) == ["relay"]
    assert reap(child) == -signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    """SIGTERM first, SIGKILL after the grace."""
    child = sleeper(ignores_term=True)
    processes.record(tmp_path / "relay.json", child.pid)
    processes.stop_leftovers(tmp_path, grace_s=0.1)

    assert reap(child) == -signal.SIGKILL


def test_a_paused_process_is_ended_too(tmp_path: Path) -> None:
    """A leftover that was stopped with SIGSTOP hears the request."""
    child = sleeper()
    child.send_signal(signal.SIGSTOP)
    processes.record(tmp_path / "relay.json", child.pid)
    processes.stop_leftovers(tmp_path, grace_s=2.0)

    assert reap(child) == -signal.SIGTERM


def test_a_recycled_process_id_is_never_signalled(tmp_path: Path) -> None:
    """The same id with another start time is somebody else's process."""
    child = sleeper()
    note = {"pid": child.pid, "created_s": psutil.Process(child.pid).create_time() - 3600}
    (tmp_path / "relay.json").write_text(json.dumps(note))

    assert processes.stop_leftovers(tmp_path, grace_s=0.1) == []
    assert child.poll() is None
    assert not (tmp_path / "relay.json").exists()
    child.kill()
    reap(child)


def test_files_that_are_no_notes_stay(tmp_path: Path) -> None:
    """Another part's file, a broken one, and a note of a process long gone do no harm."""
    (tmp_path / "ports.json").write_text('{"api": 8123}')
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "gone.json").write_text('{"pid": 2147483646, "created_s": 1.0}')

    assert processes.stop_leftovers(tmp_path) == []
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["broken.json", "ports.json"]


def test_usage_is_measured_while_a_process_lives() -> None:
    """Memory and processor time are figures for a living process and nothing for another."""
    used = processes.usage(os.getpid())

    assert used is not None
    assert used.memory_mb > 1
    assert used.cpu_s > 0
    assert processes.usage(2147483646) is None


def test_a_child_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    """On Linux the kernel ends the child when its parent is killed outright."""
    code = (
        "import subprocess, sys, time\nfrom services.supervision.processes import dies_with_parent\n"
        "child = subprocess.Popen(['sleep', '60'], preexec_fn=dies_with_parent(), start_new_session=True)\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        gone, alive = psutil.wait_procs([child], timeout=5)

    assert (len(gone), alive) == (1, [])
