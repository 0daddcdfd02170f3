"""The usual steps of an order's life as commands, so that a test's history reads like one."""

from __future__ import annotations

from schemas.holds import HoldOrder, ReleaseOrder
from schemas.messages import Command
from schemas.orders import MoveOrder, MoveShipping, OrderStatus, ShippingStatus
from schemas.payments import BackendState, ObservePayment, RecordPaymentRequest, ReportPayment, intent_id
from schemas.refunds import RecordRefund
from schemas.values import Actor, OrderKey, Origin
from tests.support.builders import NOW_MS, NOW_S, a_command, a_key, an_id


def requested(sats: int, key: OrderKey | None = None, revision: int = 1) -> RecordPaymentRequest:
    """The wallet made the request of this order revision."""
    key = key or a_key()
    return RecordPaymentRequest(
        order=key,
        intent_id=intent_id(key, revision),
        medium="lightning",
        text=f"lnbc{sats}",
        payment_hash=an_id(f"hash {key.ref} {revision}"),
        amount_msat=sats * 1_000,
        expires_at=NOW_S + 900,
    )


def paid(
    sats: int,
    key: OrderKey | None = None,
    revision: int = 1,
    state: BackendState = BackendState.SETTLED,
) -> ObservePayment:
    """A look-up at the wallet says so much arrived."""
    key = key or a_key()
    return ObservePayment(
        order=key,
        intent_id=intent_id(key, revision),
        state=state,
        gross_msat=sats * 1_000,
        settled_at=NOW_S + 5,
    )


def receipt(key: OrderKey | None = None, rumor: str = "receipt") -> ReportPayment:
    """The buyer says they paid."""
    return ReportPayment(order=key or a_key(), rumor_id=an_id(rumor), medium="lightning")


def moved(
    to: OrderStatus,
    actor: Actor = Actor.MERCHANT,
    key: OrderKey | None = None,
    cause: str | None = None,
    announce: bool = True,
) -> MoveOrder:
    """Somebody moves the order axis."""
    cause = cause or an_id(f"{actor} {to}")
    return MoveOrder(order=key or a_key(), actor=actor, to=to, cause=cause, announce=announce)


def cancelled(actor: Actor = Actor.BUYER, key: OrderKey | None = None) -> MoveOrder:
    """Somebody cancels."""
    return moved(OrderStatus.CANCELLED, actor, key)


def parcel(
    to: ShippingStatus,
    actor: Actor = Actor.MERCHANT,
    key: OrderKey | None = None,
    cause: str | None = None,
    tracking: str | None = None,
    announce: bool = True,
    name: str | None = None,
) -> MoveShipping:
    """The merchant says where the parcel is."""
    return MoveShipping(
        order=key or a_key(),
        actor=actor,
        to=to,
        cause=cause or an_id(f"{actor} parcel {to} {tracking} {name or ''}"),
        parcel=name,
        tracking=tracking,
        announce=announce,
    )


def refunded(sats: int, cause: str, key: OrderKey | None = None) -> RecordRefund:
    """The merchant gave so much back."""
    return RecordRefund(order=key or a_key(), amount_msat=sats * 1_000, rail="cash", reference="R1", cause=cause)


def held(key: OrderKey | None = None, cause: str = "operator 1") -> HoldOrder:
    """A person takes the order over."""
    return HoldOrder(order=key or a_key(), cause=cause)


def released(key: OrderKey | None = None, cause: str = "operator 2") -> ReleaseOrder:
    """The person is done with it."""
    return ReleaseOrder(order=key or a_key(), cause=cause)


def by_operator(body: MoveOrder | MoveShipping | ReportPayment, at_ms: int = NOW_MS) -> Command:
    """The same through the operator's door instead of a relay."""
    return a_command(body, at_ms, Origin.OPERATOR)
