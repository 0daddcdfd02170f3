"""Gift wraps: what an opened one proves, every way to forge one, and ours as the world reads them."""

import json
from pathlib import Path
from typing import Any

import nostr_sdk
import pytest

from schemas.nostr import nip44, nip59
from schemas.nostr.nip01 import Event, read_event, to_json
from schemas.nostr.nip59 import WrapFault, WrapRefused
from schemas.nostr.secp256k1 import SecretKey
from tests.schemas.nostr.given import (
    BUYER,
    MERCHANT,
    OTHER_MERCHANT,
    PLACED_AT,
    STRANGER,
    a_seal,
    a_wrap,
    an_order,
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
    escaped = nostr_sdk.UnsignedEvent.from_json(json.dumps(fields | {"id": None})).sign_with_keys(theirs(BUYER)).id()
    assert escaped.to_hex() != hashed(fields)
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
