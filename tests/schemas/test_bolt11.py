"""Checks the invoice codec against every published example of BOLT-11, and against itself."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.bolt11 import (
    AMOUNT_MSAT_MAX,
    NUMBER_MAX,
    TEXT_CHARS_MAX,
    InvoiceFault,
    InvoiceRefused,
    Network,
    decode,
    encode,
)
from tests.schemas.bolt11_examples import (
    BEANS,
    CAKE,
    COFFEE,
    DONATION,
    HASH,
    HIGH_S,
    IGNORED_FIELDS,
    METADATA,
    NODE,
    NODE_SECRET,
    NONSENSE,
    READABLE,
    REFUSED,
    ROUTE_HINTS,
    SECRET,
    UPPER_CASE,
)

# BOLT-11, "Examples": the figures they share.
from tests.schemas.bolt11_tools import (
    CHARSET,
    HASH_FIELD,
    SECRET_FIELD,
    an_invoice,
    chars_of,
    checked,
    fault_of_reading,
    fault_of_writing,
    public_of,
    resigned,
)


@pytest.mark.parametrize("example", READABLE, ids=lambda example: str(example[0])[-6:])
def test_every_published_invoice_says_what_its_breakdown_says(
    example: tuple[str, str, int | None, int, str, str | None, str | None, int, int, bytes],
) -> None:
    """Network, amount, times, hashes, description, features and payee are those of the BOLT."""
    (
        text,
        network,
        amount_msat,
        timestamp,
        payment_hash,
        description,
        description_hash,
        expiry_s,
        cltv,
        features,
    ) = example
    invoice = decode(text)
    assert invoice.network == network
    assert invoice.amount_msat == amount_msat
    assert invoice.timestamp == timestamp
    assert invoice.payment_hash == payment_hash
    assert invoice.payment_secret == SECRET
    assert invoice.description == description
    assert invoice.description_hash == description_hash
    assert (invoice.expiry_s, invoice.expires_at) == (expiry_s, timestamp + expiry_s)
    assert invoice.min_final_cltv == cltv
    assert invoice.features == features
    assert invoice.payee == NODE


@pytest.mark.parametrize(("text", "fault"), REFUSED)
def test_every_published_invalid_invoice_is_refused_for_its_own_reason(text: str, fault: InvoiceFault) -> None:
    """The BOLT's invalid examples each break one rule, and that rule is the one named."""
    with pytest.raises(InvoiceRefused) as caught:
        decode(text)
    assert caught.value.reason == fault


def test_a_high_s_signature_is_read_by_recovery_when_no_payee_is_named() -> None:
    """The published high-S example recovers a key, which is not the low-S signer's."""
    invoice = decode(HIGH_S)
    assert invoice.signature[32:64].hex() == "a1bcb35d66d6bf93dc445e51753935cc32a3a411efd8a7c7bd85b25815a01b50"
    assert invoice.payee.startswith("02")
    assert invoice.payee != NODE


def test_fallbacks_and_route_hints_stay_as_they_were_written() -> None:
    """They come out as the bech32 characters of the breakdown."""
    invoice = decode(ROUTE_HINTS)
    assert invoice.fallbacks == ("3qjmp7lwpagxun9pygexvgpjdc4jdj85f",)
    assert invoice.route_hints == (
        "q20q82gphp2nflc7jtzrcazrra7wwgzxqc8u7754cdlpfrmccae92qgzqvzq2ps8pqqqqqqpqqqqq9qqqvpeuqafqxu92d8lr6fvg0r5gv0heeeqgcrqlnm6jhphu9y00rrhy4grqszsvpcgpy9qqqqqqgqqqqq7qqzq",
    )


def test_fields_that_must_be_ignored_are_skipped_and_kept_raw() -> None:
    """Wrong-sized p, h, s and n and the unknown type 2 are set aside, and a version 19 fallback is none."""
    invoice = decode(IGNORED_FIELDS)
    assert [kind for kind, _ in invoice.others] == ["2", "p", "p", "h", "h", "s", "s", "n", "n"]
    assert invoice.fallbacks == ()


def test_payment_metadata_is_kept_raw() -> None:
    """The example's 0x01fafaf0 comes out as the characters it was written with."""
    assert decode(METADATA).others == (("m", "q8a04uq"),)


def test_a_uri_scheme_before_the_invoice_is_tolerated() -> None:
    """`lightning:` is the BOLT's recommended prefix for links, in either case."""
    assert decode("LIGHTNING:" + COFFEE) == decode("lightning:" + COFFEE) == decode(COFFEE)


def test_upper_and_lower_case_read_the_same() -> None:
    """QR codes are upper case; nothing in the value remembers it."""
    assert decode(UPPER_CASE) == decode(BEANS)


@pytest.mark.parametrize("text", [DONATION, COFFEE, NONSENSE, CAKE])
def test_published_invoices_are_written_again_character_for_character(text: str) -> None:
    """Signing is deterministic (RFC 6979), so the same terms and key give the BOLT's own text."""
    invoice = decode(text)
    written = encode(
        network=invoice.network,
        amount_msat=invoice.amount_msat,
        timestamp=invoice.timestamp,
        payment_hash=invoice.payment_hash,
        payment_secret=invoice.payment_secret,
        secret=NODE_SECRET,
        description=invoice.description,
        description_hash=invoice.description_hash,
        expiry_s=None if invoice.expiry_s == 3600 else invoice.expiry_s,
    )
    assert written == text


def test_raw_fields_are_written_again_character_for_character() -> None:
    """Fallback and route hint go out as they came in, in the published order and with its signature."""
    invoice = decode(ROUTE_HINTS)
    written = encode(
        network=invoice.network,
        amount_msat=invoice.amount_msat,
        timestamp=invoice.timestamp,
        payment_hash=invoice.payment_hash,
        payment_secret=invoice.payment_secret,
        secret=NODE_SECRET,
        description_hash=invoice.description_hash,
        raw_fields=(("f", invoice.fallbacks[0]), ("r", invoice.route_hints[0])),
    )
    assert written == ROUTE_HINTS


hex32 = st.binary(min_size=32, max_size=32).map(bytes.hex)
node_secrets = st.integers(1, 2**200).map(lambda number: number.to_bytes(32))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    network=st.sampled_from(Network),
    amount_msat=st.none() | st.integers(1, AMOUNT_MSAT_MAX),
    timestamp=st.integers(0, NUMBER_MAX),
    payment_hash=hex32,
    payment_secret=hex32,
    secret=node_secrets,
    description=st.text(max_size=150),
    expiry_s=st.integers(0, NUMBER_MAX),
    min_final_cltv=st.integers(0, 5000),
)
def test_what_is_written_is_read_back(
    network: Network,
    amount_msat: int | None,
    timestamp: int,
    payment_hash: str,
    payment_secret: str,
    secret: bytes,
    description: str,
    expiry_s: int,
    min_final_cltv: int,
) -> None:
    """Every term survives encode and decode, and the payee read is the key that signed."""
    invoice = decode(
        encode(
            network=network,
            amount_msat=amount_msat,
            timestamp=timestamp,
            payment_hash=payment_hash,
            payment_secret=payment_secret,
            secret=secret,
            description=description,
            expiry_s=expiry_s,
            min_final_cltv=min_final_cltv,
        )
    )
    assert (invoice.network, invoice.amount_msat, invoice.timestamp) == (network, amount_msat, timestamp)
    assert (invoice.payment_hash, invoice.payment_secret) == (payment_hash, payment_secret)
    assert (invoice.description, invoice.description_hash) == (description, None)
    assert (invoice.expiry_s, invoice.min_final_cltv) == (expiry_s, min_final_cltv)
    assert invoice.payee == public_of(secret)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(place=st.integers(0, len(COFFEE) - 1), char=st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l1bio"))
def test_no_single_changed_character_passes(place: int, char: str) -> None:
    """The checksum finds any one substitution, wherever it is."""
    changed = COFFEE[:place] + char + COFFEE[place + 1 :]
    if changed != COFFEE:
        with pytest.raises(InvoiceRefused):
            decode(changed)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(text=st.text(max_size=200) | st.text(max_size=200).map(lambda tail: "lnbc1" + tail))
def test_any_other_text_is_refused_and_never_breaks_the_reader(text: str) -> None:
    """Only `InvoiceRefused` comes out of text that is no invoice."""
    with pytest.raises(InvoiceRefused):
        decode(text)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(kinds=st.text("psdnhxcfr9mq", max_size=4), filler=st.text("qpzry9x8gf2tvdw0s3jn54khce6mua7l", max_size=60))
def test_odd_fields_in_a_well_signed_invoice_are_read_or_refused(kinds: str, filler: str) -> None:
    """A stranger may sign anything: the reader answers with an invoice or a refusal."""
    text = an_invoice(raw_fields=tuple((kind, filler) for kind in kinds))
    try:
        decode(text)
    except InvoiceRefused as refused:
        assert refused.reason in set(InvoiceFault)  # noqa: PT017 - both ends are right


@pytest.mark.parametrize(
    ("amount_msat", "prefix"),
    [
        (1, "lnbcrt10p1"),
        (5_500, "lnbcrt55n1"),
        (5_501, "lnbcrt55010p1"),
        (100, "lnbcrt1n1"),
        (250_000_000, "lnbcrt2500u1"),
        (2_500_000_000, "lnbcrt25m1"),
        (100_000_000_000, "lnbcrt11"),
        (None, "lnbcrt1"),
    ],
)
def test_an_amount_takes_its_shortest_form_and_is_exact_to_the_msat(amount_msat: int | None, prefix: str) -> None:
    """The largest multiplier that loses nothing is written."""
    text = an_invoice(amount_msat=amount_msat)
    assert text.startswith(prefix)
    assert decode(text).amount_msat == amount_msat


@pytest.mark.parametrize("amount_msat", [0, -1, AMOUNT_MSAT_MAX + 1])
def test_no_invoice_is_written_for_nothing_or_for_more_than_there_is(amount_msat: int) -> None:
    """An invoice of zero would be payable with anything."""
    assert fault_of_writing(amount_msat=amount_msat) == InvoiceFault.AMOUNT


@pytest.mark.parametrize("amount", ["0", "025m", "0u", "5p", "15", "1 m", "2.5m", "-1m", "99999999", "m"])
def test_no_amount_is_read_that_no_writer_may_write(amount: str) -> None:
    """Leading zeroes, zero, fractions of a msat, signs and impossible sums are refused."""
    expected = None if amount == "15" else InvoiceFault.AMOUNT
    fault = fault_of_reading(resigned(f"lnbcrt{amount}"))
    assert fault == (InvoiceFault.NETWORK if amount == "m" else expected)


@pytest.mark.parametrize("prefix", ["lnxx25m", "ln25m", "lnbcrtx25m", "bc25m", "ln", "lntbz"])
def test_another_currency_is_refused(prefix: str) -> None:
    """Only the four bitcoin networks are understood."""
    assert fault_of_reading(resigned(prefix)) == InvoiceFault.NETWORK


def test_a_named_payee_that_signed_is_accepted_whatever_the_recovery_id() -> None:
    """With an `n` field the signature is verified, so a wrong recovery id does no harm."""
    text = an_invoice(raw_fields=(("n", chars_of(bytes.fromhex(public_of(NODE_SECRET)))),))
    assert decode(text).payee == NODE
    for recovery_id in "qpzr":  # the signature's last character, before the six of the checksum
        assert decode(checked(text[:-7] + recovery_id + text[-6:])).payee == NODE


def test_only_its_high_s_makes_the_published_high_s_invoice_with_a_named_payee_invalid() -> None:
    """With S mirrored at the order of the curve the same invoice is good, so nothing else was amiss."""
    published = str(REFUSED[-1].values[0])
    bits = "".join(f"{CHARSET.index(char):05b}" for char in published[-110:-6])
    signature = int(bits, 2).to_bytes(65)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    low = signature[:32] + (order - int.from_bytes(signature[32:64])).to_bytes(32) + signature[64:]
    assert decode(checked(published[:-110] + chars_of(low) + "qqqqqq")).payee == NODE


def test_a_named_payee_that_did_not_sign_is_refused() -> None:
    """Anybody could claim another node's name."""
    stranger = public_of(b"\x07" * 32)
    text = an_invoice(raw_fields=(("n", chars_of(bytes.fromhex(stranger))),))
    assert fault_of_reading(text) == InvoiceFault.SIGNATURE


@pytest.mark.parametrize(
    ("kind", "chars"),
    [("x", "qpu"), ("c", "qz"), ("9", "qsgq"), ("x", "p" * 8), ("m", "")],
)
def test_numbers_with_leading_zeroes_or_out_of_range_are_refused(kind: str, chars: str) -> None:
    """The BOLT asks for minimal lengths; an empty metadata field is merely kept."""
    fault = fault_of_reading(an_invoice(features=b"", raw_fields=((kind, chars),)))
    assert fault == (None if kind == "m" else InvoiceFault.FIELD)


def test_a_field_that_runs_past_the_data_is_refused() -> None:
    """A length is not believed beyond what is there."""
    assert fault_of_reading(resigned("lnbcrt", fields="qllqqqqq")) == InvoiceFault.FIELD
    assert fault_of_reading(resigned("lnbcrt", fields="qp")) == InvoiceFault.FIELD


def test_a_description_and_its_hash_exclude_each_other() -> None:
    """Both, or neither, leaves open what was bought."""
    with_both = an_invoice(raw_fields=(("h", "q" * 52),))
    assert fault_of_reading(with_both) == InvoiceFault.DESCRIPTION
    assert fault_of_reading(resigned("lnbcrt", fields=HASH_FIELD + SECRET_FIELD)) == InvoiceFault.DESCRIPTION
    assert fault_of_writing(description=None) == InvoiceFault.DESCRIPTION
    assert fault_of_writing(description_hash="00" * 32) == InvoiceFault.DESCRIPTION


def test_a_description_is_utf8_of_at_most_639_bytes() -> None:
    """Other bytes are refused on reading, longer text on writing."""
    assert fault_of_reading(resigned("lnbcrt", fields=HASH_FIELD + SECRET_FIELD + "dqzlu")) == InvoiceFault.DESCRIPTION
    assert decode(an_invoice(description="é" * 319)).description == "é" * 319
    assert fault_of_writing(description="é" * 320) == InvoiceFault.FIELD


def test_bits_left_over_in_a_field_are_zeroes() -> None:
    """A payment hash has one spelling."""
    assert fault_of_reading(resigned("lnbcrt", HASH_FIELD[:-1] + "l" + SECRET_FIELD + "dqq")) == InvoiceFault.FIELD


def test_a_missing_payment_hash_is_named() -> None:
    """Without it nothing can be proven paid."""
    assert fault_of_reading(resigned("lnbcrt", fields=SECRET_FIELD + "dqq")) == InvoiceFault.PAYMENT_HASH


def test_the_first_of_a_repeated_field_counts() -> None:
    """Fields are in order of preference, and payers use the first payment hash."""
    assert decode(an_invoice(raw_fields=(("p", "l" * 51 + "s"),))).payment_hash == HASH


def test_a_text_too_long_to_be_an_invoice_is_refused_before_any_work() -> None:
    """The cap comes first, so a megabyte costs nothing."""
    assert fault_of_reading("lnbc1" + "q" * TEXT_CHARS_MAX) == InvoiceFault.TOO_LONG


def test_letters_that_only_look_ascii_when_lowered_are_refused() -> None:
    """The Kelvin sign becomes a k in lower case; BIP-173 knows ASCII only."""
    assert "K" in UPPER_CASE
    assert fault_of_reading(UPPER_CASE.replace("K", "\u212a")) == InvoiceFault.BECH32


def test_a_refusal_never_prints_the_whole_text() -> None:
    """Errors go to logs, and a stranger chooses the text."""
    with pytest.raises(InvoiceRefused) as caught:
        decode("x" * 5000 + COFFEE)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "term", [{"payment_hash": "00"}, {"payment_secret": "zz" * 32}, {"expiry_s": -1}, {"timestamp": 2**35}]
)
def test_terms_that_do_not_fit_the_format_are_refused(term: dict[str, object]) -> None:
    """A writer never guesses."""
    assert fault_of_writing(**term) == InvoiceFault.FIELD


# Builders. The reader's own bech32 is not used to make broken invoices, so a fault in it cannot hide.
