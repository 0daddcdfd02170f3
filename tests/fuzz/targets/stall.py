"""What stalls' buyers say in kind 4, once it is decrypted (NIP-15)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from schemas.dialects import nip15
from schemas.dialects.contract import MessageRefused, Said
from schemas.dialects.human import read_letter
from tests.fuzz.target import MARK, Target
from tests.support.builders import BUYER, MERCHANT, an_id


def read_any_stall_message(data: bytes) -> None:
    """The text is an order, counted, somebody's words, or refused with a reason."""
    text = data.decode("utf-8", "replace")
    said = Said(an_id("direct"), BUYER, MERCHANT, 4, (("p", MERCHANT),), text)
    if not nip15.is_checkout(text):
        assert nip15.type_of(text) is None, "words have no type"
        assert read_letter(said).buyer == BUYER
    elif nip15.ignored(text) is None:
        draft = nip15.DIALECT.read(said)
        assert draft.lines, "an order has lines"
        assert draft == nip15.DIALECT.read(said)


_ORDER = {"type": 0, "id": "o", "items": [{"product_id": "tea", "quantity": 1}], "shipping_id": "z", "address": MARK}
_WORDS = ('"type":', '"items":', '"product_id":', '"quantity":', '"contact":', "30402:", "1e9", "null")


def _stall_messages() -> Iterator[bytes]:
    yield json.dumps(_ORDER).encode()
    yield json.dumps(_ORDER | {"name": MARK, "contact": {"email": MARK, "phone": 1}, "message": None}).encode()
    yield b'{"type": 2, "id": "o", "paid": true}'
    yield MARK.encode()
    yield json.dumps(_ORDER | {"items": [{"product_id": "30402:" + MERCHANT + ":tea", "quantity": "2"}]}).encode()
    yield json.dumps(_ORDER | {"type": "0", "address": None, "message": MARK}).encode()
    yield b'{"type": 1, "id": "o", "message": "", "payment_options": [{"type": "ln", "link": "lnbc1"}]}'


TARGETS = (Target("stall", read_any_stall_message, _stall_messages, (MessageRefused,), _WORDS, json_after=0),)
