"""`ncc wallet check --accept`: a lightning address that changed is used again once its merchant says so."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path

import pytest
import typer

from schemas.bolt11 import Network
from services.cli.wallet import _checked
from services.home import Home
from services.payments.credentials import Lud16Credential
from services.payments.simulated import SimulatedWallet
from services.payments.wallet_check import WalletCheck
from tests.support.builders import MERCHANT
from tests.support.lnurl_service import LnurlService

ROW = {"name": "shop", "public_key": MERCHANT}


@pytest.mark.case("F7")
async def test_a_changed_address_fails_its_trial_until_it_is_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator reads what has changed and what to do; from then on the trial holds it to what it says now."""
    wallet = SimulatedWallet(tmp_path / "wallet.sqlite")
    async with LnurlService(wallet, MERCHANT, lambda: int(time.time())) as service:
        credential = Lud16Credential(address=service.address, is_near=True, network=Network.REGTEST)
        trial = partial(_checked, Home(tmp_path / "home"), credential, ROW, MERCHANT)

        async def check(*, is_accepted: bool) -> WalletCheck:
            return await asyncio.to_thread(trial, is_accepted=is_accepted)

        await check(is_accepted=True)
        service.text = "Somebody's shop"
        with pytest.raises(typer.Exit):
            await check(is_accepted=False)
        said = " ".join(capsys.readouterr().err.split())
        assert "it says another text of itself; if that is right, `ncc wallet check SHOP --accept`" in said

        assert (await check(is_accepted=True)).faults == ()
        assert (await check(is_accepted=False)).faults == ()
    wallet.close()
