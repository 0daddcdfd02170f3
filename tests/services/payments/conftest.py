"""What the tests of back-ends share: one relay process for those that speak over Nostr, and a wallet of ecash."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from services.embedded.relay import READY_LINE
from tests.services.payments.scripted_ecash import bench, book, clock, mint, path, wallet

__all__ = ["bench", "book", "clock", "mint", "path", "relay", "wallet"]


@pytest.fixture(scope="module")
def relay() -> Iterator[str]:
    """The address of a relay that keeps events in memory."""
    argv = [sys.executable, "-m", "services.embedded.relay", "--memory"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip().removeprefix(READY_LINE)
    process.kill()
    process.communicate()
