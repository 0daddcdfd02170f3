"""Gift wraps as we make them: one-time keys, the same bytes on every run, the own-copy mark, and other readers."""

import json
from typing import Any

import nostr_sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr import nip44, nip59
from schemas.nostr.nip01 import read_event, to_json
from schemas.nostr.nip59 import WrapFault
from schemas.nostr.secp256k1 import SecretKey
from tests.schemas.nostr.given import (
    BUYER,
    MERCHANT,
    OTHER_MERCHANT,
    PLACED_AT,
    STEADY,
    STRANGER,
    a_seal,
    a_wrap,
    an_order,
    as_fields,
    as_rumor_fields,
    wrapped,
)
from tests.schemas.nostr.test_nip59 import TWO_DAYS_S, order_text, refusal, theirs


@pytest.mark.req("ID-06")
def test_a_hundred_messages_have_two_hundred_one_time_keys_and_show_nothing() -> None:
    """One wrap to the buyer and one to self each: new keys, dates within two days, only a `p` tag visible."""
    seen_keys: set[str] = set()
    wrap_ages: set[int] = set()
    apart: set[int] = set()
    for number in range(100):
        order = an_order(MERCHANT, created_at=PLACED_AT + number, content="order amount address")
        for recipient in (BUYER, MERCHANT):
            wrap = nip59.make_wrap(order, MERCHANT, recipient.public_key, f"effect-{number}")
            assert wrap.kind == 1059
            assert wrap.tags == (("p", recipient.public_key),)
            assert "order" not in to_json(wrap)
            seal = json.loads(nip44.decrypt(wrap.content, nip44.conversation_key(recipient, wrap.pubkey)))
            assert seal["tags"] == []
            wrap_age, seal_age = (order.created_at - at for at in (wrap.created_at, seal["created_at"]))
            assert 0 <= wrap_age <= TWO_DAYS_S
            assert 0 <= seal_age <= TWO_DAYS_S
            seen_keys.add(wrap.pubkey)
            wrap_ages.add(wrap_age)
            apart.add(wrap_age - seal_age)
            assert nip59.open_wrap(wrap, recipient).rumor == order
    assert len(seen_keys) == 200
    assert min(len(wrap_ages), len(apart)) > 190


@pytest.mark.req("ID-06")
def test_a_repeated_effect_is_the_same_event_byte_for_byte() -> None:
    """Only another effect, recipient, rumor or key makes another event."""
    order, other = an_order(MERCHANT), an_order(MERCHANT, content="more")
    again = SecretKey(MERCHANT.reveal())
    first = nip59.make_wrap(order, MERCHANT, BUYER.public_key, "effect-1")
    assert to_json(first) == to_json(nip59.make_wrap(order, again, BUYER.public_key, "effect-1"))
    others = [
        nip59.make_wrap(order, MERCHANT, BUYER.public_key, "effect-2"),
        nip59.make_wrap(order, MERCHANT, STRANGER.public_key, "effect-1"),
        nip59.make_wrap(order, MERCHANT, MERCHANT.public_key, "effect-1"),
        nip59.make_wrap(other, MERCHANT, BUYER.public_key, "effect-1"),
    ]
    assert len({wrap.pubkey for wrap in [first, *others]}) == 5
    assert len({nip44.payload_nonce(wrap.content) for wrap in [first, *others]}) == 5


def test_a_rumor_from_the_first_days_is_not_dated_below_zero() -> None:
    """Two days before the epoch there is no time."""
    wrap = nip59.make_wrap(an_order(MERCHANT, created_at=0), MERCHANT, BUYER.public_key, "effect-1")
    assert wrap.created_at == 0


def test_our_own_copy_is_recognised_without_opening_it() -> None:
    """The mark is on copies to self only."""
    order = an_order(MERCHANT)
    own = nip59.make_wrap(order, MERCHANT, MERCHANT.public_key, "effect-1")
    assert nip59.is_own_copy(read_event(to_json(own)), SecretKey(MERCHANT.reveal()))
    assert nip59.open_wrap(own, MERCHANT).rumor.id == order.id
    assert not nip59.is_own_copy(nip59.make_wrap(order, MERCHANT, BUYER.public_key, "effect-1"), MERCHANT)
    assert not nip59.is_own_copy(nip59.make_wrap(an_order(), BUYER, MERCHANT.public_key, "e"), MERCHANT)


def test_nobody_else_can_make_the_own_copy_mark() -> None:
    """Copying a seen mark onto another one-time key does not match, nor does another merchant's."""
    own = nip59.make_wrap(an_order(MERCHANT), MERCHANT, MERCHANT.public_key, "effect-1")
    forged = a_wrap(json.dumps(a_seal(order_text()))).model_copy(update={"content": own.content})
    assert not nip59.is_own_copy(forged, MERCHANT)
    assert not nip59.is_own_copy(own, OTHER_MERCHANT)
    to_other = own.model_copy(update={"tags": (("p", OTHER_MERCHANT.public_key),)})
    assert not nip59.is_own_copy(to_other, OTHER_MERCHANT)
    assert not nip59.is_own_copy(own.model_copy(update={"content": "tea"}), MERCHANT)


def test_the_longest_rumor_we_send_fits_a_relay() -> None:
    """28,672 bytes make a wrap of 55,121, under strfry's 65,536; one byte more is refused."""
    room = nip59.RUMOR_OUT_MAX - len(an_order(MERCHANT).model_dump_json().encode())
    longest = nip59.make_wrap(an_order(MERCHANT, content="x" * room), MERCHANT, BUYER.public_key, "e")
    assert len(to_json(longest)) == 55_121
    with pytest.raises(ValueError, match="more than the 28672"):
        nip59.make_wrap(an_order(MERCHANT, content="x" * (room + 1)), MERCHANT, BUYER.public_key, "e")


def test_a_rumor_is_sealed_by_its_author_only() -> None:
    """We never put another's words under our key."""
    with pytest.raises(ValueError, match="author"):
        nip59.make_wrap(an_order(BUYER), MERCHANT, BUYER.public_key, "e")


def test_kept_conversations_are_bounded() -> None:
    """A stream of strangers does not grow a merchant's key without end."""
    merchant = SecretKey(MERCHANT.reveal())
    merchant.kept.update({str(number): b"" for number in range(nip59.CONVERSATIONS_KEPT_MAX)})
    nip59.open_wrap(wrapped(as_rumor_fields(an_order())), merchant)
    assert set(merchant.kept) == {BUYER.public_key}


async def test_nostr_sdk_opens_what_we_wrap() -> None:
    """The other implementation names the same sender and reads the same rumor."""
    order = an_order(MERCHANT, content="🍵 / \u2028")
    for recipient in (BUYER, MERCHANT):
        wrap = nip59.make_wrap(order, MERCHANT, recipient.public_key, "effect-1")
        signer = nostr_sdk.NostrSigner.keys(theirs(recipient))
        opened = await nostr_sdk.UnwrappedGift.from_gift_wrap(signer, nostr_sdk.Event.from_json(to_json(wrap)))
        assert opened.sender().to_hex() == MERCHANT.public_key
        assert json.loads(opened.rumor().as_json())["id"] == order.id


async def test_we_open_what_nostr_sdk_wraps() -> None:
    """Its wraps pass every check of ours."""
    rumor = nostr_sdk.UnsignedEvent.from_json(order_text())
    signer = nostr_sdk.NostrSigner.keys(theirs(BUYER))
    wrap = await nostr_sdk.gift_wrap(signer, theirs(MERCHANT).public_key(), rumor)
    opened = nip59.open_wrap(read_event(wrap.as_json()), MERCHANT)
    assert opened.sender == BUYER.public_key
    assert opened.rumor == an_order()


@STEADY
@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=200), st.text(max_size=20))
def test_any_words_arrive_as_they_were_sent(content: str, effect: str) -> None:
    """Wrapping and opening is a round trip, whatever is said and however the effect is named."""
    order = an_order(content=content)
    wrap = nip59.make_wrap(order, BUYER, MERCHANT.public_key, effect.encode(errors="replace").decode())
    assert nip59.open_wrap(read_event(to_json(wrap)), MERCHANT).rumor == order


@STEADY
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=9))
def test_whatever_is_sealed_the_answer_is_typed(value: Any) -> None:
    """Any JSON at any place of a rumor is either read or refused with WrapRefused."""
    for name in ("id", "pubkey", "kind", "tags"):
        fields = as_rumor_fields(an_order()) | {name: value}
        if value not in (None, "") and json.dumps(value) != json.dumps(as_rumor_fields(an_order())[name]):
            assert refusal(wrapped(fields)).reason in (WrapFault.RUMOR_SHAPE, WrapFault.RUMOR_ID)


def test_a_wrap_that_nobody_checked_is_refused_and_no_crash() -> None:
    """Its key may be no point of the curve when its signature was not looked at."""
    wrap = a_wrap("{}").model_copy(update={"pubkey": "5".rjust(64, "0")})
    assert refusal(wrap).reason is WrapFault.BAD_PAYLOAD
    assert as_fields(wrap)["pubkey"] == wrap.pubkey
