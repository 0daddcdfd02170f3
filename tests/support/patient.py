"""`ncc` whose supervisor starts a dead child again at once, however often it dies: for tests that kill without end."""

from __future__ import annotations

from functools import partial

import services.supervisor
from services.cli.main import main
from services.supervision.child import Timing

if __name__ == "__main__":
    services.supervisor.Timing = partial(Timing, backoff_max_s=0.2, failing_deaths=100_000)  # type: ignore[assignment,misc]
    main()
