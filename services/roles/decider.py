"""The decider role, composed."""

from __future__ import annotations

from services.rates import sources
from services.rates.fixed import FixedRates
from services.rates.live import LiveRates
from services.roles.stage import Stage, together
from streams.decider import Decider


async def run(stage: Stage) -> None:
    """Commands → the journal."""
    pinned = FixedRates.parse(stage.settings.rates)
    rates = LiveRates(sources.parse(stage.settings.rate_sources), pinned, stage.notify)
    decider = Decider(stage.kafka, rates.now, stage.home.root / "decider")
    stage.ready_when(lambda: decider.is_ready, decider.lag)
    await together(decider.run(), rates.run())
