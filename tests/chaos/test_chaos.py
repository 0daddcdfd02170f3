"""Twenty kills and as many other faults on a whole stack: every buyer is answered as the model says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.run import run

pytestmark = pytest.mark.real

KILLS = 20


@pytest.mark.req("PAY-17")
@pytest.mark.req("OPS-04")
@pytest.mark.req("REL-13")
async def test_twenty_kills_and_a_lying_relay_cost_nobody_anything(tmp_path: Path) -> None:
    """Orders never stop coming; afterwards buyers, relays, wallet, API, ClickHouse and tables agree on every one."""
    result = await run(tmp_path / "home", seed=1, kills=KILLS)

    assert result.breaches == (), result.logs
    assert result.kills == KILLS
    assert result.outcomes["confirmed"] > 20
    assert result.drain_s < 120
