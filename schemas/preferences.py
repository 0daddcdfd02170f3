"""How a merchant wants to be paid and by which application, as the own events say it (market spec §2, §6)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from schemas.catalogue import Template
from schemas.values import EventId, PublicKey, Value


class PaymentPreference(StrEnum):
    """The values of `payment_preference` in kind 0; absent is manual."""

    MANUAL = "manual"
    ECASH = "ecash"
    LUD16 = "lud16"


class PaymentFlow(StrEnum):
    """Who asks for the money: the merchant, a service the merchant recommends, or the buyer's own application."""

    MANUAL = "manual"
    SERVICE = "service"
    AUTOMATIC = "automatic"


class PreferenceFlaw(StrEnum):
    """What is wrong with a merchant's preferences, as a stable code; all but the last three make the flow manual."""

    LUD16_WITHOUT_ADDRESS = "lud16_without_address"
    ECASH_WITHOUT_MINTS = "ecash_without_mints"
    DIRECT_AND_RECOMMENDED = "direct_and_recommended"
    RECOMMENDED_APP_MISSING = "recommended_app_missing"
    SERVICE_WITHOUT_APP = "service_without_app"
    UNKNOWN_PREFERENCE = "unknown_preference"
    LOCK_KEY_IS_IDENTITY = "lock_key_is_identity"
    READ_WITH_WARNINGS = "preference_read_with_warnings"


class Profile(Value):
    """What the merchant's profile (kind 0) says about payment, and the names a buyer sees.

    `preference` None means that none is set. With `is_direct` the merchant asked for manual payment without any
    service, with `wants_service` for a recommended one; both are words some clients write for `manual` (A-22).
    """

    type: Literal["profile"] = "profile"
    coordinate: str
    event_id: EventId
    created_at: int
    preference: PaymentPreference | None = None
    is_direct: bool = False
    wants_service: bool = False
    lud16: str | None = None
    lud06: str | None = None
    name: str | None = None
    nip05: str | None = None
    is_bot: bool = False
    warnings: tuple[str, ...] = ()
    template: Template | None = None
    reader: int = 1

    @property
    def has_lightning(self) -> bool:
        """Whether there is an address that a payment by lightning could go to."""
        return self.lud16 is not None or self.lud06 is not None


class Mint(Value):
    """A mint the merchant takes money on, its URL normalised; no units named means any."""

    url: str
    units: tuple[str, ...] = ()


class MintList(Value):
    """The merchant's mints and the key tokens are locked to (kind 10019, NIP-61). `key` is x-only, 64 hex digits."""

    type: Literal["mints"] = "mints"
    coordinate: str
    event_id: EventId
    created_at: int
    mints: tuple[Mint, ...] = ()
    relays: tuple[str, ...] = ()
    key: PublicKey | None = None
    warnings: tuple[str, ...] = ()
    reader: int = 1

    @property
    def lock_key(self) -> str | None:
        """The key as a token's lock has it: with the prefix 02 (NIP-61)."""
        return None if self.key is None else f"02{self.key}"


class RecommendedApp(Value):
    """One application that a merchant recommends: its handler's address, a relay hint and a platform (NIP-89)."""

    coordinate: str
    relay: str | None = None
    platform: str | None = None


class AppRecommendation(Value):
    """Which applications a merchant recommends for a kind of event (kind 31989)."""

    type: Literal["recommendation"] = "recommendation"
    coordinate: str
    event_id: EventId
    created_at: int
    kind: int
    apps: tuple[RecommendedApp, ...] = ()
    warnings: tuple[str, ...] = ()
    reader: int = 1


class AppAddress(Value):
    """Where an application opens an entity: a URL with `<bech32>` in it, and the entity it is for, if it says so."""

    url: str
    entity: str | None = None


class AppHandler(Value):
    """An application's own description: the kinds it handles and where (kind 31990)."""

    type: Literal["handler"] = "handler"
    coordinate: str
    event_id: EventId
    created_at: int
    kinds: tuple[int, ...] = ()
    web: tuple[AppAddress, ...] = ()
    name: str | None = None
    warnings: tuple[str, ...] = ()
    reader: int = 1


Preference = Annotated[Profile | MintList | AppRecommendation | AppHandler, Field(discriminator="type")]


class PaymentChoice(Value):
    """What follows from a merchant's preferences: the flow of new orders, and what is wrong with them (PAY-01, PAY-05).

    `preference` is what the profile asks for, whatever became of it.
    """

    flow: PaymentFlow = PaymentFlow.MANUAL
    preference: PaymentPreference | None = None
    app: str | None = None
    flaws: tuple[PreferenceFlaw, ...] = ()


class RecordPreference(Value):
    """A version of one of the merchant's preference events was seen, or of an application the merchant recommends."""

    type: Literal["RecordPreference"] = "RecordPreference"
    preference: Preference


class PreferenceRecorded(Value):
    """A newer version is the one that counts. What it means for payment stands in the same record, if that changed."""

    type: Literal["PreferenceRecorded"] = "PreferenceRecorded"
    preference: Preference


class PaymentFlowChosen(Value):
    """From now on new orders are paid this way; those that are there keep theirs. Nothing else follows."""

    type: Literal["PaymentFlowChosen"] = "PaymentFlowChosen"
    choice: PaymentChoice
