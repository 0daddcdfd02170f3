"""What runs beside what: tests that share a broker or a stack stay together, and every other file by itself."""

from __future__ import annotations

import pytest

SHARED = ("stack", "broker")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name each test's group for `--dist loadgroup`; what a group shares is then started once."""
    for item in items:
        used = getattr(item, "fixturenames", ())
        group = next((shared for shared in SHARED if shared in used), str(item.path))
        item.add_marker(pytest.mark.xdist_group(group))
