"""Buyers' invoices and claim links, two people who send money back, and a payments role that repeats itself."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from schemas.inbox import ReceiveMessage
from schemas.messages import CommandBody
from schemas.payouts import (
    ApprovePayout,
    DropPayout,
    OfferedInvoice,
    PayoutApproved,
    RecordPayoutFailure,
    RecordRefundLink,
    WantPayout,
)
from schemas.refunds import RecordRefund
from schemas.values import Actor, OrderKey, SealedDetails
from streams.domain.shop import Order, Shop
from tests.support.builders import an_id


class Payouts:
    """What left the till, by refund: each once, whatever was said how often."""

    def __init__(self, dice: Random, shop: Shop, say: Callable[..., None], new_name: Callable[[], str]) -> None:
        self._dice, self._shop, self._say, self._new_name = dice, shop, say, new_name
        self._approved: dict[str, PayoutApproved] = {}
        self._shown: list[str] = []
        self.sent: dict[str, tuple[OrderKey, int]] = {}

    def note(self, event: PayoutApproved) -> None:
        """The journal has an approval, and no refund has two."""
        assert event.refund_id not in self._approved
        self._approved[event.refund_id] = event

    def act(self, keys: list[OrderKey], at_ms: int) -> None:
        """Somebody does something about money that is to go back."""
        orders = [order for key in keys if (order := self._shop.order(key)) is not None]
        begun = [order for order in orders if order.pay_back.offered is not None or order.pay_back.live is not None]
        if not orders:
            return
        order = self._dice.choice(begun if begun and self._dice.random() < 0.7 else orders[-8:])
        if self._dice.random() < 0.3:
            self._pay()
            return
        live, offered, cause = order.pay_back.live, order.pay_back.offered, self._new_name()
        amount_msat = live.amount_msat if live else offered.amount_msat if offered else 1_000
        words: tuple[CommandBody, ...] = (
            self._letter(order, at_ms),
            self._letter(order, at_ms),
            WantPayout(order=order.key, amount_msat=self._dice.choice((None, amount_msat, amount_msat)), cause=cause),
            WantPayout(order=order.key, amount_msat=amount_msat, by_link=self._dice.random() < 0.5, cause=cause),
            ApprovePayout(order=order.key, amount_msat=amount_msat, approver="anna", cause=cause),
            ApprovePayout(order=order.key, amount_msat=amount_msat, approver="anna", cause=cause),
            DropPayout(order=order.key, cause=cause) if self._dice.random() < 0.3 else self._letter(order, at_ms),
        )
        self._say(self._dice.choice(words), times=2)

    def agree(self) -> None:
        """All that left is in the books of its order, and what was not sent is not."""
        for order in self._shop.orders.values():
            sent = {name: amount for name, (key, amount) in self.sent.items() if key == order.key}
            assert sent.keys() <= set(order.refunds)
            assert order.refunded_msat >= sum(sent.values())
            known = {name for name, event in self._approved.items() if event.order == order.key}
            assert known & set(order.refunds) == sent.keys()

    def _letter(self, order: Order, at_ms: int) -> ReceiveMessage:
        """An invoice over what may go back, or over another sum; sometimes one that was shown before."""
        left_msat = order.paid_msat - order.refunded_msat
        amount_msat = max(1_000, self._dice.choice((left_msat, left_msat, order.owed_msat, 5_000)))
        again = self._shown and self._dice.random() < 0.2
        name = self._dice.choice(self._shown) if again else self._new_name()
        self._shown.append(name)
        invoice = OfferedInvoice(
            text=f"lnbc {name}", amount_msat=amount_msat, payment_hash=name, expires_at=at_ms // 1_000 + 3_600
        )
        return ReceiveMessage(
            buyer=order.key.buyer,
            author=Actor.BUYER,
            rumor_id=an_id(f"letter {self._new_name()}"),
            said_s=at_ms // 1_000,
            order_refs=(order.key.ref,),
            invoice=invoice,
        )

    def _pay(self) -> None:
        """The role pays one, fails with it, or says again what it said before a restart."""
        if not self._approved:
            return
        name = self._dice.choice(list(self._approved))
        event = self._approved[name]
        order = self._shop.order(event.order)
        is_live = order is not None and order.pay_back.live is not None and order.pay_back.live.refund_id == name
        if event.invoice is None and self._dice.random() < 0.5:
            box = SealedDetails(key_id=f"refund-{name[:32]}:{name[:16]}", box=name)
            self._say(RecordRefundLink(order=event.order, refund_id=name, sealed=box), times=2)
            return
        if name in self.sent or (is_live and self._dice.random() < 0.7):
            self.sent[name] = (event.order, event.amount_msat)
            done = RecordRefund(
                order=event.order, amount_msat=event.amount_msat, rail="lightning", reference="h", cause=name
            )
            self._say(done, times=2)
        else:
            self._say(RecordPayoutFailure(order=event.order, refund_id=name, reason="no route"), times=2)
