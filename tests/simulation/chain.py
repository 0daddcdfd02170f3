"""Money on the chain: an account whose money is on its way for a while, and payers who take theirs back."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from schemas import bip21
from schemas.bolt11 import Network
from schemas.payments import BackendState, Method
from schemas.values import MSAT_PER_SAT
from services.payments import chain, chain_keys
from services.payments.port import BackendRef, Intent, PaymentRequest, Unsupported
from tests.simulation.clock import Dice
from tests.simulation.plan import LATE_S, Action
from tests.simulation.wallet import WAY_S, Account

if TYPE_CHECKING:
    from tests.simulation.world import World

KEY = "tpubDD7tXK8KeQ3YY83yWq755fHY2JW8Ha8Q765tknUM5rSvjPcGWfUppDFMpQ1ScziKfW3ZNtZvAD7M3u7bSs7HofjTD3KP3YxPK7X6hwV8Rk2"
"""An account's public key, which is nobody's."""


@lru_cache(maxsize=1_000)
def address(number: int) -> str:
    """Address number so many of the account; reckoned once, as histories begin at the first one."""
    return chain_keys.read_account(KEY).address(number, Network.REGTEST)


networks_of = lru_cache(maxsize=1_000)(chain_keys.networks_of)
"""The product's own rule, asked once about each address."""


class ChainAccount(Account):
    """One merchant's account on the chain: every request has an address of its own, which nobody can cancel."""

    method = Method.BITCOIN
    evidence = "bitcoin"
    capabilities = chain.CAPABILITIES

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """The one request for this intent."""
        if intent.method is not Method.BITCOIN:
            raise Unsupported(f"an address cannot be paid by {intent.method}")
        return await super().ensure(intent, timeout_s=timeout_s)

    def _ref(self, intent: Intent) -> str:
        return address(sum(held.is_slow for held in self._wallet.by_ref.values()))

    def _write(self, intent: Intent, ref: str, amount_msat: int) -> str:
        return bip21.write(bip21.ChainRequest(ref, amount_msat // MSAT_PER_SAT, "An order"))

    async def cancel(self, ref: BackendRef, *, timeout_s: float) -> None:
        """An address can be paid for ever."""
        raise Unsupported("no cancelling")


def on_chain(world: World, action: Action, dice: Dice) -> None:
    """What is next on the chain: mostly what is on its way arrives or is taken back, else somebody pays."""
    wallet, books = world.wallet, world.books
    now_s = world.clock.now_ms // 1_000
    coming = wallet.slow()
    if coming and dice.chance(60):
        held = coming[-1 - action.a % len(coming)]
        if now_s < held.intent.expires_at + WAY_S and dice.chance(70):
            wallet.arrive(held)
        else:
            world.coverage["money vanished"] += 1
            world.coverage["money seen, then vanished"] += held.intent.intent_id in books.seen
            world.coverage["money in a lost block, then gone"] += held.doubted_msat > 0
            wallet.vanish(held)
        return
    asked = {
        text: (one, place) for text, place in world.invoices if (one := wallet.held(text)) is not None and one.is_slow
    }
    if not asked:
        return
    live = books.live_intents()
    awaited = [text for text, (one, _) in asked.items() if one.intent.intent_id in live]
    shown = awaited if awaited and dice.chance(75) else list(asked)
    text = shown[-1 - action.a % min(len(shown), 4)]
    found, place = asked[text]
    if found.state in (BackendState.SETTLED, BackendState.PARTIAL) and dice.chance(30):
        world.coverage["money in a lost block"] += 1
        wallet.reorganise(found)
        return
    is_late = now_s < found.intent.expires_at + LATE_S and dice.chance(40)
    if wallet.pay(text, 100 if dice.chance(80) else dice.one_of((50, 150)), is_late):
        world.coverage["money sent"] += 1
        world.paid.append(place)
