"""What comes over a wallet's socket is a reason to look up or nothing, whatever it looks like."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from services.payments import lnbits_words, phoenixd_words
from services.payments.port import FROM_THE_START, BackendRef, Cursor, Hint, Scan
from services.payments.socket_notices import hints

REF = "a" * 24
LNBITS = {"payment": {"external_id": REF, "amount": 21_000}}
PHOENIXD = {"type": "payment_received", "externalId": REF}
Read = Callable[[str, int], Hint | None]

ODD: list[Any] = [None, 7, [], [LNBITS], {}, {"payment": None}, {"payment": []}, {"payment": {"external_id": REF}}]
"""JSON that is none of a wallet's messages; then what is no JSON at all."""
TEXTS = [json.dumps(one) for one in ODD] + ["", "{", "\x00", "id=1&paid=true", "[" * 200_000, "1" * 10_000]


@pytest.mark.case("P9")
@pytest.mark.parametrize(("read", "whole"), [(lnbits_words.hint_in, LNBITS), (phoenixd_words.hint_in, PHOENIXD)])
def test_only_a_message_of_a_payment_of_ours_is_a_hint(read: Read, whole: dict[str, Any]) -> None:
    """Other shapes, JSON in a JSON text, somebody else's payment and nonsense are nothing, and raise nothing."""
    assert read(json.dumps(whole), 5) == Hint(BackendRef(REF), at=5)
    wrapped = json.dumps(json.dumps(whole))
    foreign = json.dumps(whole).replace(REF, "somebody else")
    assert read(wrapped, 5) in (None, Hint(BackendRef(REF), at=5)), "phoenixd's is read as its webhooks are"
    assert [text for text in (foreign, *TEXTS) if read(text, 5) is not None] == []


@pytest.mark.case("P9")
async def test_a_message_that_cannot_be_read_does_not_end_the_listening() -> None:
    """What comes after it is heard."""

    async def heard() -> AsyncGenerator[str, None]:
        for text in ("", *TEXTS[1:], json.dumps(LNBITS)):
            yield text

    async def scan(cursor: Cursor) -> Scan:
        return Scan((), cursor)

    found = [one async for one in hints(heard(), FROM_THE_START, scan, lambda text: lnbits_words.hint_in(text, 5))]

    assert found == [Hint(BackendRef(REF), at=5)]
