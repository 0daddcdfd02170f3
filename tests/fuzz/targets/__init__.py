"""Every fuzz target by name."""

from __future__ import annotations

from tests.fuzz.target import Target
from tests.fuzz.targets import ecash, http, market, rates, records, stall, story, texts, vendors, wire

_MODULES = (wire, market, stall, story, records, texts, rates, http, vendors, ecash)

TARGETS: dict[str, Target] = {target.name: target for module in _MODULES for target in module.TARGETS}
