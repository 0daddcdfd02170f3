"""What payment vendors send: any body of a webhook, and whatever a BTCPay Server says of an invoice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from services.payments import btcpay_words, lnbits_words, phoenixd_words
from services.payments.btcpay_words import observed, read_invoice
from services.payments.node_words import our_reference
from services.payments.port import BackendRef, Hint, Retry, Unknown
from tests.fuzz.target import Tape, Target, with_choices

NOW_S = 1_700_000_000
REF = "abcdefghijklmnopqrstuvwx"
READERS: tuple[Callable[[bytes, int], tuple[Hint, ...]], ...] = (
    lnbits_words.noticed,
    phoenixd_words.noticed,
    btcpay_words.noticed,
)


def notice_anything(data: bytes) -> None:
    """A proven call is a hint at one request of ours, at all of them or at nothing; nobody's body is an error."""
    tape = Tape(data)
    for hint in READERS[tape.choice(len(READERS))](tape.rest(), NOW_S):
        assert hint.backend_ref is None or our_reference(hint.backend_ref) is not None, "a hint names what is ours"


def look_at_any_invoice(data: bytes) -> None:
    """Whatever the server says, money is a whole and sane number of msat, or nothing is said of it."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return
    invoice = read_invoice(said)
    seen = observed(BackendRef(REF), [invoice], NOW_S)
    assert 0 <= seen.gross_msat < 10**40, "nobody pays less than nothing"


def _notices() -> Iterator[bytes]:
    lnbits = {"payment_hash": "ab" * 32, "external_id": REF, "status": "success"}
    yield with_choices(json.dumps(lnbits), 0)
    yield with_choices(json.dumps(json.dumps(lnbits)), 0)
    yield with_choices(json.dumps({"type": "payment_received", "externalId": REF}), 1)
    yield with_choices(json.dumps({"type": "InvoiceSettled", "metadata": {"orderId": REF}}), 2)
    yield with_choices(json.dumps({"type": "InvoiceExpired", "metadata": None, "storeId": "9CiNzKoA"}), 2)
    yield with_choices(b"[" * 4_000, 2)
    yield with_choices(b'{"type":' + b"7" * 4_000, 1)


def _invoices() -> Iterator[bytes]:
    payment = {"id": "7", "receivedDate": NOW_S, "value": "0.00021", "fee": "0.0", "status": "Settled"}
    method = {"paymentMethodId": "BTC-LN", "currency": "BTC", "destination": "lnbc1", "payments": [payment]}
    invoice = {
        "id": "Xq7",
        "amount": "21000",
        "currency": "SATS",
        "status": "Settled",
        "createdTime": NOW_S,
        "expirationTime": NOW_S + 600,
        "metadata": {"orderId": REF},
        "paymentMethods": [method],
    }
    yield json.dumps(invoice).encode()
    for value in ("-1", "1e999999", "NaN", "0.000000000001", "9" * 39):
        yield json.dumps(
            {**invoice, "paymentMethods": [{**method, "payments": [{**payment, "value": value}]}]}
        ).encode()
    yield json.dumps({**invoice, "paymentMethods": None, "amount": "1e-19"}).encode()


TARGETS = (
    Target("notice", notice_anything, _notices, (), ('"type":', '"externalId":', '"metadata":', REF), True, 1),
    Target("btcpay", look_at_any_invoice, _invoices, (Unknown, Retry), ("1e", "Processing", "SATS"), False, 0),
)
