"""Gift wraps: what an opened one proves, every way to forge one, and ours as the world reads them."""

import json
from pathlib import Path
from typing import Any

import nostr_sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr import nip44, nip59
from schemas.nostr.nip01 import Event, read_event, to_json
from schemas.nostr.nip59 import WrapFault, WrapRefused
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
    hashed,
    payload_around,
    wrapped,
)

TWO_DAYS_S = 2 * 24 * 60 * 60


def refusal(wrap: Event, secret: SecretKey = MERCHANT) -> WrapRefused:
    """Open a wrap that must be refused, and give the refusal."""
    with pytest.raises(WrapRefused) as refused:
        nip59.open_wrap(wrap, secret)
    return refused.value


def order_text() -> str:
    """Give a valid order rumor's JSON."""
    return json.dumps(as_rumor_fields(an_order()))


def theirs(secret: SecretKey) -> Any:
    """Give nostr-sdk the same key."""
    return nostr_sdk.Keys.parse(secret.reveal().hex())


def test_the_published_example_opens() -> None:
    """NIP-59's own wrap, with the recipient's key printed there, names its author and their question."""
    text = (Path(__file__).parent / "vectors" / "nip59.json").read_bytes()
    secret = SecretKey.from_hex("e108399bd8424357a710b606ae0c13166d853d327e47a6e5e038197346bdbf45")
    opened = nip59.open_wrap(read_event(text), secret)
    assert opened.sender == "611df01bfcf85c26ae65453b772d8f1dfd25c264621c0277e1fc1518686faef9"
    assert opened.recipient == secret.public_key
    assert opened.rumor.content == "Are you going to the party tonight?"
    assert opened.rumor.id == "9dd003c6d3b73b74a85a9ab099469ce251653a7af76f523671ab828acd2a0ef9"


@pytest.mark.req("ID-05")
def test_an_opened_wrap_names_its_proven_sender() -> None:
    """Sender, recipient, wrap and rumor come out as they went in."""
    order = an_order()
    wrap = nip59.make_wrap(order, BUYER, MERCHANT.public_key, "effect-1")
    opened = nip59.open_wrap(read_event(to_json(wrap)), MERCHANT)
    assert opened == nip59.OpenedWrap(wrap.id, BUYER.public_key, MERCHANT.public_key, order, False)


@pytest.mark.req("ID-05")
def test_a_rumor_that_claims_another_author_is_impersonation() -> None:
    """The stranger seals the buyer's words: refused, never rewritten."""
    assert refusal(wrapped(as_rumor_fields(an_order(BUYER)), STRANGER)).reason is WrapFault.IMPERSONATION


@pytest.mark.req("ID-05")
@pytest.mark.parametrize("kind", [1, 4, 14, 1060, 21_059])
def test_another_kind_of_wrap_is_no_wrap(kind: int) -> None:
    """Only 1059 is opened; the ephemeral 21059 cannot be recovered and is no order."""
    assert refusal(a_wrap("{}", kind=kind)).reason is WrapFault.NOT_A_WRAP


def test_a_wrap_with_too_many_tags_is_no_wrap() -> None:
    """Sixteen tags pass, seventeen do not."""
    seal = json.dumps(a_seal(order_text()))
    tags = (("p", MERCHANT.public_key), *(("t", str(number)) for number in range(15)))
    assert nip59.open_wrap(a_wrap(seal, tags=tags), MERCHANT).sender == BUYER.public_key
    assert refusal(a_wrap(seal, tags=(*tags, ("t", "15")))).reason is WrapFault.NOT_A_WRAP


@pytest.mark.req("ID-05")
@pytest.mark.parametrize(
    "tags",
    [
        (("p", OTHER_MERCHANT.public_key),),
        (("p", MERCHANT.public_key), ("p", MERCHANT.public_key)),
        (("p",),),
        (("p", MERCHANT.public_key.upper()),),
    ],
    ids=["another", "twice", "nobody", "upper case"],
)
def test_a_wrap_whose_p_tags_do_not_name_us_once_is_for_someone_else(
    tags: tuple[tuple[str, ...], ...],
) -> None:
    """Even when our key would open it."""
    wrap = a_wrap(json.dumps(a_seal(order_text())), tags=tags)
    assert refusal(wrap).reason is WrapFault.WRONG_RECIPIENT


def test_a_wrap_without_a_p_tag_is_for_whoever_can_open_it() -> None:
    """The NIP says SHOULD; decryption proves the recipient."""
    wrap = a_wrap(json.dumps(a_seal(order_text())), tags=())
    assert nip59.open_wrap(wrap, MERCHANT).rumor == an_order()
    assert refusal(wrap, OTHER_MERCHANT).reason is WrapFault.BAD_PAYLOAD


@pytest.mark.req("ID-05")
def test_a_wrap_for_another_key_does_not_open_with_ours() -> None:
    """The payload's MAC fails, and the code says in which layer."""
    wrap = a_wrap(json.dumps(a_seal(order_text())), to=OTHER_MERCHANT, tags=(("p", MERCHANT.public_key),))
    refused = refusal(wrap)
    assert refused.reason is WrapFault.BAD_PAYLOAD
    assert refused.detail == "nip44_mac in the wrap"


@pytest.mark.req("ID-05")
def test_a_seal_for_another_key_does_not_open_with_ours() -> None:
    """A relayed seal proves nothing to us."""
    refused = refusal(a_wrap(json.dumps(a_seal(order_text(), to=OTHER_MERCHANT))))
    assert refused.detail == "nip44_mac in the seal"


@pytest.mark.parametrize("content", ["", "tea", "#later", "A" * 200])
def test_a_wrap_around_no_payload_is_a_bad_payload(content: str) -> None:
    """Whatever the content is, the refusal is typed."""
    assert refusal(a_wrap("{}", content=content)).reason is WrapFault.BAD_PAYLOAD


@pytest.mark.parametrize("text", ["tea", "[]", "{}", '{"kind":13,"kind":13}', order_text()])
def test_what_is_wrapped_and_no_signed_event_is_no_seal(text: str) -> None:
    """A rumor straight in a wrap, or no event at all, has the wrong shape for a seal."""
    assert refusal(a_wrap(text)).reason is WrapFault.SEAL_SHAPE


@pytest.mark.req("ID-05")
@pytest.mark.parametrize("kind", [0, 1, 12, 14, 1059])
def test_a_seal_of_another_kind_is_refused(kind: int) -> None:
    """Only 13 is a seal."""
    assert refusal(a_wrap(json.dumps(a_seal(order_text(), kind=kind)))).reason is WrapFault.SEAL_KIND


@pytest.mark.req("ID-05")
@pytest.mark.parametrize("tag", [("p", MERCHANT.public_key), ("t", "tea"), ("e", "ab" * 32), ("-",)])
def test_a_seal_with_tags_is_refused(tag: tuple[str, ...]) -> None:
    """Tags on a seal could smuggle claims past the rumor."""
    for tags in ((tag,), (("expiration", "1800000000"), tag)):
        assert refusal(a_wrap(json.dumps(a_seal(order_text(), tags=tags)))).reason is WrapFault.SEAL_TAGS


def test_a_seal_may_expire() -> None:
    """NIP-17 puts `expiration` on the seal of a disappearing message."""
    wrap = a_wrap(json.dumps(a_seal(order_text(), tags=(("expiration", "1800000000"),))))
    assert nip59.open_wrap(wrap, MERCHANT).sender == BUYER.public_key


@pytest.mark.req("ID-05")
def test_a_seal_with_a_wrong_id_is_refused() -> None:
    """Any changed field, or a changed id, is no longer what was signed."""
    for changes in ({"id": "00" * 32}, {"created_at": 1}, {"content": "x"}):
        seal = a_seal(order_text()) | changes
        assert refusal(a_wrap(json.dumps(seal))).reason is WrapFault.SEAL_ID


@pytest.mark.req("ID-05")
def test_a_seal_with_any_byte_of_its_signature_changed_is_refused() -> None:
    """An order is evidence, and evidence needs a signature."""
    seal = a_seal(order_text())
    good = bytes.fromhex(seal["sig"])
    for place in range(64):
        bad = good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
        assert refusal(a_wrap(json.dumps(seal | {"sig": bad.hex()}))).reason is WrapFault.SEAL_SIG


@pytest.mark.req("ID-05")
def test_a_seal_in_anothers_name_is_refused() -> None:
    """A stranger puts the buyer's key on their own seal, with a matching id."""
    seal = a_seal(order_text(), STRANGER) | {"pubkey": BUYER.public_key}
    seal["id"] = hashed(seal)
    assert refusal(a_wrap(json.dumps(seal))).reason is WrapFault.SEAL_SIG


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "16"},
        {"kind": 70_000},
        {"tags": [["order", 1]]},
        {"content": None},
        {"pubkey": "x"},
        {"id": 5},
    ],
    ids=str,
)
def test_a_rumor_of_the_wrong_shape_is_refused(changes: dict[str, Any]) -> None:
    """The inner event is read as strictly as any other."""
    assert refusal(wrapped(as_rumor_fields(an_order()) | changes)).reason is WrapFault.RUMOR_SHAPE


@pytest.mark.parametrize("text", ["tea", "[]", '{"kind":16,"kind":14}', '{"a":"\\ud800"}'])
def test_a_seal_around_no_event_is_refused(text: str) -> None:
    """Sealed text that is no JSON object has no rumor in it."""
    assert refusal(a_wrap(json.dumps(a_seal(text)))).reason is WrapFault.RUMOR_SHAPE


@pytest.mark.req("ID-10")
def test_an_npub_in_a_rumors_p_tag_is_refused() -> None:
    """Inside a wrap, too, keys are hex."""
    fields = as_rumor_fields(an_order()) | {"tags": [["p", "npub1" + "q" * 58]]}
    refused = refusal(wrapped(fields | {"id": hashed(fields)}))
    assert refused.reason is WrapFault.RUMOR_SHAPE
    assert refused.detail.startswith("bad_shape")


@pytest.mark.req("ID-05")
def test_a_rumor_with_a_wrong_id_is_refused() -> None:
    """An id that is not the hash would poison whatever is keyed by it."""
    fields = as_rumor_fields(an_order())
    for changes in ({"id": "00" * 32}, {"content": "more"}, {"created_at": PLACED_AT + 1}):
        assert refusal(wrapped(fields | changes)).reason is WrapFault.RUMOR_ID


@pytest.mark.parametrize("missing", ["left out", None, ""])
def test_a_rumor_without_an_id_gets_the_computed_one(missing: str | None) -> None:
    """Some clients omit it, and there is nothing to contradict."""
    fields = as_rumor_fields(an_order()) | {"id": missing}
    if missing == "left out":
        del fields["id"]
    assert nip59.open_wrap(wrapped(fields), MERCHANT).rumor == an_order()


@pytest.mark.req("ID-05")
@pytest.mark.parametrize("sig", ["ab" * 64, "", None, a_seal("x")["sig"]])
def test_a_signature_on_a_rumor_is_dropped_and_flagged(sig: str | None) -> None:
    """Forged, empty or real, it makes the same fact; only the flag tells."""
    opened = nip59.open_wrap(wrapped(as_rumor_fields(an_order()) | {"sig": sig}), MERCHANT)
    assert opened.rumor == an_order()
    assert opened.rumor_carried_sig
    assert "sig" not in opened.rumor.model_dump()


def test_a_rumor_with_a_control_byte_is_read_in_either_form() -> None:
    """The escaped id of common encoders and NIP-01's verbatim one both hold (A-52)."""
    fields = as_rumor_fields(an_order()) | {"content": "gift\x01wrap"}
    escaped = nostr_sdk.UnsignedEvent.from_json(json.dumps(fields | {"id": None})).ensure_id().id()
    assert escaped is not None
    for rumor_id in (hashed(fields), escaped.to_hex()):
        opened = nip59.open_wrap(wrapped(fields | {"id": rumor_id}), MERCHANT)
        assert opened.rumor.id == rumor_id


def test_a_rumor_is_read_up_to_its_limit() -> None:
    """57,344 bytes pass, one more does not."""
    fields = as_rumor_fields(an_order())
    del fields["id"]
    text = json.dumps(fields)
    at_limit = a_wrap_of_any_size(text.ljust(nip59.RUMOR_IN_MAX))
    assert nip59.open_wrap(at_limit, MERCHANT).rumor == an_order()
    refused = refusal(a_wrap_of_any_size(text.ljust(nip59.RUMOR_IN_MAX + 1)))
    assert refused.reason is WrapFault.RUMOR_SHAPE
    assert refused.detail.startswith("too_big")


def a_wrap_of_any_size(rumor_text: str) -> Event:
    """Give a wrap whose seal is too long for a two-byte length, as a client of today may send it."""
    seal = json.dumps(a_seal(rumor_text))
    wrap = a_wrap("{}")
    key = nip44.conversation_key(MERCHANT, wrap.pubkey)
    size = len(seal)
    padded = bytes(2) + size.to_bytes(4) + seal.encode().ljust(nip44.padded_length(size), b"\0")
    return wrap.model_copy(update={"content": payload_around(padded, key, bytes(32))})


def test_a_refusal_and_an_opened_wrap_show_no_ones_words() -> None:
    """What a buyer writes appears in no error and no printed value."""
    fields = as_rumor_fields(an_order()) | {"content": "Jane, Tea Street 1"}
    opened = nip59.open_wrap(wrapped(fields | {"id": hashed(fields)}), MERCHANT)
    assert "Jane" not in repr(opened)
    for spoiled in (fields, fields | {"kind": "Jane"}, fields | {"pubkey": STRANGER.public_key, "id": None}):
        assert "Jane" not in str(refusal(wrapped(spoiled)))


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


def test_nostr_sdk_opens_what_we_wrap() -> None:
    """The other implementation names the same sender and reads the same rumor."""
    order = an_order(MERCHANT, content="🍵 / \u2028")
    for recipient in (BUYER, MERCHANT):
        wrap = nip59.make_wrap(order, MERCHANT, recipient.public_key, "effect-1")
        opened = nostr_sdk.UnwrappedGift.from_gift_wrap(theirs(recipient), nostr_sdk.Event.from_json(to_json(wrap)))
        assert opened.sender().to_hex() == MERCHANT.public_key
        assert json.loads(opened.rumor().as_json())["id"] == order.id


def test_we_open_what_nostr_sdk_wraps() -> None:
    """Its wraps pass every check of ours."""
    rumor = nostr_sdk.UnsignedEvent.from_json(order_text())
    wrap = nostr_sdk.nip59_make_gift_wrap(theirs(BUYER), theirs(MERCHANT).public_key(), rumor)
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
