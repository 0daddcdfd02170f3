"""How a merchant wants new orders paid: what the newest preference events come to, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from schemas import limits
from schemas.cashu.tokens import SAT
from schemas.catalogue import Withdrawn
from schemas.ecash import EcashTerms
from schemas.market.handlers import SHOPPING_KINDS
from schemas.nostr.kinds import Kind
from schemas.preferences import (
    AppHandler,
    AppRecommendation,
    MintList,
    PaymentChoice,
    PaymentFlow,
    PaymentFlowChosen,
    PaymentPreference,
    Preference,
    PreferenceFlaw,
    PreferenceRecorded,
    Profile,
    RecordPreference,
)
from streams.domain.catalogue import author_of, is_news
from streams.domain.decision import Decision
from streams.domain.fold_goods import is_reached
from streams.domain.shop import Shop

HARMLESS = frozenset(
    {PreferenceFlaw.UNKNOWN_PREFERENCE, PreferenceFlaw.LOCK_KEY_IS_IDENTITY, PreferenceFlaw.READ_WITH_WARNINGS}
)
"""Flaws that leave the flow as it is: the first is manual anyway."""


def flow(preference: PaymentPreference | None, app_recommended: bool) -> PaymentFlow:
    """The flow of the market spec (§2, §6): none set is manual, and manual with an application is its service."""
    match preference:
        case PaymentPreference.ECASH | PaymentPreference.LUD16:
            return PaymentFlow.AUTOMATIC
        case PaymentPreference.MANUAL | None:
            return PaymentFlow.SERVICE if app_recommended else PaymentFlow.MANUAL


def choose(merchant: str, preferences: Mapping[str, Preference]) -> PaymentChoice:
    """What a merchant's preferences come to. Where they contradict themselves, orders are paid by hand (PAY-05)."""
    profile = profile_of(merchant, preferences)
    preference = profile.preference if profile else None
    app = _app(preferences)
    flaws = tuple(dict.fromkeys(_flaws(merchant, profile, mints_of(merchant, preferences), preferences)))
    is_safe = HARMLESS.issuperset(flaws)
    chosen = flow(preference, app is not None) if is_safe else PaymentFlow.MANUAL
    return PaymentChoice(flow=chosen, preference=preference, app=app, flaws=flaws)


def profile_of(merchant: str, preferences: Mapping[str, Preference]) -> Profile | None:
    """The merchant's profile, if one was seen."""
    found = preferences.get(f"{int(Kind.METADATA)}:{merchant}:")
    return found if isinstance(found, Profile) else None


def mints_of(merchant: str, preferences: Mapping[str, Preference]) -> MintList | None:
    """The merchant's mints, if a list was seen."""
    found = preferences.get(f"{int(Kind.NUTZAP_INFO)}:{merchant}:")
    return found if isinstance(found, MintList) else None


def ecash_terms(shop: Shop) -> EcashTerms | None:
    """What the merchant's mint list asks of ecash; None without one (PAY-11)."""
    listed = mints_of(shop.merchant, shop.preferences)
    if listed is None:
        return None
    of_sats = tuple(mint.url for mint in listed.mints if not mint.units or SAT in mint.units)
    return EcashTerms(mints=of_sats if listed.mints else None, lock_key=listed.lock_key)


def record(decision: Decision, command: RecordPreference) -> None:
    """The newest version counts, as of listings. An application's is kept where the merchant recommends it."""
    shop, preference = decision.shop, command.preference
    if not is_news(decision, preference, shop.preferences.get(preference.coordinate)):
        return
    if author_of(preference.coordinate) != shop.merchant and not _has_room(shop, preference.coordinate):
        return
    decision.emit(PreferenceRecorded(preference=preference))


def notice(decision: Decision) -> None:
    """Say what new orders are paid by from now on, where what was just decided changes it."""
    after = _after(decision)
    if after is None:
        return
    choice = choose(decision.shop.merchant, after)
    if choice != decision.shop.payment_choice:
        decision.emit(PaymentFlowChosen(choice=choice))


def _after(decision: Decision) -> dict[str, Preference] | None:
    """The preferences once this decision is folded; None where it touches none."""
    after: dict[str, Preference] | None = None
    for event in decision.events:
        match event:
            case PreferenceRecorded(preference=preference):
                after = dict(decision.shop.preferences) if after is None else after
                after[preference.coordinate] = preference
            case Withdrawn(coordinate=coordinate) if coordinate in decision.shop.preferences:
                after = dict(decision.shop.preferences) if after is None else after
                known = after[coordinate]
                if is_reached(event, known.created_at, known.event_id):
                    del after[coordinate]
            case _:
                pass
    return after


def _has_room(shop: Shop, coordinate: str) -> bool:
    """Whether somebody else's application is kept: a recommended one always, the rest up to a figure."""
    recommended = {app for _, app in _recommended(shop.preferences.values())}
    if coordinate in recommended or coordinate in shop.preferences:
        return True
    others = (one for one in shop.preferences if author_of(one) != shop.merchant and one not in recommended)
    return sum(1 for _ in others) < limits.FOREIGN_HANDLERS.most


def _recommended(preferences: Iterable[Preference]) -> list[tuple[int, str]]:
    """The applications recommended for shopping, each with the kind of event it is for."""
    return [
        (said.kind, app.coordinate)
        for said in preferences
        if isinstance(said, AppRecommendation) and said.kind in SHOPPING_KINDS
        for app in said.apps
    ]


def _app(preferences: Mapping[str, Preference]) -> str | None:
    """The first application that is recommended and says itself that it handles the kind it is recommended for."""
    for kind, app in _recommended(preferences.values()):
        handler = preferences.get(app)
        if isinstance(handler, AppHandler) and kind in handler.kinds:
            return app
    return None


def _flaws(
    merchant: str, profile: Profile | None, mints: MintList | None, preferences: Mapping[str, Preference]
) -> Iterator[PreferenceFlaw]:
    preference = profile.preference if profile else None
    recommended, app = _recommended(preferences.values()), _app(preferences)
    if profile and preference is PaymentPreference.LUD16 and not profile.has_lightning:
        yield PreferenceFlaw.LUD16_WITHOUT_ADDRESS
    if preference is PaymentPreference.ECASH and not (mints and mints.mints):
        yield PreferenceFlaw.ECASH_WITHOUT_MINTS
    if profile and profile.is_direct and recommended:
        yield PreferenceFlaw.DIRECT_AND_RECOMMENDED
    if recommended and app is None:
        yield PreferenceFlaw.RECOMMENDED_APP_MISSING
    if profile and profile.wants_service and not recommended:
        yield PreferenceFlaw.SERVICE_WITHOUT_APP
    if profile and "unknown_preference" in profile.warnings:
        yield PreferenceFlaw.UNKNOWN_PREFERENCE
    if mints and mints.key == merchant:
        yield PreferenceFlaw.LOCK_KEY_IS_IDENTITY
    if any(one.warnings for one in preferences.values() if author_of(one.coordinate) == merchant):
        yield PreferenceFlaw.READ_WITH_WARNINGS
