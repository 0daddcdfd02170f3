"""What `python -m bench` writes and how it refuses, without a stack."""

from __future__ import annotations

import pytest

from bench.__main__ import as_document, main
from bench.figures import rows
from bench.run import Run


def test_the_document_has_plain_numbers_parts_and_verdicts() -> None:
    """One number where a figure has no parts; a part that never happened is null."""
    measured = Run({"cores": 2}, {"orders_per_second": {"": 123.456}, "recovery_seconds": {"kafka": None, "api": 2.0}})

    document = as_document(measured, rows(measured.values), True, 1.23)

    assert document["figures"] == {"orders_per_second": 123.5, "recovery_seconds": {"kafka": None, "api": 2.0}}
    assert document["verdicts"] == {
        "orders_per_second": "over",
        "recovery_seconds kafka": "over",
        "recovery_seconds api": "ok",
    }


def test_an_unknown_figure_ends_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is started for a name nobody knows."""
    assert main(["--only", "speed"]) == 2
    assert "unknown figure speed" in capsys.readouterr().err
