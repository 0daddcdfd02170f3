"""What ecash comes to at the end of a history: the mint, the shops' books and the journal say the same of every sat."""

from __future__ import annotations

from services.payments.port import reference
from tests.simulation.ecash import asked_by
from tests.simulation.plan import Rail
from tests.simulation.rules import Breach
from tests.simulation.world import World


def intents_in_ecash(world: World) -> set[str]:
    """The orders' payments that are asked for in ecash."""
    shops = {world.crypto.key(name) for name in world.names if world.rail_of(name) is Rail.ECASH}
    return {intent_id for intent_id, wanted in world.books.wanted.items() if wanted.order.merchant in shops}


def every_token_has_its_outcome(world: World) -> None:
    """I5: a token that was handed in was taken for its request, or refused; and all that was taken is entered."""
    side, books = world.ecash, world.books
    if side is None:
        return
    for (intent_id, token_id), reason in books.tokens.items():
        shop = books.wanted[intent_id].order.merchant
        known = side.book(shop).handed(token_id)
        is_taken = known is not None and known.state == "taken" and known.reference == reference(intent_id)
        if is_taken == bool(reason):
            said = f"was refused, {reason}," if reason else "was handed in"
            raise Breach(f"I5: token {token_id[:8]} {said} and its mint and the shop's book say otherwise")
        world.coverage["token taken"] += is_taken
    for intent_id in intents_in_ecash(world):
        asked = side.book(books.wanted[intent_id].order.merchant).asked(reference(intent_id))
        got_msat = 1_000 * asked.got if asked is not None else 0
        if books.got[intent_id] != got_msat:
            raise Breach(f"I5: the journal has {books.got[intent_id]} msat for intent {intent_id[:8]}, not {got_msat}")
        requested = books.requested.get(intent_id)
        shown = asked_by(requested.text) if requested is not None else None
        if requested is not None and (shown is None or asked is None or shown[1].amount != asked.amount):
            raise Breach(f"I5: the buyer was shown another request than intent {intent_id[:8]} has")
    held = sum(sum(side.book(world.crypto.key(name)).held().values()) for name in world.names)
    if held != side.signed_sats():
        raise Breach(f"I5: the mint signed {side.signed_sats()} sats for the shops, and they hold {held}")
