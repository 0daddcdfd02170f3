"""The views role, composed."""

from __future__ import annotations

from schemas import topics
from services.roles.stage import Stage
from streams import faust_app, views


async def run(stage: Stage) -> None:
    """The journal → state tables."""
    app = faust_app.make_app(
        topics.VIEWS_APP,
        stage.settings.kafka,
        stage.settings.partitions,
        stage.home.root / "faust",
        committed_only=True,
        instance=stage.settings.instance,
    )
    views.attach(app, stage.settings.partitions)
    readiness = faust_app.Readiness(app, topics.JOURNAL.name)
    stage.ready_when(readiness, readiness.lag)
    await faust_app.run_app(app)
