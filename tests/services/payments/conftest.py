"""What the tests of back-ends share: one relay process, which those that speak over Nostr use."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from services.embedded.relay import READY_LINE


@pytest.fixture(scope="module")
def relay() -> Iterator[str]:
    """The address of a relay that keeps events in memory."""
    argv = [sys.executable, "-m", "services.embedded.relay", "--memory"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip().removeprefix(READY_LINE)
    process.kill()
    process.communicate()
