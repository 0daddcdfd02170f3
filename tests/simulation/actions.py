"""What a plan's actions do to a world."""

from __future__ import annotations

from collections.abc import Callable

from schemas import topics
from schemas.freezes import FreezeMerchant
from schemas.inbox import AnswerMessage
from schemas.lnurl_served import order_address
from schemas.messages import CommandBody
from schemas.publishing import KeepDraft, PublishApp, PublishOffer, PublishRelays, WithdrawOffer
from schemas.shops import OpenShop
from schemas.values import OrderKey, SealedDetails
from tests.simulation import address, chain, desk, ecash
from tests.simulation.clock import Dice
from tests.simulation.outside import CHARACTERS, HONEST
from tests.simulation.people import GOODS, HOSTILE, PARCELS, WISHES
from tests.simulation.plan import ADDRESS, LATE_S, Action
from tests.simulation.signers import digest
from tests.simulation.world import World

"""How long after its expiry an invoice may still be paid here; the payments role watches for an hour."""
FLOOD = 40
INSTANCES_MAX = 2


def _turn(world: World, action: Action, dice: Dice) -> None:
    world.turn(world.roles[action.a % len(world.roles)], action.b, dice.one_of((1, 2, 5, 50)))


def _round(world: World, action: Action, dice: Dice) -> None:
    limit = dice.one_of((2, 20, 50))
    for role in world.roles:
        for place in range(max(1, len(world.processes[role]))):
            world.turn(role, place, limit)


def _order(world: World, action: Action, dice: Dice) -> None:
    merchant = world.names[action.a % len(world.names)]
    buyer = world.buyers[action.b % len(world.buyers)]
    order_id = f"o{dice.below(5)}"
    world.say(world.people(dice).order(merchant, buyer, order_id, world.goods[merchant]), dice)
    world.placed.append((merchant, buyer, order_id))


def _pay(world: World, action: Action, dice: Dice) -> None:
    if world.invoices and dice.chance(15):
        _claim(world, action, dice)
    if world.invoices:
        text, place = world.invoices[-1 - action.a % min(len(world.invoices), 4)]
        if ecash.asked_by(text) is not None:
            ecash.post(world, text, place, "good", dice)
            return
        factor = 100 if dice.chance(85) else dice.one_of((50, 150))
        held = world.wallet.held(text)
        in_time = held is not None and world.clock.now_ms // 1_000 < held.intent.expires_at + LATE_S
        if dice.chance(8):
            world.coverage["paid in part"] += world.wallet.pay_part(text, dice.one_of((1, 40, 99)))
            return
        if dice.chance(5):
            world.coverage["taken back"] += world.wallet.take_back(text)
            return
        paid = world.wallet.pay(text, factor, in_time and dice.chance(40))
        world.coverage["paid" if paid else "not payable"] += 1
        if paid:
            world.paid.append(place)
        else:
            world.wallet.ring()


def _receipt(world: World, action: Action, dice: Dice) -> None:
    """A receipt without a proof, or whatever else buyers say of their payments."""
    if dice.chance(40) or not world.invoices:
        world.say(world.people(dice).receipt(*world.some_order(action, dice)), dice)
    else:
        _claim(world, action, dice)


def _claim(world: World, action: Action, dice: Dice) -> None:
    """A proof, or a payment announced: of an order's own invoice, or of another's."""
    people, (merchant, buyer, order_id) = world.people(dice), world.some_order(action, dice)
    text, place = world.invoices[-1 - action.b % min(len(world.invoices), 4)]
    if dice.chance(70):
        merchant, buyer, order_id = place
    if dice.chance(50):
        held = world.wallet.held(text)
        known = held.intent.preimage.reveal().hex() if held and held.intent.preimage else digest("lost")
        preimage = dice.one_of((known, known, digest(action.salt)))
        world.say(people.proof(merchant, buyer, order_id, text, preimage), dice)
    else:
        key = OrderKey(merchant=world.crypto.key(merchant), buyer=world.crypto.key(buyer), order_id=order_id)
        own = ("lightning", order_address(ADDRESS, key.ref))
        lightning = ("lightning", text)
        where = dice.one_of((lightning, lightning, own, ("lightning", "a@example.com"), ("ecash", "x")))
        world.say(people.announced(merchant, buyer, order_id, where), dice)


def _buyer_move(world: World, action: Action, dice: Dice) -> None:
    merchant, buyer, order_id = world.some_order(action, dice)
    wish = dice.one_of(("cancelled", "cancelled", "completed", "completed", *WISHES))
    world.say(world.people(dice).status(merchant, buyer, buyer, order_id, wish), dice)


def _merchant_move(world: World, action: Action, dice: Dice) -> None:
    merchant, buyer, order_id = world.some_order(action, dice)
    wish = dice.one_of(("processing", "processing", "completed", "cancelled", *WISHES))
    world.say(world.people(dice).status(merchant, merchant, buyer, order_id, wish), dice)


def _parcel(world: World, action: Action, dice: Dice) -> None:
    merchant, buyer, order_id = world.some_order(action, dice)
    for _ in range(1 + dice.below(3)):
        world.say(world.people(dice).parcel(merchant, buyer, order_id, dice.one_of(PARCELS)), dice)


def _listing(world: World, action: Action, dice: Dice) -> None:
    if dice.chance(30):
        _prefer(world, world.names[action.a % len(world.names)], dice)
    good = dice.one_of(("tea", "tea", *GOODS))
    visibility = dice.one_of(("on-sale", "on-sale", "on-sale", "hidden", "pre-order"))
    stock = dice.one_of((0, 1, 3, 8, 50, None))
    name = world.names[action.a % len(world.names)]
    world.offer(name, good, stock, dice, visibility)
    if dice.chance(20):
        world.command(world.crypto.key(name), _wish(world, world.crypto.key(name), dice))


def _wish(world: World, shop: str, dice: Dice) -> CommandBody:
    """What a merchant has published from here: listings, with or without stock, deletions, drafts, lists."""
    good, cause = dice.one_of(("tea", "tea", "song")), digest(dice.below(1_000))
    coordinate, draft = f"30402:{shop}:{good}", f"31234:{shop}:{good}"
    match dice.below(8):
        case 0:
            return WithdrawOffer(coordinate=coordinate, cause=cause)
        case 1:
            return KeepDraft(coordinate=draft, of_kind=30402, content=dice.one_of(("AgK1", "AgK2", "")), cause=cause)
        case 2:
            relays = (dice.one_of(tuple(world.relays)),)
            return PublishRelays(kind=10_050, relays=relays, replaces=dice.chance(50), cause=cause)
        case 3:
            app = dice.one_of(((), (("a", f"31990:{shop}:till"),), (("a", f"31990:{digest('app')}:till"),)))
            return PublishApp(coordinate=f"31989:{shop}:30402", tags=(("d", "30402"), *app), cause=cause)
    tags = (("title", good.title()), ("price", dice.one_of(("10", "11")), "SATS"), ("stock", dice.one_of("1357")))
    rules = dice.one_of((("title", "price"), ("title", "price"), ("title", "price", "stock")))
    return PublishOffer(
        coordinate=coordinate,
        tags=tuple(tag for tag in tags if tag[0] in rules),
        rules=rules,
        draft=dice.one_of((None, None, draft)),
        cause=cause,
    )


def _prefer(world: World, merchant: str, dice: Dice) -> None:
    for text in world.people(dice).preferences(merchant, ecash.listed_key(world, merchant)):
        world.say(text, dice)


def _option(world: World, action: Action, dice: Dice) -> None:
    countries = dice.one_of((("DE",), ("US", "DE"), ("US",)))
    world.say(world.people(dice).option(world.names[action.a % len(world.names)], countries), dice)


def _delete(world: World, action: Action, dice: Dice) -> None:
    merchant = world.names[action.a % len(world.names)]
    shop = world.crypto.key(merchant)
    address = dice.one_of((f"30402:{shop}:tea", f"30402:{shop}:vase", f"30406:{shop}:post"))
    world.say(world.people(dice).deletion(merchant, address), dice)


def _review(world: World, action: Action, dice: Dice) -> None:
    merchant, buyer = world.names[action.a % len(world.names)], world.buyers[action.b % len(world.buyers)]
    good = dice.one_of(("tea", "song"))
    if dice.below(10) == 0:
        good = "nothing"
    author = merchant if dice.below(12) == 0 else buyer
    world.say(world.people(dice).review(merchant, author, good), dice)
    if dice.below(12) == 0:
        shop = world.crypto.key(merchant)
        denied = (world.crypto.key(buyer),) if dice.chance(50) else ()
        world.command(shop, OpenShop(settings=world.settings.model_copy(update={"denied": denied})))


def _unreview(world: World, action: Action, dice: Dice) -> None:
    merchant, buyer = world.names[action.a % len(world.names)], world.buyers[action.b % len(world.buyers)]
    world.say(world.people(dice).unreview(merchant, buyer, dice.one_of(("tea", "song"))), dice)


def _letter(world: World, action: Action, dice: Dice) -> None:
    """A buyer or the merchant writes, mostly about an order of theirs."""
    merchant, buyer, order_id = world.some_order(action, dice)
    author = merchant if dice.chance(25) else buyer
    words = dice.one_of(("Where is it?", "I want 2", "thanks"))
    text, rumor_id = world.people(dice).letter(merchant, author, buyer, order_id if dice.chance(60) else "", words)
    world.say(text, dice)
    world.letters.append((merchant, buyer, rumor_id))


def _unsay(world: World, action: Action, dice: Dice) -> None:
    """Somebody takes a message back, mostly one of their own conversation."""
    if not world.letters:
        return
    merchant, buyer, rumor_id = world.letters[-1 - action.a % min(len(world.letters), 4)]
    author = merchant if dice.chance(20) else buyer if dice.chance(80) else world.buyers[action.b % len(world.buyers)]
    world.say(world.people(dice).unsay(merchant, author, buyer, rumor_id), dice)


def _answer(world: World, action: Action, dice: Dice) -> None:
    """The operator answers somebody, now and then about an order that is not there."""
    merchant, buyer, order_id = world.some_order(action, dice)
    shop = world.crypto.key(merchant)
    wish = AnswerMessage(
        buyer=world.crypto.key(buyer),
        name=digest("answer", dice.below(12))[:32],
        text=SealedDetails(key_id="answer", box="c2VhbGVk"),
        order_id=order_id if dice.chance(50) else None,
        answers=world.letters[-1][2] if world.letters and dice.chance(50) else None,
    )
    world.command(shop, wish)


def _pass(world: World, action: Action, dice: Dice) -> None:
    world.clock.advance(dice.one_of((200, 600, 1_500, 5_000, 20_000)))


def _wait(world: World, action: Action, dice: Dice) -> None:
    world.clock.advance(dice.one_of((120, 400, 930, 1_000, 1_300, 4_000)) * 1_000)
    if dice.below(12) == 0:
        world.clock.advance(50 * 3_600_000)


def _replay(world: World, action: Action, dice: Dice) -> None:
    if world.texts:
        event_id, text = world.texts[action.a % len(world.texts)]
        world.put_raw(event_id, text)


def _hostile(world: World, action: Action, dice: Dice) -> None:
    merchant, buyer = world.names[action.b % len(world.names)], world.buyers[action.a % len(world.buyers)]
    which = dice.below(len(HOSTILE))
    world.say(world.people(dice).hostile(merchant, buyer, which), dice)


def _poison(world: World, action: Action, dice: Dice) -> None:
    world.put_command(world.crypto.key(world.names[0]), dice.one_of((b"\x00", b"", b"{}", b'{"v":1,"id":"x"}')))


def _kill(world: World, action: Action, dice: Dice) -> None:
    running = world.processes[world.roles[action.a % len(world.roles)]]
    if running:
        world.coverage["kill"] += 1
        world.bury(running[action.b % len(running)])


def _crash(world: World, action: Action, dice: Dice) -> None:
    world.armed[world.roles[action.a % len(world.roles)]] = action.b % 7


def _pause(world: World, action: Action, dice: Dice) -> None:
    """A process stops answering; the group gives its partitions away, and it learns that late."""
    running = world.processes[world.roles[action.a % len(world.roles)]]
    if running and not running[0].asleep:
        process = running[0]
        process.asleep = 2 + action.b % 4
        world.coverage["pause"] += 1
        for consumer in process.group_members:
            if consumer.group is not None and consumer in consumer.group.members:
                consumer.group.members.remove(consumer)
                if consumer.group.members:
                    world.deal(consumer)


def _join(world: World, action: Action, dice: Dice) -> None:
    role = world.roles[action.a % len(world.roles)]
    if role != "ingest" and len(world.processes[role]) < INSTANCES_MAX:
        world.start(role)


def _forget_position(world: World, action: Action, dice: Dice) -> None:
    group = f"ncc-{world.roles[action.a % len(world.roles)]}"
    for place in [place for place in world.broker.positions if place[0] == group]:
        del world.broker.positions[place]


def _stale(world: World, action: Action, dice: Dice) -> None:
    """What was fetched before a rebalance is handed over after it."""
    for process in world.processes["decider"]:
        for consumer in process.group_members:
            for number in consumer.held:
                consumer.stale[number] = action.b % (len(world.broker.log(topics.COMMANDS.name, number).entries) + 1)


def _fail_transaction(world: World, action: Action, dice: Dice) -> None:
    for process in world.processes["decider"]:
        process.wire.fail_next = dice.one_of(("before", "after"))


def _relay(world: World, action: Action, dice: Dice) -> None:
    relays = list(world.relays.values())
    relay = relays[action.a % len(relays)]
    relay.character = action.b % len(CHARACTERS) if dice.chance(60) else HONEST
    world.coverage[f"relay {CHARACTERS[relay.character]}"] += 1


def _rates(world: World, action: Action, dice: Dice) -> None:
    world.has_rates = not world.has_rates


def _skew(world: World, action: Action, dice: Dice) -> None:
    role = world.roles[action.a % len(world.roles)]
    most = 600_000 if role == "ingest" else 3_600_000
    for process in world.processes[role]:
        process.skew_ms = dice.one_of((-most, 0, most))


def _wallet_forgets(world: World, action: Action, dice: Dice) -> None:
    world.wallet.forget(action.a)


def _forge(world: World, action: Action, dice: Dice) -> None:
    """One buyer speaks in another's name, or about another's order."""
    merchant, _, order_id = world.some_order(action, dice)
    other = world.buyers[action.b % len(world.buyers)]
    world.say(world.people(dice).status(merchant, other, other, order_id, "cancelled"), dice)


def _flood(world: World, action: Action, dice: Dice) -> None:
    merchant = world.names[action.a % len(world.names)]
    for number in range(FLOOD if dice.below(10) == 0 else 1):
        world.clock.advance(1_000)
        wish = WISHES[number % len(WISHES)]
        world.say(world.people(dice).status(merchant, world.buyers[0], world.buyers[0], "never placed", wish), dice)


def _past(world: World, action: Action, dice: Dice) -> None:
    merchant, buyer = world.names[action.a % len(world.names)], world.buyers[action.b % len(world.buyers)]
    world.say(world.people(dice).past(merchant, buyer), dice)


def _freeze(world: World, action: Action, dice: Dice) -> None:
    world.coverage["freeze"] += 1
    body = FreezeMerchant(code="operator", reason="drawn", cause=digest(action.salt)[:32])
    world.command(world.crypto.key(world.names[action.a % len(world.names)]), body)


def _thaw(world: World, action: Action, dice: Dice) -> None:
    world.thaw(world.names[action.a % len(world.names)])


Act = Callable[[World, Action, Dice], None]

ACTIONS: dict[str, Act] = {
    "turn": _turn,
    "round": _round,
    "order": _order,
    "pay": _pay,
    "receipt": _receipt,
    "buyer_move": _buyer_move,
    "merchant_move": _merchant_move,
    "operator_move": desk.operator_move,
    "give_back": desk.give_back,
    "over_address": address.over_address,
    "on_chain": chain.on_chain,
    "hand_in": ecash.hand_in,
    "change_mint": ecash.change_mint,
    "parcel": _parcel,
    "listing": _listing,
    "option": _option,
    "delete": _delete,
    "review": _review,
    "unreview": _unreview,
    "letter": _letter,
    "unsay": _unsay,
    "answer": _answer,
    "pass": _pass,
    "wait": _wait,
    "replay": _replay,
    "hostile": _hostile,
    "poison": _poison,
    "kill": _kill,
    "crash": _crash,
    "pause": _pause,
    "join": _join,
    "forget_position": _forget_position,
    "stale": _stale,
    "fail_transaction": _fail_transaction,
    "relay": _relay,
    "rates": _rates,
    "skew": _skew,
    "wallet_forgets": _wallet_forgets,
    "forge": _forge,
    "flood": _flood,
    "past": _past,
    "freeze": _freeze,
    "thaw": _thaw,
}
