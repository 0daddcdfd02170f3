"""Checks which way new orders are paid, and what is found wrong with a merchant's preferences (market spec §2, §6)."""

import itertools

import pytest

from schemas import limits
from schemas.catalogue import RecordDeletion, RecordListing, Withdrawn
from schemas.orders import OrderPlaced
from schemas.preferences import (
    PaymentChoice,
    PaymentFlow,
    PaymentFlowChosen,
    PaymentPreference,
    PreferenceFlaw,
    PreferenceRecorded,
    RecordPreference,
)
from streams.domain.payment_choice import flow
from tests.support.builders import MERCHANT, NOW_S, STRANGER, a_key, a_listing, an_order
from tests.support.preferences import ADDRESS, APP, an_app, prefers, recommends, takes_ecash, unrecommends
from tests.support.story import Story, given

MANUAL, SERVICE, AUTOMATIC = PaymentFlow.MANUAL, PaymentFlow.SERVICE, PaymentFlow.AUTOMATIC


def choice(*said: RecordPreference) -> PaymentChoice:
    """What these preferences come to."""
    return given(*said).shop.payment_choice


def deletes(coordinate: str, at: int = NOW_S + 1) -> RecordDeletion:
    """The merchant deletes an address of the own."""
    return RecordDeletion(author=MERCHANT, created_at=at, coordinates=(coordinate,))


@pytest.mark.req("PAY-01")
@pytest.mark.parametrize(
    ("preference", "is_recommended", "expected"),
    [
        (None, False, MANUAL),
        (None, True, SERVICE),
        (PaymentPreference.MANUAL, False, MANUAL),
        (PaymentPreference.MANUAL, True, SERVICE),
        (PaymentPreference.ECASH, False, AUTOMATIC),
        (PaymentPreference.ECASH, True, AUTOMATIC),
        (PaymentPreference.LUD16, False, AUTOMATIC),
        (PaymentPreference.LUD16, True, AUTOMATIC),
    ],
)
def test_the_flow_follows_from_the_preference_and_a_recommended_application(
    preference: PaymentPreference | None, is_recommended: bool, expected: PaymentFlow
) -> None:
    """None set is manual; an application serves those who are paid by hand (A-21)."""
    assert flow(preference, is_recommended) is expected


@pytest.mark.req("PAY-01")
@pytest.mark.req("T0-01")
def test_four_profiles_have_four_flows() -> None:
    """None, manual with an application, an address, mints; and a word nobody knows is manual."""
    assert choice(prefers()) == PaymentChoice()
    assert choice(prefers("manual"), recommends(), an_app()) == PaymentChoice(
        flow=SERVICE, preference=PaymentPreference.MANUAL, app=APP
    )
    assert choice(prefers("lud16", lud16=ADDRESS)).flow is AUTOMATIC
    assert choice(prefers("ecash"), takes_ecash()).flow is AUTOMATIC
    unknown = choice(prefers("foo"))
    assert (unknown.flow, unknown.flaws) == (
        MANUAL,
        (PreferenceFlaw.UNKNOWN_PREFERENCE, PreferenceFlaw.READ_WITH_WARNINGS),
    )


@pytest.mark.req("PAY-01")
def test_a_change_of_the_profile_switches_new_orders_only() -> None:
    """An order that is there keeps its flow, even when it is amended."""
    story = given(prefers("lud16", lud16=ADDRESS), RecordListing(listing=a_listing("tea", "10")), an_order())
    assert story.order().flow is AUTOMATIC

    story.when(prefers("manual", at=NOW_S + 1)).then(PreferenceRecorded, PaymentFlowChosen)
    story.when(an_order(("tea", 2), rumor="amended"), an_order(key=a_key("2"), rumor="other"))

    assert [event.flow for event in story.events if isinstance(event, OrderPlaced)] == [AUTOMATIC, MANUAL]
    assert (story.order().flow, story.order(a_key("2")).flow) == (AUTOMATIC, MANUAL)


@pytest.mark.req("T89-01")
def test_a_recommendation_with_its_application_makes_the_shop_service_based() -> None:
    """Whichever of the two comes first; once it is taken back, the shop is paid by hand again."""
    for said in itertools.permutations((recommends(), an_app())):
        story = given(*said)
        assert (story.shop.payment_choice.flow, story.shop.payment_choice.app) == (SERVICE, APP)
        story.when(unrecommends())
        assert story.shop.payment_choice.flow is MANUAL


@pytest.mark.parametrize(("kind", "expected"), [(30402, SERVICE), (16, SERVICE), (17, MANUAL), (1, MANUAL)])
def test_only_an_application_for_listings_or_orders_makes_a_service(kind: int, expected: PaymentFlow) -> None:
    """What else is recommended has nothing to do with payment."""
    assert choice(recommends(kind=kind), an_app(30402, 16, 17, 1)).flow is expected


@pytest.mark.req("PAY-05")
@pytest.mark.parametrize(
    ("said", "flaw"),
    [
        ((prefers("lud16"),), PreferenceFlaw.LUD16_WITHOUT_ADDRESS),
        ((prefers("ecash"),), PreferenceFlaw.ECASH_WITHOUT_MINTS),
        ((prefers("direct"), recommends(), an_app()), PreferenceFlaw.DIRECT_AND_RECOMMENDED),
        ((prefers("manual"), recommends()), PreferenceFlaw.RECOMMENDED_APP_MISSING),
        ((prefers("lud16", lud16=ADDRESS), recommends()), PreferenceFlaw.RECOMMENDED_APP_MISSING),
        ((recommends(), an_app(1, 30405)), PreferenceFlaw.RECOMMENDED_APP_MISSING),
        ((prefers("service"),), PreferenceFlaw.SERVICE_WITHOUT_APP),
    ],
)
def test_preferences_that_contradict_themselves_are_found_and_orders_paid_by_hand(
    said: tuple[RecordPreference, ...], flaw: PreferenceFlaw
) -> None:
    """A manual order always ends somewhere: the merchant's own request."""
    found = choice(*said)

    assert (found.flow, found.flaws) == (MANUAL, (flaw,))


@pytest.mark.req("T0-02")
def test_lightning_without_an_address_falls_back_until_there_is_one() -> None:
    """An lnurl will do as well."""
    story = given(prefers("lud16"))
    assert story.shop.payment_choice.flow is MANUAL

    story.when(prefers("lud16", at=NOW_S + 1, lud16=ADDRESS))

    assert story.one(PaymentFlowChosen).choice == PaymentChoice(flow=AUTOMATIC, preference=PaymentPreference.LUD16)


@pytest.mark.req("T10019-01")
def test_a_lock_key_that_is_the_merchants_own_is_found_and_taken() -> None:
    """NIP-61 forbids it; tokens so locked can be redeemed all the same (A-24)."""
    found = choice(prefers("ecash"), takes_ecash(key=MERCHANT))

    assert (found.flow, found.flaws) == (AUTOMATIC, (PreferenceFlaw.LOCK_KEY_IS_IDENTITY,))


def test_a_recommendation_that_leads_nowhere_is_found_until_its_application_comes() -> None:
    """31989 before 31990."""
    story = given(recommends())
    assert story.shop.payment_choice.flaws == (PreferenceFlaw.RECOMMENDED_APP_MISSING,)

    story.when(an_app())

    assert story.one(PaymentFlowChosen).choice == PaymentChoice(flow=SERVICE, app=APP)


def test_the_newest_profile_counts_in_any_order_and_of_one_second_that_with_the_lower_id() -> None:
    """As of every replaceable event (NIP-01)."""
    said = (prefers("lud16", lud16=ADDRESS), prefers("manual"), prefers("ecash", at=NOW_S - 1))
    outcomes = {choice(*order).preference for order in itertools.permutations(said)}

    lower = min(said[:2], key=lambda one: one.preference.event_id).preference
    assert outcomes == {getattr(lower, "preference", None)}


def test_a_repeat_and_a_profile_that_says_the_same_of_payment_choose_nothing() -> None:
    """The first changes nothing at all, the second only the profile."""
    story = given(prefers("lud16", lud16=ADDRESS))

    story.when(prefers("lud16", lud16=ADDRESS)).then_nothing()
    story.when(prefers("lud16", at=NOW_S + 1, lud16=ADDRESS, name="Vases")).then(PreferenceRecorded)


@pytest.mark.parametrize(
    ("coordinate", "left"),
    [(f"0:{MERCHANT}:", None), (f"10019:{MERCHANT}:", PaymentPreference.ECASH)],
)
def test_a_deleted_preference_counts_no_more(coordinate: str, left: PaymentPreference | None) -> None:
    """By its address, up to the deletion's time; the flow is chosen anew."""
    story = given(prefers("ecash"), takes_ecash(), deletes(coordinate))

    story.then(Withdrawn, PaymentFlowChosen)
    assert (story.shop.payment_choice.flow, story.shop.payment_choice.preference) == (MANUAL, left)
    story.when(prefers("ecash"), takes_ecash()).then_nothing()
    story.when(prefers("ecash", at=NOW_S + 2), takes_ecash(at=NOW_S + 2))
    assert story.shop.payment_choice.flow is AUTOMATIC


def test_a_deletion_by_id_takes_that_version_and_one_that_changes_nothing_chooses_nothing() -> None:
    """Before and after it is seen."""
    event_id = prefers("lud16", lud16=ADDRESS).preference.event_id
    deletion = RecordDeletion(author=MERCHANT, created_at=NOW_S + 1, event_ids=(event_id,))

    assert choice(prefers("lud16", lud16=ADDRESS)).flow is AUTOMATIC
    assert given(prefers("lud16", lud16=ADDRESS), deletion).shop.payment_choice == PaymentChoice()
    assert given(deletion, prefers("lud16", lud16=ADDRESS)).shop.payment_choice == PaymentChoice()
    assert given(prefers(), deletes(f"0:{MERCHANT}:")).none(PaymentFlowChosen)


def test_an_application_takes_its_own_description_back() -> None:
    """The recommendation then leads nowhere."""
    theirs = RecordDeletion(author=STRANGER, created_at=NOW_S + 1, coordinates=(APP,))

    assert choice_after(given(recommends(), an_app(), theirs)) == (PreferenceFlaw.RECOMMENDED_APP_MISSING,)


def choice_after(story: Story) -> tuple[PreferenceFlaw, ...]:
    """What is wrong now."""
    return story.shop.payment_choice.flaws


def test_strangers_applications_are_kept_in_small_numbers_and_a_recommended_one_always() -> None:
    """A relay may bring what nobody asked for."""
    story = given(*(an_app(d=f"x{n}") for n in range(limits.FOREIGN_HANDLERS.most + 1)))
    assert len(story.shop.preferences) == limits.FOREIGN_HANDLERS.most

    story.when(an_app()).then_nothing()
    story.when(recommends(), an_app())
    assert story.shop.payment_choice.flow is SERVICE


def test_what_was_read_with_warnings_is_told_and_changes_no_flow() -> None:
    """Of the merchant's own events; an application's are its own business."""
    assert choice(prefers("cashu"), takes_ecash("http://bad.example", "https://mint.example")).flaws == (
        PreferenceFlaw.READ_WITH_WARNINGS,
    )
    assert choice(recommends(), an_app(30402, 30402)).flaws == ()


def test_a_shop_made_anew_from_its_journal_chose_the_same() -> None:
    """The choice is a fact, not a guess of later rules."""
    story = given(prefers("ecash"), takes_ecash(), recommends(), an_app(), unrecommends())

    assert story.refolded() == story.shop
