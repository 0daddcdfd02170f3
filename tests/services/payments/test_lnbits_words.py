"""What LNbits says is read as it is meant: a time without a zone, and a payment that is none of ours."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from services.payments.lnbits_words import observed, read_invoice
from services.payments.port import BackendRef, Unknown
from tests.services.payments.scripted_lnbits import ScriptedLnbits

AT = datetime(2026, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)
REF = "a" * 24


def said(at: str) -> dict[str, Any]:
    """A payment that was settled at this time, in LNbits' words."""
    made = ScriptedLnbits().add(amount=21, expiry=600, memo="", external_id=REF, extra={})
    return {**made, "status": "success", "created_at": at, "updated_at": at}


@pytest.mark.case("P22")
@pytest.mark.parametrize("zone", ["", "Z", "+00:00", "+05:30", "-08:00"])
def test_a_time_means_utc_where_it_names_no_zone_and_else_what_it_names(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LNbits leaves the zone out of an invoice it has just made and gives one later; where we run does not matter."""
    hours = {"+05:30": 5.5, "-08:00": -8.0}.get(zone, 0.0)
    there = AT.astimezone(timezone(timedelta(hours=hours)))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    read = read_invoice(said(there.replace(tzinfo=None).isoformat() + zone))
    monkeypatch.undo()
    time.tzset()

    assert read.updated_us == 1_772_600_767_250_000
    assert observed(BackendRef(REF), [read], AT.timestamp()).settled_at == 1_772_600_767


@pytest.mark.case("P22")
@pytest.mark.parametrize("at", ["yesterday", "", None, "2026-13-01T00:00:00", []])
def test_a_time_that_is_none_makes_an_unreadable_payment_and_no_guess(at: Any) -> None:
    """It is asked for again."""
    with pytest.raises(Unknown):
        read_invoice(said(at))
