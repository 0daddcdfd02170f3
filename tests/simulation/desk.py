"""What the operator of a history does with orders and goods: each a command of its own kind."""

from __future__ import annotations

from schemas.goods import MarkReady, SetGoods
from schemas.holds import HoldOrder, ReleaseOrder, RenewOrder
from schemas.messages import CommandBody
from schemas.orders import MoveOrder, MoveShipping, OrderStatus, ShippingStatus
from schemas.payments import WaivePayment
from schemas.refunds import RecordRefund
from schemas.reinstatement import ReinstateOrder
from schemas.values import Actor, OrderKey, SealedDetails
from tests.simulation.clock import Dice
from tests.simulation.people import PARCELS
from tests.simulation.plan import Action
from tests.simulation.signers import digest
from tests.simulation.world import World


def operator_move(world: World, action: Action, dice: Dice) -> None:
    """One word about some order, or about what buyers of the song are sent; mostly about what waits for one."""
    forgotten = [ref for ref in world.books.forgotten if world.books.status.get(ref) == OrderStatus.PENDING.value]
    if forgotten and dice.chance(60):
        key = world.books.keys[forgotten[action.a % len(forgotten)]]
        world.command(key.merchant, RenewOrder(order=key, cause=digest(action.salt)[:32]))
        return
    merchant, buyer, order_id = world.some_order(action, dice)
    shop = world.crypto.key(merchant)
    key = OrderKey(merchant=shop, buyer=world.crypto.key(buyer), order_id=order_id)
    world.command(shop, _word(shop, key, digest(action.salt)[:32], dice))


def give_back(world: World, action: Action, dice: Dice) -> None:
    """Money given back, all that is left or some: mostly for an order that was cancelled after it was paid.

    Late money is kept as often, and its order sent after all.
    """
    books = world.books
    late = [ref for ref, payment in books.payment.items() if payment == "late"]
    if late and dice.chance(50):
        key = books.keys[late[-1 - action.a % len(late)]]
        world.command(key.merchant, ReinstateOrder(order=key, cause=digest(action.salt)[:32]))
        return
    held = [ref for ref, msat in books.received.items() if msat > books.returned[ref]]
    owed = [ref for ref in held if books.status.get(ref) == OrderStatus.CANCELLED.value]
    chosen = owed if owed and dice.chance(70) else held
    if chosen:
        ref = chosen[-1 - action.a % len(chosen)]
        left_msat = books.received[ref] - books.returned[ref]
        amount_msat = left_msat if dice.chance(60) else dice.one_of((1_000, 5_000, left_msat + 1_000))
        key, cause = books.keys[ref], digest(action.salt)[:32]
        refund = RecordRefund(order=key, amount_msat=amount_msat, rail="cash", cause=cause)
        world.command(key.merchant, refund)


def _word(shop: str, key: OrderKey, cause: str, dice: Dice) -> CommandBody:
    match dice.below(10):
        case 3:
            return WaivePayment(order=key, cause=cause)
        case 0 | 1:
            return HoldOrder(order=key, cause=cause)
        case 2:
            return ReleaseOrder(order=key, cause=cause)
        case 4:
            box = SealedDetails(key_id=f"goods-{cause[:8]}", box="c2VhbGVk") if dice.chance(80) else None
            return SetGoods(coordinate=f"30402:{shop}:song", sealed=box, cause=cause)
        case 5:
            return MarkReady(order=key, cause=cause)
        case 6 | 7:
            to = OrderStatus(dice.one_of(("confirmed", "processing", "completed", "cancelled")))
            return MoveOrder(order=key, actor=Actor.MERCHANT, to=to, cause=cause)
        case _:
            parcel = dice.one_of((None, None, "1", "2"))
            shipping = ShippingStatus(dice.one_of(PARCELS))
            return MoveShipping(order=key, actor=Actor.MERCHANT, to=shipping, cause=cause, parcel=parcel)
