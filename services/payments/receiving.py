"""What a back-end cannot do that is listened to and only receives: it refuses each by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from services.payments.port import BackendRef, Hint, Refund, Refunded, Unsupported


class OnlyReceives:
    """Three calls of `PaymentBackend` for those that have no answer to them; each says why in the class's words."""

    no_notices: ClassVar[str] = ""
    """Left out by those that are called."""
    no_cancel: ClassVar[str] = ""
    """Left out by those that do cancel."""
    no_refund: ClassVar[str]

    async def parse_notice(self, path_token: str, headers: Mapping[str, str], raw: bytes) -> tuple[Hint, ...]:
        """Refuse: nothing that comes in from outside is a notice of this back-end's."""
        raise Unsupported(self.no_notices)

    async def cancel(self, ref: BackendRef, *, timeout_s: float) -> None:
        """Refuse: what was shown can be paid until it ends."""
        raise Unsupported(self.no_cancel)

    async def refund(self, wish: Refund, *, timeout_s: float) -> Refunded:
        """Refuse: the credential is for receiving."""
        raise Unsupported(self.no_refund)
