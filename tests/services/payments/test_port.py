"""Checks the port's pure parts: names, secrets in disguise, and the check of a returned invoice."""

import pickle
import re
from dataclasses import replace
from typing import Any

import pytest

from schemas.bolt11 import Invoice, Network, encode
from schemas.nostr.secp256k1 import recover, sign_recoverable
from schemas.payments import BackendState, Method, intent_id
from schemas.values import OrderKey
from services.payments.invoice_request import EXPIRY_SLACK_S, check_request
from services.payments.port import BackendRef, Intent, Observation, RequestFault, RequestRefused, reference
from services.payments.preimages import Preimage, preimage_for

NODE_SECRET = b"\x05" * 32
NODE = recover(bytes(32), sign_recoverable(NODE_SECRET, bytes(32))).hex()
NOW = 1_760_000_000
NAME = intent_id(OrderKey(merchant="a1" * 32, buyer="b2" * 32, order_id="order-1"), 1, Method.BOLT11)
INTENT = Intent(
    intent_id=NAME,
    reference=reference(NAME),
    amount_msat=5_500,
    memo="Order 1",
    expires_at=NOW + 600,
    method=Method.BOLT11,
    preimage=preimage_for(b"deployment", NAME),
)


def _text(**changes: object) -> str:
    assert INTENT.preimage is not None
    terms: dict[str, Any] = {
        "network": Network.REGTEST,
        "amount_msat": INTENT.amount_msat,
        "timestamp": NOW,
        "payment_hash": INTENT.preimage.payment_hash,
        "payment_secret": "11" * 32,
        "secret": NODE_SECRET,
        "description": INTENT.memo,
        "expiry_s": 600,
    }
    return encode(**(terms | changes))


def _check(text: str, intent: Intent = INTENT, now: int = NOW, **more: str) -> Invoice | RequestRefused:
    return check_request(intent, text, now, Network.REGTEST, NODE, **more)


def _reason(found: Invoice | RequestRefused) -> RequestFault | None:
    return found.reason if isinstance(found, RequestRefused) else None


def test_the_same_order_revision_has_one_name_and_any_difference_another() -> None:
    """Merchant, buyer, order, revision and method all count, each apart from its neighbours."""
    names = {
        NAME,
        intent_id(OrderKey(merchant="a2" * 32, buyer="b2" * 32, order_id="order-1"), 1, Method.BOLT11),
        intent_id(OrderKey(merchant="a1" * 32, buyer="b3" * 32, order_id="order-1"), 1, Method.BOLT11),
        intent_id(OrderKey(merchant="a1" * 32, buyer="b2" * 32, order_id="order-2"), 1, Method.BOLT11),
        intent_id(OrderKey(merchant="a1" * 32, buyer="b2" * 32, order_id="order-1"), 2, Method.BOLT11),
        intent_id(OrderKey(merchant="a1" * 32, buyer="b2" * 32, order_id="order-1"), 1, Method.CASHU),
        intent_id(OrderKey(merchant="a1" * 32, buyer="b2" * 32, order_id="order-11"), 1, Method.BOLT11),
        intent_id(OrderKey(merchant="a1" * 32, buyer="b2" * 32, order_id="order-1"), 11, Method.BOLT11),
    }
    assert len(names) == 8
    assert intent_id(OrderKey(merchant="a1" * 32, buyer="b2" * 32, order_id="order-1"), 1, Method.BOLT11) == NAME


def test_names_do_not_change_between_releases() -> None:
    """A deployment that is upgraded must find its own invoices again."""
    assert NAME == "e6b07d0995d0d3a58493e29c4769d617850680152b7598ffc4f0243c2508fbde"
    assert reference(NAME) == "42yh2cmv2dj2lbet4koeo2ow"
    assert (
        preimage_for(b"deployment", NAME).payment_hash
        == "c49d12b71ed442ed74f860f76218a3c24e0a8c43f0412ea9e4a024ae4a9f1e28"
    )


def test_a_reference_fits_every_back_end() -> None:
    """Short, lower case, no blanks and nothing to be escaped."""
    assert re.fullmatch(r"[a-z2-7]{24}", reference("ff" * 32))


def test_a_preimage_depends_on_the_deployment_and_the_intent() -> None:
    """Nobody else can derive it."""
    other = intent_id(OrderKey(merchant="a1" * 32, buyer="b2" * 32, order_id="order-2"), 1, Method.BOLT11)
    assert preimage_for(b"deployment", NAME) == preimage_for(b"deployment", NAME)
    assert len({preimage_for(b"deployment", NAME), preimage_for(b"x", NAME), preimage_for(b"x", other)}) == 3


@pytest.mark.case("F3")
def test_a_preimage_neither_prints_nor_pickles() -> None:
    """Not by itself, and not inside an intent."""
    preimage = Preimage(b"\x07" * 32)
    for said in (repr(preimage), str(preimage), f"{preimage}", repr(replace(INTENT, preimage=preimage))):
        assert "07" * 8 not in said
        assert "\\x07" not in said
    with pytest.raises(TypeError):
        pickle.dumps(preimage)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_preimage_has_32_bytes(size: int) -> None:
    """BOLT-11 knows no others."""
    with pytest.raises(ValueError, match="32 bytes"):
        Preimage(b"\x01" * size)


def test_settled_at_or_after_expiry_is_late() -> None:
    """And nothing else is."""
    observed = Observation(BackendRef("ref"), None, BackendState.SETTLED, settled_at=NOW, expires_at=NOW + 1)
    assert not observed.is_late
    assert replace(observed, expires_at=NOW).is_late
    assert not replace(observed, expires_at=None).is_late
    assert not replace(observed, settled_at=None).is_late


@pytest.mark.req("PAY-08")
def test_an_invoice_that_is_what_was_asked_for_passes() -> None:
    """The decoded invoice comes back, in the form that is sent."""
    found = _check(_text())
    assert isinstance(found, Invoice)
    assert (found.amount_msat, found.payee, found.expires_at) == (5_500, NODE, INTENT.expires_at)


@pytest.mark.case("F5", "P23")
@pytest.mark.req("PAY-08")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"network": Network.BITCOIN}, RequestFault.NETWORK),
        ({"amount_msat": 5_000}, RequestFault.AMOUNT),
        ({"amount_msat": 5_501}, RequestFault.AMOUNT),
        ({"amount_msat": None}, RequestFault.AMOUNT),
        ({"secret": b"\x06" * 32}, RequestFault.PAYEE),
        ({"payment_hash": "22" * 32}, RequestFault.PAYMENT_HASH),
        ({"expiry_s": 600 + EXPIRY_SLACK_S + 1}, RequestFault.LIVES_TOO_LONG),
        ({"timestamp": NOW - 600}, RequestFault.EXPIRED),
    ],
)
def test_an_invoice_that_differs_in_one_point_is_refused_for_it(
    changes: dict[str, object], reason: RequestFault
) -> None:
    """A rounded or missing amount, another network, payee or hash, and a wrong life time are all found."""
    assert _reason(_check(_text(**changes))) == reason


@pytest.mark.req("PAY-08")
def test_text_that_is_no_invoice_is_refused() -> None:
    """A broken checksum included."""
    assert _reason(_check("")) == RequestFault.UNREADABLE
    assert _reason(_check(_text()[:-1] + "q")) == RequestFault.UNREADABLE


def test_a_shorter_life_than_asked_for_is_accepted() -> None:
    """Some back-ends set their own; dying early harms nobody."""
    assert _reason(_check(_text(expiry_s=60))) is None
    assert _reason(_check(_text(expiry_s=600 + EXPIRY_SLACK_S))) is None


def test_a_back_end_that_sets_the_expiry_itself_may_set_it_to_a_week() -> None:
    """As nodes do by default; the offer ends when it ends, and what is paid after that is late money."""
    for life_s, reason in ((7 * 86_400, None), (30 * 86_400, RequestFault.LIVES_TOO_LONG)):
        bare = replace(INTENT, preimage=None)
        text = _text(expiry_s=life_s)
        found = check_request(bare, text, NOW, Network.REGTEST, NODE, custom_expiry=False)
        assert _reason(found) == reason


def test_what_is_not_known_is_not_checked() -> None:
    """Without a known payee or preset preimage the rest still holds."""
    bare = replace(INTENT, preimage=None)
    text = _text(secret=b"\x06" * 32, payment_hash="22" * 32)
    assert isinstance(check_request(bare, text, NOW, Network.REGTEST, None), Invoice)


def test_the_back_ends_own_word_for_the_hash_must_agree() -> None:
    """Otherwise a later look-up would ask for another invoice."""
    bare = replace(INTENT, preimage=None)
    assert _reason(_check(_text(payment_hash="22" * 32), bare, payment_hash="22" * 32)) is None
    assert _reason(_check(_text(), bare, payment_hash="22" * 32)) == RequestFault.PAYMENT_HASH


def test_a_description_hash_must_be_the_one_asked_for() -> None:
    """A payer's wallet holds it against the metadata it was shown."""
    hashed = replace(INTENT, description_hash="33" * 32)
    assert _reason(_check(_text(), hashed)) == RequestFault.DESCRIPTION_HASH
    text = _text(description=None, description_hash="33" * 32)
    assert _reason(_check(text, hashed)) is None
