"""Every fuzz target by name."""

from __future__ import annotations

from tests.fuzz.target import Target
from tests.fuzz.targets import http, market, rates, records, stall, story, texts, wire

TARGETS: dict[str, Target] = {
    target.name: target for module in (wire, market, stall, story, records, texts, rates, http) for target in module.TARGETS
}
