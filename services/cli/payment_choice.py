"""What a merchant can do about preferences that contradict themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from schemas.preferences import PreferenceFlaw

ADVICE: Final[dict[PreferenceFlaw, tuple[str, str]]] = {
    PreferenceFlaw.LUD16_WITHOUT_ADDRESS: (
        "buyers are to pay a Lightning address and the profile names none",
        "put lud16 into the profile, or take payment_preference out of it",
    ),
    PreferenceFlaw.ECASH_WITHOUT_MINTS: (
        "buyers are to pay in ecash and no mint is named",
        "publish your mints (kind 10019), or take payment_preference out of the profile",
    ),
    PreferenceFlaw.DIRECT_AND_RECOMMENDED: (
        "buyers are to ask you directly and also to use an application",
        "set payment_preference to manual, or delete the recommendation (kind 31989)",
    ),
    PreferenceFlaw.RECOMMENDED_APP_MISSING: (
        "the recommended application does not say anywhere that it handles orders",
        "`ncc service publish` where it is your own; else recommend another one (`ncc merchant recommend`)",
    ),
    PreferenceFlaw.SERVICE_WITHOUT_APP: (
        "buyers are to use a service and none is recommended",
        "recommend an application (kind 31989), or set payment_preference to manual",
    ),
    PreferenceFlaw.UNKNOWN_PREFERENCE: (
        "payment_preference is a word nobody knows",
        "set it to manual, ecash or lud16",
    ),
    PreferenceFlaw.LOCK_KEY_IS_IDENTITY: (
        "ecash is locked to the shop's own key",
        "put a key of its own into kind 10019: NIP-61 forbids this one",
    ),
    PreferenceFlaw.READ_WITH_WARNINGS: (
        "something in the profile, the mints or the recommendation was left out",
        "publish them again with another client",
    ),
}
"""What each flaw means, and what to do."""

HARMLESS: Final = (PreferenceFlaw.LOCK_KEY_IS_IDENTITY, PreferenceFlaw.READ_WITH_WARNINGS)
"""Flaws that keep nobody from paying as the merchant wants."""


def findings(choices: list[dict[str, Any]], names: dict[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """Shop, code, meaning and remedy of every flaw; a code of a newer version explains itself."""
    for choice in choices:
        for code in choice["flaws"]:
            known = ADVICE.get(code)
            meaning, remedy = known or (code.replace("_", " "), "")
            yield names.get(choice["merchant"], choice["merchant"][:8]), code, meaning, remedy
