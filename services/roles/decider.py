"""The decider role, composed."""

from __future__ import annotations

from services.rates import FixedRates
from services.roles.stage import Stage
from streams.decider import Decider


async def run(stage: Stage) -> None:
    """Commands → the journal."""
    rates = FixedRates.parse(stage.settings.rates)
    decider = Decider(stage.kafka, rates.now, stage.home.root / "decider")
    stage.ready_when(lambda: decider.is_ready, decider.lag)
    await decider.run()
