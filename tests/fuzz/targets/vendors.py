"""What payment vendors send: any body of a webhook, and whatever BTCPay or Stripe say of what was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from services.payments import btcpay_words, lnbits_words, phoenixd_words, stripe_words
from services.payments.btcpay_words import observed, read_invoice
from services.payments.node_words import our_reference
from services.payments.port import BackendRef, Hint, Retry, Unknown
from services.payments.stripe_words import Sight, read_session
from services.payments.stripe_words import observed as observe_sights
from tests.fuzz.target import Tape, Target, with_choices

NOW_S = 1_700_000_000
REF = "abcdefghijklmnopqrstuvwx"
READERS: tuple[Callable[[bytes, int], tuple[Hint, ...]], ...] = (
    lnbits_words.noticed,
    phoenixd_words.noticed,
    btcpay_words.noticed,
    stripe_words.noticed,
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


def look_at_any_session(data: bytes) -> None:
    """The same of a page of Stripe's; a part of what was asked for is a part of the order's amount."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return
    sight = Sight(read_session(said), is_taken=len(data) % 2 == 1)
    seen = observe_sights(BackendRef(REF), [sight], NOW_S)
    assert 0 <= seen.gross_msat < 10**40, "nobody pays less than nothing"
    assert "@" not in repr(seen), "nobody's address is kept"


def _notices() -> Iterator[bytes]:
    lnbits = {"payment_hash": "ab" * 32, "external_id": REF, "status": "success"}
    yield with_choices(json.dumps(lnbits), 0)
    yield with_choices(json.dumps(json.dumps(lnbits)), 0)
    yield with_choices(json.dumps({"type": "payment_received", "externalId": REF}), 1)
    yield with_choices(json.dumps({"type": "InvoiceSettled", "metadata": {"orderId": REF}}), 2)
    yield with_choices(json.dumps({"type": "InvoiceExpired", "metadata": None, "storeId": "9CiNzKoA"}), 2)
    session = {"object": "checkout.session", "metadata": {"ncc_reference": REF}}
    yield with_choices(json.dumps({"type": "checkout.session.completed", "data": {"object": session}}), 3)
    yield with_choices(json.dumps({"type": "charge.dispute.created", "data": {"object": {"object": "dispute"}}}), 3)
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
    gone = {**payment, "id": f"{'7f' * 32}-1", "status": "Invalid"}
    on_chain = {**method, "paymentMethodId": "BTC-CHAIN", "destination": "bcrt1q", "payments": [gone]}
    yield json.dumps({**invoice, "paymentMethods": [on_chain]}).encode()


def _sessions() -> Iterator[bytes]:
    charge = {"created": NOW_S, "refunded": False, "disputed": False}
    payment = {"id": "pi_3", "status": "succeeded", "currency": "eur", "amount_received": 3_057}
    about = {"ncc_reference": REF, "ncc_msat": "21000000", "ncc_units": "3057", "ncc_currency": "eur"}
    session = {
        "id": "cs_test_a1",
        "created": NOW_S,
        "expires_at": NOW_S + 3_600,
        "status": "complete",
        "payment_status": "paid",
        "amount_total": 3_057,
        "currency": "eur",
        "metadata": about,
        "payment_intent": {**payment, "latest_charge": charge},
        "customer_details": {"email": "buyer@example.com"},
    }
    yield json.dumps(session).encode()
    yield json.dumps({**session, "payment_intent": None}).encode()
    yield json.dumps({**session, "payment_status": "unpaid", "status": "open"}).encode()
    yield json.dumps({**session, "metadata": {**about, "ncc_units": "0"}}).encode()
    for said in ({"amount_received": 10**15}, {"amount_received": -1}, {"currency": "usd"}, {"latest_charge": "ch_1"}):
        yield json.dumps({**session, "payment_intent": {**payment, **said}}).encode()


TARGETS = (
    Target("notice", notice_anything, _notices, (), ('"type":', '"externalId":', '"metadata":', REF), True, 1),
    Target("btcpay", look_at_any_invoice, _invoices, (Unknown, Retry), ("1e", "Processing", "SATS"), False, 0),
    Target("stripe", look_at_any_session, _sessions, (Unknown, Retry), ("ncc_units", "paid", "eur"), False, 0),
)
