"""What the tests of back-ends share: a relay process, a wallet of ecash, and a chain for those on it."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.embedded.relay import READY_LINE
from services.payments.chain import ChainWallet
from tests.services.payments.chain_bench import Open, opened
from tests.services.payments.scripted_ecash import bench, book, clock, mint, path, wallet
from tests.services.payments.test_chain_keys import TPUB
from tests.support.scripted_chain import ScriptedChain

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


@pytest.fixture
async def chain() -> ScriptedChain:
    """A chain of a hundred blocks."""
    return ScriptedChain()


@pytest.fixture
async def wallet_at(chain: ScriptedChain, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens a back-end on the chain, with the test's own book; what a test opens is closed after it."""
    made: list[ChainWallet] = []
    async with chain.serve() as url:

        def open_(account: str = TPUB, book: Path = tmp_path / "chain.db", **settings: object) -> ChainWallet:
            made.append(opened(chain, url, book, account, **settings))
            return made[-1]

        yield open_
        for wallet in made:
            await wallet.close()
