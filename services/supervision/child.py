"""What the supervisor is told of a child, and what it tells about one."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from services.supervision.launchers import Launcher, Program

type ReadyProbe = Callable[[], bool | Awaitable[bool]] | str | None
"""How to see that a child answers: a function (a plain one runs in a thread), or a URL.

`http://` must answer with a status below 400, `ws://` and `tcp://` must accept a connection.
None: it counts as ready when it lived for `Timing.settle_s`.
"""


PROGRAM: Final = Program()


@dataclass(frozen=True)
class Child:
    """One process to keep running."""

    name: str
    argv: Sequence[str]
    """What to start, in its launcher's words; a program and its arguments where nothing else is said."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Added to the supervisor's own environment; may hold secrets, so it is never shown."""
    ready: ReadyProbe = None
    depends: Sequence[str] = ()
    """Names that must be up before this one is started, and that are stopped after it."""
    waits: bool = True
    """False: it is started at once and waits itself for what it depends on; only stopping keeps the order."""
    start_s: float = 60.0
    """A child that is not ready after this long is killed and started anew."""
    launcher: Launcher = field(default=PROGRAM, repr=False)
    fatal: tuple[type[Exception], ...] = ()
    """Errors of the probe that no waiting mends: they stop everything, and `run` raises them.

    Any other error of a probe means "not yet", and is shown as the child's last error.
    """


@dataclass(frozen=True)
class Timing:
    """The supervisor's patience, in seconds; tests make it short."""

    backoff_first_s: float = 0.2
    """The pause after a first death; it doubles with each further one."""
    backoff_max_s: float = 10.0
    """The longest pause, and the pause of a failing child."""
    steady_s: float = 30.0
    """A child that lived this long starts with the first pause again."""
    failing_deaths: int = 5
    """This many deaths within `failing_window_s` make a child failing."""
    failing_window_s: float = 60.0
    recovered_s: float = 5.0
    """How long a failing child must live and be ready before it counts as up."""
    settle_s: float = 0.3
    """How long a child without a probe must live before it counts as up."""
    probe_every_s: float = 0.1
    report_every_s: float = 1.0
    """The shortest time between two writes of status.json."""
    usage_every_s: float = 5.0
    """How old memory and processor figures may get while nothing else changes."""
    stop_s: float = 9.0
    """The time for a clean stop of everything; what still lives then is killed."""


class ChildState(StrEnum):
    """Where a child is in its life."""

    STARTING = "starting"
    """Not ready yet, or waiting for what it depends on."""
    UP = "up"
    RESTARTING = "restarting"
    """Died, and is started again after a pause."""
    FAILING = "failing"
    """Keeps dying; it is still tried, slowly."""
    STOPPED = "stopped"


@dataclass
class ChildStatus:
    """One line of `status.json`."""

    name: str
    pid: int | None = None
    state: ChildState = ChildState.STARTING
    restarts: int = 0
    since_ms: int = 0
    """Since when it is in this state."""
    last_error: str | None = None
    """Why it died last: how, and what its log said."""
    memory_mb: float = 0.0
    cpu_s: float = 0.0


class Deaths:
    """Counts one child's deaths, and says how long to wait after each."""

    def __init__(self, timing: Timing) -> None:
        self._timing: Final = timing
        self._at_s: deque[float] = deque(maxlen=timing.failing_deaths)
        self._pause_s = 0.0

    def note(self, now_s: float, lived_s: float) -> float:
        """Notes a death at `now_s` after `lived_s` of life; returns the pause before the next start."""
        self._at_s.append(now_s)
        doubled_s = self._pause_s * 2 if lived_s < self._timing.steady_s else 0.0
        self._pause_s = min(max(doubled_s, self._timing.backoff_first_s), self._timing.backoff_max_s)
        return self._timing.backoff_max_s if self.is_failing(now_s) else self._pause_s

    def is_failing(self, now_s: float) -> bool:
        """Whether it died too often lately."""
        is_full = len(self._at_s) == self._timing.failing_deaths
        return is_full and now_s - self._at_s[0] <= self._timing.failing_window_s


def start_waves(children: Sequence[Child]) -> list[list[str]]:
    """The children's names in the order they can start: each wave needs only the waves before it.

    Raises ValueError for a name given twice, an unknown dependency or a circle.
    """
    names = [child.name for child in children]
    if len(set(names)) != len(names):
        raise ValueError(f"two children have one name among {', '.join(names)}")
    waiting = {child.name: set(child.depends) for child in children}
    waves: list[list[str]] = []
    started: set[str] = set()
    while waiting:
        wave = [name for name, needs in waiting.items() if needs <= started]
        if not wave:
            raise ValueError(f"these children wait for each other or for an unknown one: {', '.join(waiting)}")
        waves.append(wave)
        started.update(wave)
        waiting = {name: needs for name, needs in waiting.items() if name not in started}
    return waves
