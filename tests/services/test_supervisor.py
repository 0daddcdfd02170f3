"""The supervisor: what dies comes back, what keeps dying is named, and a stop leaves nothing behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.home import Home, HomeBusyError, Ready
from services.supervisor import Child, ChildState, ChildStatus, Supervisor, Timing, supervise

READY = Ready(relay="ws://127.0.0.1:1", api="http://127.0.0.1:2", kafka="127.0.0.1:3", token_file="t", pid=os.getpid())
SWIFT = Timing(
    backoff_first_s=0.02,
    backoff_max_s=0.1,
    recovered_s=0.2,
    settle_s=0.05,
    probe_every_s=0.02,
    report_every_s=0.02,
    usage_every_s=0.1,
    stop_s=3.0,
)


def shell(name: str, script: str, **rest: Any) -> Child:
    return Child(name, ["/bin/sh", "-c", script], **rest)


def sleeper(name: str, **rest: Any) -> Child:
    return Child(name, ["sleep", "60"], **rest)


class Watched:
    """A supervisor under test, seen as an operator sees it: through the home's files."""

    def __init__(self, home: Home, supervisor: Supervisor) -> None:
        self.home, self.supervisor = home, supervisor

    def child(self, name: str) -> dict[str, Any]:
        status = json.loads(self.home.status_file.read_bytes())
        return next(child for child in status["children"] if child["name"] == name)

    async def until(self, is_so: Callable[[], bool], limit_s: float = 8.0) -> None:
        async with asyncio.timeout(limit_s):
            while not is_so():  # noqa: ASYNC110 the files of another process wake nobody
                await asyncio.sleep(0.01)

    async def until_state(self, name: str, state: ChildState) -> None:
        await self.until(lambda: self.home.status_file.exists() and self.child(name)["state"] == state)


@asynccontextmanager
async def running(
    folder: Path, children: Sequence[Child], timing: Timing = SWIFT, heard: list[ChildStatus] | None = None
) -> AsyncIterator[Watched]:
    home = Home(folder)
    supervisor = Supervisor(home, children, READY, timing=timing, on_change=heard.append if heard is not None else None)
    task = asyncio.create_task(supervisor.run())
    try:
        yield Watched(home, supervisor)
    finally:
        supervisor.stop()
        await task


async def test_everything_up_makes_the_deployment_ready_and_a_stop_takes_that_back(tmp_path: Path) -> None:
    """ready.json is there while everything answers, and status.json tells of each child."""
    async with running(tmp_path, [sleeper("one"), sleeper("two", depends=["one"])]) as watched:
        await watched.until(watched.home.ready_file.exists)
        await watched.until_state("two", ChildState.UP)
        ready = Ready.model_validate_json(watched.home.ready_file.read_bytes())
        two = watched.child("two")

    assert ready == READY
    assert psutil.pid_exists(two["pid"]) is False
    assert set(two) == {"name", "pid", "state", "restarts", "since_ms", "last_error", "memory_mb", "cpu_s"}
    assert (two["restarts"], two["last_error"]) == (0, None)
    assert two["memory_mb"] > 0
    assert not watched.home.ready_file.exists()
    assert watched.child("two")["state"] == ChildState.STOPPED
    assert list(watched.home.run.glob("*.json")) == []


async def test_a_child_starts_only_when_what_it_needs_answers(tmp_path: Path) -> None:
    """The second child is not started before the first one's probe says yes."""
    gate = tmp_path / "gate"
    children = [sleeper("broker", ready=gate.exists), sleeper("role", depends=["broker"])]
    async with running(tmp_path / "home", children) as watched:
        await watched.until(lambda: watched.home.status_file.exists() and watched.child("broker")["pid"] is not None)
        await asyncio.sleep(0.1)
        before = watched.child("role")
        gate.touch()
        await watched.until_state("role", ChildState.UP)

    assert (before["pid"], before["state"]) == (None, ChildState.STARTING)


async def test_a_child_that_is_killed_comes_back(tmp_path: Path) -> None:
    """After kill -9 the child runs again under another process id, counted and explained."""
    async with running(tmp_path, [sleeper("role")]) as watched:
        await watched.until_state("role", ChildState.UP)
        first = watched.child("role")["pid"]
        os.kill(first, signal.SIGKILL)
        await watched.until(lambda: watched.child("role")["pid"] not in (first, None))
        await watched.until_state("role", ChildState.UP)
        role = watched.child("role")

    assert role["restarts"] == 1
    assert role["last_error"] == "killed by SIGKILL"


async def test_what_a_dead_child_started_dies_with_it(tmp_path: Path) -> None:
    """A child's own children do not pile up over restarts."""
    pid_file = tmp_path / "grandchild"
    script = f"sleep 60 & echo $! > {pid_file}; sleep 0.2; exit 1"
    async with running(tmp_path / "home", [shell("role", script)]) as watched:
        await watched.until(lambda: pid_file.exists() and bool(pid_file.read_text()))
        grandchild = psutil.Process(int(pid_file.read_text()))
        await watched.until(lambda: watched.child("role")["restarts"] > 0)
        await watched.until(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)


async def test_a_child_that_keeps_dying_is_named_with_its_reason(tmp_path: Path) -> None:
    """Five deaths make it failing; the reason is its own error line; the others go on."""
    children = [sleeper("good"), shell("bad", "echo starting; echo 'Error: no such broker'; echo bye; exit 3")]
    heard: list[ChildStatus] = []
    async with running(tmp_path, children, heard=heard) as watched:
        await watched.until_state("bad", ChildState.FAILING)
        bad, good = watched.child("bad"), watched.child("good")
        await watched.until(lambda: watched.child("bad")["restarts"] > bad["restarts"])

    assert bad["restarts"] >= 5
    assert bad["last_error"] == "exit status 3: Error: no such broker"
    assert (good["state"], good["restarts"]) == (ChildState.UP, 0)
    assert not watched.home.ready_file.exists()
    assert "Error: no such broker" in (watched.home.logs / "bad.log").read_text()
    assert "bad" in {status.name for status in heard}


async def test_a_failing_child_that_is_mended_is_up_again(tmp_path: Path) -> None:
    """Failing is a verdict that a longer life takes back."""
    mended = tmp_path / "mended"
    script = f"[ -e {mended} ] || exit 1; exec sleep 60"
    async with running(tmp_path / "home", [shell("role", script)]) as watched:
        await watched.until_state("role", ChildState.FAILING)
        mended.touch()
        await watched.until_state("role", ChildState.UP)
        await watched.until(watched.home.ready_file.exists)


async def test_a_program_that_does_not_exist_is_a_named_failure(tmp_path: Path) -> None:
    """A wrong command does not take the supervisor down."""
    async with running(tmp_path, [Child("role", ["no-such-program"])]) as watched:
        await watched.until_state("role", ChildState.FAILING)

        assert watched.child("role")["last_error"] == "cannot start no-such-program: No such file or directory"


async def test_a_child_that_never_answers_is_started_anew(tmp_path: Path) -> None:
    """A child that hangs while it starts is killed, and the reason says how long it was given."""
    async with running(tmp_path, [sleeper("role", ready=lambda: False, start_s=0.1)]) as watched:
        await watched.until(lambda: watched.home.status_file.exists() and watched.child("role")["restarts"] > 0)

        assert watched.child("role")["last_error"] == "killed by SIGKILL: not ready within 0.1 s"


class TopicsAreWrong(Exception):
    """Stands for what no waiting mends."""


async def test_a_probes_error_is_shown_and_asked_again(tmp_path: Path) -> None:
    """A probe that fails says why in the status, and the child is up as soon as it says yes."""
    mended = tmp_path / "mended"

    def probe() -> bool:
        if not mended.exists():
            raise RuntimeError("no coordinator yet")
        return True

    async with running(tmp_path / "home", [sleeper("broker", ready=probe)]) as watched:
        await watched.until(lambda: watched.home.status_file.exists() and bool(watched.child("broker")["last_error"]))
        before = watched.child("broker")
        mended.touch()
        await watched.until_state("broker", ChildState.UP)

    assert (before["last_error"], before["state"]) == ("not ready: no coordinator yet", ChildState.STARTING)


async def test_a_fatal_error_of_a_probe_stops_everything_and_is_raised(tmp_path: Path) -> None:
    """What no waiting mends ends the start with its own sentence and leaves no process."""

    def probe() -> bool:
        raise TopicsAreWrong("ncc.raw has 6 partitions")

    home = Home(tmp_path)
    children = [sleeper("other"), sleeper("broker", ready=probe, fatal=(TopicsAreWrong,))]
    with pytest.raises(TopicsAreWrong, match="6 partitions"):
        await supervise(home, lambda: (children, READY), timing=SWIFT)
    status = json.loads(home.status_file.read_bytes())

    assert {child["state"] for child in status["children"]} == {ChildState.STOPPED}
    assert list(home.run.glob("*.json")) == []


async def test_children_stop_in_reverse_order_of_their_needs(tmp_path: Path) -> None:
    """The broker outlives everything that talks to it."""
    book = tmp_path / "book"

    def keeper(name: str, delay: str, *depends: str) -> Child:
        script = f"trap 'sleep {delay}; echo {name} >> {book}; exit 0' TERM; while :; do sleep 0.02; done"
        return shell(name, script, depends=depends)

    children = [keeper("kafka", "0"), keeper("topics", "0.1", "kafka"), keeper("role", "0.2", "topics")]
    async with running(tmp_path / "home", children) as watched:
        await watched.until(watched.home.ready_file.exists)

    assert book.read_text().split() == ["role", "topics", "kafka"]


async def test_a_child_that_ignores_the_request_is_killed_in_time(tmp_path: Path) -> None:
    """The stop ends within its limit, whatever a child does with SIGTERM."""
    stubborn = shell("stubborn", "trap '' TERM; while :; do sleep 0.05; done")
    async with running(tmp_path, [stubborn], Timing(settle_s=0.1, stop_s=0.3)) as watched:
        await watched.until(watched.home.ready_file.exists)
        pid, started_s = watched.supervisor._tenders["stubborn"].status.pid, time.monotonic()

    assert time.monotonic() - started_s < 2.0
    assert pid is not None
    assert not psutil.pid_exists(pid)


async def test_a_stop_during_the_start_leaves_nothing(tmp_path: Path) -> None:
    """A stop that comes while children are being started is not overtaken by them."""
    for _ in range(5):
        async with running(tmp_path, [sleeper(f"role{number}") for number in range(4)]):
            await asyncio.sleep(0)
        mine = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]

        assert [child for child in mine if child.cmdline()[:1] == ["sleep"]] == []


async def test_the_environment_is_added_to_the_supervisors_own(tmp_path: Path) -> None:
    """A child sees its own variables and what the supervisor has."""
    seen = tmp_path / "seen"
    child = shell("role", f"echo $NCC_TEST:$PATH > {seen}; exec sleep 60", env={"NCC_TEST": "value"})
    async with running(tmp_path / "home", [child]) as watched:
        await watched.until(watched.home.ready_file.exists)

    assert seen.read_text().strip() == f"value:{os.environ['PATH']}"


async def test_two_supervisors_on_one_home_are_refused_before_anything_is_composed(tmp_path: Path) -> None:
    """The second one says in one sentence who is there, and touches nothing."""
    home = Home(tmp_path)

    def compose() -> tuple[Sequence[Child], Ready]:
        raise AssertionError("must not be asked")

    with home.hold(), pytest.raises(HomeBusyError, match=rf"in use by process {os.getpid()}: stop that one first"):
        await supervise(home, compose)


PROGRAM = """
import asyncio, sys
from pathlib import Path
from services.home import Home, Ready
from services.supervisor import Child, Timing, supervise
ready = Ready(relay="r", api="a", kafka="k", token_file="t", pid=1)
stubborn = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]
children = [Child("one", ["sleep", "60"]), Child("two", stubborn, depends=["one"])]
timing = Timing(settle_s=0.1, report_every_s=0.05, stop_s=2.0)
asyncio.run(supervise(Home(Path(sys.argv[1])), lambda: (children, ready), timing=timing))
"""


class Program:
    """A supervisor in a process of its own."""

    def __init__(self, home: Home) -> None:
        self.home = home
        # A test run in the background ignores Ctrl-C, and so would what it starts.
        hear = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(home.root)], preexec_fn=hear)

    def children(self) -> list[psutil.Process]:
        """What this very supervisor runs once everything answers; the status may still be a killed one's."""
        until_s = time.monotonic() + 15
        while time.monotonic() < until_s:
            status = json.loads(self.home.status_file.read_bytes()) if self.home.status_file.exists() else {}
            running = {child.pid: child for child in psutil.Process(self.process.pid).children()}
            listed = [child["pid"] for child in status.get("children", ())]
            if self.home.ready() is not None and len(listed) == 2 and all(pid in running for pid in listed):
                return [running[pid] for pid in listed]
            time.sleep(0.02)
        raise AssertionError("the supervisor's children did not come up within 15 s")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.mark.real
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_and_leaves_no_process(home: Home, number: signal.Signals) -> None:
    """After SIGTERM or Ctrl-C the supervisor ends well, and so did all it started."""
    program = Program(home)
    children = program.children()
    program.process.send_signal(number)

    assert program.process.wait(15) == 0
    assert len(children) == 2
    assert psutil.wait_procs(children, timeout=1)[1] == []
    assert not home.ready_file.exists()


@pytest.mark.real
def test_after_kill_9_the_next_start_cleans_up_and_works(home: Home) -> None:
    """A killed supervisor's children end with it, or at the latest when the next one starts."""
    first = Program(home)
    one, two = first.children()
    first.process.kill()
    first.process.wait()
    second = Program(home)
    again = second.children()
    gone, alive = psutil.wait_procs([one, two], timeout=8)
    second.process.terminate()

    assert (len(gone), alive) == (2, [])
    assert {process.pid for process in again}.isdisjoint({one.pid, two.pid})
    assert second.process.wait(15) == 0
