"""A stack whose keys are in another process: it sells as ever, and waits while the keys are away."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.home import Home
from services.signer.keystore import Keystore
from tests.integration.test_command_line import ncc_json
from tests.support.shop import Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


@contextmanager
def signer(home: Path, socket: Path) -> Iterator[None]:
    """`ncc signer serve` while the block runs."""
    argv = [sys.executable, "-m", "services.cli.main", "signer", "serve", "--home", str(home), "--socket", str(socket)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "answers on" in process.stdout.readline()
        yield
    finally:
        process.terminate()
        assert process.wait(10) == 0
        process.stdout.close()  # type: ignore[union-attr]


@pytest.mark.req("ID-12")
async def test_while_the_signer_is_away_messages_wait_and_nothing_dies(tmp_path: Path) -> None:
    """The shop's key is never in the stack's home; an order during the absence is answered after it, once."""
    keys, socket = Home(tmp_path / "keys"), tmp_path / "signer.sock"
    with RunningStack(tmp_path / "home", environment={"NCC_SIGNER": str(socket)}) as stack:
        with signer(keys.root, socket):
            shop = await Shop(stack, keys=keys).__aenter__()
            buyer = await shop.buyer()
            paid = await shop.order(buyer)
            invoice = invoice_of(await buyer.wait_for(paid, "2"))
        try:
            await shop.pay(invoice)
            placed = await shop.order(buyer)
            await shop.until(lambda: waiting(stack, {"intake", "publisher"}), "a word about the signer")
            assert not buyer.of_order(paid, "3")

            with signer(keys.root, socket):
                await buyer.wait_for(paid, "3", "confirmed")
                await buyer.wait_for(placed, "2")
                await shop.until(lambda: waiting(stack, set()), "no word about the signer")
            assert len(buyer.of_order(paid, "3", "confirmed")) == len(buyer.of_order(placed, "2")) == 1
        finally:
            await shop.__aexit__(None, None, None)
        assert not Keystore.of(stack.home).public_keys()
        assert {name: child["restarts"] for name, child in stack.children().items() if child["restarts"]} == {}


async def waiting(stack: RunningStack, roles: set[str]) -> bool | None:
    """Whether just these roles tell the operator that they wait for the signer."""
    status = await asyncio.to_thread(ncc_json, "status", home=stack.home.root)
    return {row["name"] for row in status if "wait for the signer" in (row["notice"] or "")} == roles or None
