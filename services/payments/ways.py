"""A merchant's ways to be paid, in the order of preference: the wallet, and a spare one for when it is down (C-27).

A wallet that fails again and again is left alone for a while, then tried once; meanwhile new requests are made at the
spare one. A request stays where it was made: what was shown can be paid only there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.payments.port import PaymentBackend

FAILURES_MAX: Final = 5
"""Calls in a row that fail before a wallet is left alone."""
LEFT_ALONE_S: Final = 30.0
"""How long; then one call tries it again."""


@dataclass(slots=True)
class Breaker:
    """How one wallet does: failures in a row, and until when it is left alone (seconds of the clock given)."""

    failures: int = 0
    alone_until_s: float = 0.0

    def admits(self, now_s: float) -> bool:
        """Whether it may be called; once its rest is over one call is let through, and the others wait for that."""
        if self.failures < FAILURES_MAX:
            return True
        if now_s < self.alone_until_s:
            return False
        self.alone_until_s = now_s + LEFT_ALONE_S
        return True

    def failed(self, now_s: float, *, is_held: bool = False) -> None:
        """Count one more; enough of them shut it, and one that is held is shut by the first."""
        self.failures += FAILURES_MAX if is_held else 1
        if self.failures >= FAILURES_MAX:
            self.alone_until_s = now_s + LEFT_ALONE_S

    def worked(self) -> None:
        """It answers: all is forgotten."""
        self.failures = 0


class Ways:
    """Every merchant's wallet and spare wallet, and which of them takes the next request."""

    def __init__(
        self,
        backend_of: Callable[[str], PaymentBackend],
        spare_of: Callable[[str], PaymentBackend | None],
        clock_s: Callable[[], float],
        notify: Callable[[str], None],
    ) -> None:
        """`spare_of` gives None for a merchant without one; `notify` shows the operator a sentence while it is true."""
        self._backend_of, self._spare_of, self._clock_s, self._notify = backend_of, spare_of, clock_s, notify
        self._breakers: dict[str, Breaker] = {}
        self._shut: dict[str, str] = {}

    def of(self, merchant: str, is_spare: bool = False) -> PaymentBackend:
        """One of the merchant's; the wallet where the spare one was taken away since."""
        spare = self._spare_of(merchant) if is_spare else None
        return spare or self._backend_of(merchant)

    def has_spare(self, merchant: str) -> bool:
        """Whether there is another way."""
        return self._spare_of(merchant) is not None

    def takes_spare(self, merchant: str) -> bool:
        """Whether the merchant's next request is made at the spare wallet; a wallet without one is tried for ever."""
        breaker = self._breakers.get(merchant)
        return breaker is not None and self.has_spare(merchant) and not breaker.admits(self._clock_s())

    def failed(self, merchant: str, why: str = "", *, is_held: bool = False) -> None:
        """A call of the wallet came to nothing, or nobody knows to what; `why` is for the operator.

        One that `is_held` is not to be used for anything new, so the next request is made at the spare one.
        """
        breaker = self._breakers.setdefault(merchant, Breaker())
        breaker.failed(self._clock_s(), is_held=is_held)
        is_news = merchant not in self._shut or (is_held and self._shut[merchant] != why)
        if breaker.failures >= FAILURES_MAX and is_news:
            self._shut[merchant] = why
            self._tell()

    def worked(self, merchant: str) -> None:
        """A call of the wallet was answered."""
        if (breaker := self._breakers.get(merchant)) is not None:
            breaker.worked()
        if merchant in self._shut:
            del self._shut[merchant]
            self._tell()

    def _tell(self) -> None:
        names = ", ".join(f"{merchant[:8]}…" + (f" ({why})" if why else "") for merchant, why in self._shut.items())
        self._notify(f"wallets that do not answer: {names}" if names else "")
