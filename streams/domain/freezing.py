"""Freezing and thawing a merchant: each cause counts once, however often it is said."""

from __future__ import annotations

from schemas.freezes import FreezeMerchant, MerchantFrozen, MerchantThawed, ThawMerchant
from streams.domain.decision import Decision


def freeze(decision: Decision, command: FreezeMerchant) -> None:
    """Hold the merchant's effects back; one that is frozen already stays so for its first reason."""
    shop = decision.shop
    if shop.is_frozen or command.cause in shop.freezes:
        return
    decision.emit(MerchantFrozen(code=command.code, reason=command.reason, cause=command.cause))


def thaw(decision: Decision, command: ThawMerchant) -> None:
    """Let them go. Money that came meanwhile has to be found before an order expires, so deadlines move."""
    shop = decision.shop
    if not shop.is_frozen or command.cause in shop.freezes:
        return
    deadline_ms = decision.at_ms + shop.settings.grace_s * 1_000
    decision.emit(MerchantThawed(reason=command.reason, cause=command.cause, deadline_ms=deadline_ms))
