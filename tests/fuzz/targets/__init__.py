"""Every fuzz target by name."""

from __future__ import annotations

from tests.fuzz.target import Target
from tests.fuzz.targets import http, market, records, story, texts, wire

TARGETS: dict[str, Target] = {
    target.name: target for module in (wire, market, story, records, texts, http) for target in module.TARGETS
}
