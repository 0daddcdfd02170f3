"""Every fuzz target by name."""

from __future__ import annotations

from tests.fuzz.target import Target
from tests.fuzz.targets import http, market, rates, records, story, texts, wire

TARGETS: dict[str, Target] = {
    target.name: target for module in (wire, market, story, records, texts, rates, http) for target in module.TARGETS
}
