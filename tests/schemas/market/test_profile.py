"""Checks how a profile says the way its owner wants to be paid (market spec §2, §6)."""

import json

import pytest

from schemas import limits
from schemas.market.profile import VALUES, read_profile, with_preference
from schemas.nostr import bech32
from schemas.preferences import PaymentPreference, Profile
from tests.support.builders import MERCHANT, NOW_S, Tag, an_event

MANUAL, ECASH, LUD16 = PaymentPreference.MANUAL, PaymentPreference.ECASH, PaymentPreference.LUD16


def read(*tags: Tag, **content: object) -> Profile:
    """A profile with these tags, and this object as its content."""
    return read_profile(an_event(0, *tags, content=json.dumps(content) if content else ""))


def test_an_empty_profile_prefers_nothing() -> None:
    """And is one all the same, at its author's own address."""
    profile = read()

    assert (profile.coordinate, profile.created_at) == (f"0:{MERCHANT}:", NOW_S)
    assert (profile.preference, profile.lud16, profile.lud06, profile.warnings) == (None, None, None, ())


@pytest.mark.parametrize(("word", "preference"), [("manual", MANUAL), ("ecash", ECASH), ("lud16", LUD16)])
def test_the_three_values_of_the_spec_are_read_without_a_warning(word: str, preference: PaymentPreference) -> None:
    """From the tag of that name."""
    profile = read(("payment_preference", word))

    assert (profile.preference, profile.warnings) == (preference, ())


@pytest.mark.req("T0-01")
def test_a_word_nobody_knows_is_manual_with_a_warning() -> None:
    """`foo`."""
    profile = read(("payment_preference", "foo"))

    assert (profile.preference, profile.warnings) == (MANUAL, ("unknown_preference",))


@pytest.mark.parametrize(
    ("word", "preference"),
    [("cashu", ECASH), ("Lightning", LUD16), ("service", MANUAL), ("bitcoin", MANUAL), ("fiat", MANUAL)],
)
def test_the_words_of_other_clients_and_drafts_are_understood(word: str, preference: PaymentPreference) -> None:
    """In any case (A-22)."""
    assert read(("payment_preference", word)).preference is preference
    assert word.lower() in VALUES


def test_the_other_tag_and_the_contents_key_are_read_with_a_warning_and_the_tag_counts_first() -> None:
    """`payment-preference`, and the JSON key that one client writes."""
    hyphen, key = read(("payment-preference", "ecash")), read(payment_preference="lightning")
    both = read(("payment-preference", "ecash"), ("payment_preference", "lud16"), payment_preference="manual")

    assert (hyphen.preference, hyphen.warnings) == (ECASH, ("alias_payment-preference",))
    assert (key.preference, key.warnings) == (LUD16, ("preference_in_content",))
    assert (both.preference, both.warnings) == (LUD16, ("two_preferences",))


def test_asking_for_no_service_or_for_one_is_kept_beside_manual() -> None:
    """Two words that say more than `manual` does."""
    direct, service = read(("payment_preference", "direct")), read(("payment_preference", "service"))

    assert (direct.preference, direct.is_direct, direct.wants_service) == (MANUAL, True, False)
    assert (service.preference, service.is_direct, service.wants_service) == (MANUAL, False, True)


def test_address_lnurl_names_and_bot_are_read_from_the_content() -> None:
    """A Lightning address in lower case."""
    lnurl = bech32.encode("lnurl", b"https://example.com/pay")
    profile = read(lud16=" Vases@Example.com ", lud06=lnurl.upper(), name="Vases", nip05="_@example.com", bot=True)

    assert (profile.lud16, profile.lud06) == ("vases@example.com", lnurl)
    assert (profile.name, profile.nip05, profile.is_bot, profile.warnings) == ("Vases", "_@example.com", True, ())


@pytest.mark.parametrize(
    "address", ["vases", "@example.com", "a b@example.com", "a@b", "a@-b.com", "a@b.com/x", "ä@example.com", "x@y.z."]
)
def test_what_is_no_lightning_address_counts_as_none(address: str) -> None:
    """With a warning; a field that is missing or empty has none."""
    profile = read(lud16=address)

    assert (profile.lud16, profile.warnings) == (None, ("bad_lud16",))
    assert read(lud16="").warnings == read(lud16=7).warnings == ()


@pytest.mark.parametrize("lnurl", ["lnurl1xyz", "lnbc1", bech32.encode("npub", b"x" * 32)])
def test_what_is_no_lnurl_counts_as_none(lnurl: str) -> None:
    """The checksum and the prefix are looked at, not where it leads."""
    profile = read(lud06=lnurl)

    assert (profile.lud06, profile.warnings) == (None, ("bad_lud06",))


@pytest.mark.parametrize("content", ["no json", "[]", '"x"', "[" * 100_000, '{"lud16":"\\ud800"}', '{"a":1}x'])
def test_a_content_that_is_no_object_says_nothing(content: str) -> None:
    """Neither does it stop anything; the tags still count."""
    profile = read_profile(an_event(0, ("payment_preference", "ecash"), content=content))

    assert (profile.preference, profile.name, profile.warnings) == (ECASH, None, ("bad_content",))


def test_lightning_is_an_address_or_an_lnurl() -> None:
    """Either will do."""
    assert read(lud16="a@example.com").has_lightning
    assert read(lud06=bech32.encode("lnurl", b"x")).has_lightning
    assert not read().has_lightning


def test_a_new_preference_changes_its_own_tag_and_nothing_else() -> None:
    """The spec's tag, once; other tags and the content stay as their author wrote them."""
    tags = (("emoji", "x"), ("payment-preference", "cashu"), ("payment_preference", "foo", "bar"), ("i", "y", "z"))
    content = '{"name": "Vases",  "lud16":"a@example.com","unknown":[1]}'
    before = read_profile(an_event(0, *tags, content=content)).template
    assert before is not None

    after = with_preference(before, LUD16, NOW_S - 5)

    assert after.tags == (("emoji", "x"), ("i", "y", "z"), ("payment_preference", "lud16"))
    assert (after.content, after.kind, after.created_at) == (content, 0, NOW_S + 1)
    again = read_profile(an_event(0, *after.tags, content=after.content))
    assert (again.preference, again.lud16, again.warnings) == (LUD16, "a@example.com", ())


def test_names_are_cut_as_titles_are() -> None:
    """With a warning."""
    profile = read(name="x" * (limits.TITLE.most + 1))

    assert profile.name is not None
    assert (len(profile.name), profile.warnings) == (limits.TITLE.most, ("name_cut",))
