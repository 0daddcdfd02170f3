"""Money over a shop's own lightning address: who calls it, who pays, and what the merchant says of it."""

from __future__ import annotations

from schemas.addresses import AskInvoice, AssignPayment, ClosePayment, Closing
from schemas.lnurl_served import description_hash, metadata, shop_memo
from schemas.orders import OrderStatus
from schemas.values import Origin
from tests.simulation.clock import Dice
from tests.simulation.plan import ADDRESS, LATE_S, Action
from tests.simulation.signers import digest
from tests.simulation.world import World

SAID = description_hash(metadata(ADDRESS, shop_memo(ADDRESS)))


def over_address(world: World, action: Action, dice: Dice) -> None:
    """What is next: mostly the merchant's word on what came, else a payment, or a preimage, else another call."""
    if not world.config.settings.lightning_address:
        _call(world, action, dice)
    elif world.books.at_address and dice.chance(70):
        (_say if dice.chance(70) else _show)(world, action, dice)
    elif world.books.made and dice.chance(70):
        (_show if dice.chance(20) else _pay)(world, action, dice)
    else:
        _call(world, action, dice)


def _call(world: World, action: Action, dice: Dice) -> None:
    shop = world.crypto.key(world.names[action.a % len(world.names)])
    call = AskInvoice(
        intent_id=digest("call", action.salt),
        address=ADDRESS,
        amount_msat=dice.one_of((10_000, 10_000, 21_000, 1_500)),
        description_hash=SAID,
        expires_at=world.clock.now_ms // 1_000 + 600,
    )
    world.command(shop, call, Origin.ADDRESS)


def _pay(world: World, action: Action, dice: Dice) -> None:
    texts = [text for _, text in world.books.made.values()]
    text = texts[-1 - action.a % min(len(texts), 3)]
    if dice.chance(10):
        world.coverage["address taken back"] += world.wallet.take_back(text)
    else:
        held = world.wallet.held(text)
        is_watched = held is not None and world.clock.now_ms // 1_000 < held.intent.expires_at + LATE_S
        world.coverage["address paid"] += world.wallet.pay(text, 100, is_watched and dice.chance(60))


def _show(world: World, action: Action, dice: Dice) -> None:
    """A buyer shows the preimage of what was paid over the address, or will be, for an order of theirs."""
    made = list(world.books.made.values())
    _, text = made[-1 - action.a % min(len(made), 3)]
    held = world.wallet.held(text)
    if held is not None and held.intent.preimage is not None:
        merchant, buyer, order_id = world.some_order(action, dice)
        preimage = held.intent.preimage.reveal().hex()
        world.say(world.people(dice).proof(merchant, buyer, order_id, text, preimage), dice)


def _say(world: World, action: Action, dice: Dice) -> None:
    """The merchant's word: mostly for an order of the shop."""
    waiting = list(world.books.made if dice.chance(25) else world.books.at_address)
    intent_id, cause = waiting[action.a % len(waiting)], digest(action.salt)[:32]
    books = world.books
    shop, _ = books.made[intent_id]
    orders = [key for key in books.keys.values() if key.merchant == shop]
    pending = [key for key in orders if books.status.get(key.ref) == OrderStatus.PENDING.value]
    if dice.chance(20) or not orders:
        closing = dice.one_of(tuple(Closing))
        world.command(shop, ClosePayment(intent_id=intent_id, closing=closing, cause=cause))
    else:
        key = dice.one_of(tuple(pending if pending and dice.chance(70) else orders))
        world.command(shop, AssignPayment(intent_id=intent_id, order=key, cause=cause))
