"""Ecash in a history: a mint with moods, the product's own wallet of it, and buyers who hand tokens in, good and bad.

The wallet's book is a file that outlives every process, as it does in a home; the mint answers without a socket.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import httpx

from schemas.cashu.blinding import hash_to_curve, sign_blinded
from schemas.cashu.keysets import Keyset, keyset_id_v2, make_up
from schemas.cashu.locks import write_lock
from schemas.cashu.requests import EcashRequest, read_request
from schemas.cashu.tokens import SAT, Proof, Token, write_token
from schemas.ecash import HandInToken
from schemas.nostr.secp256k1 import base_point
from schemas.values import Origin, SealedDetails
from services.payments import cashu_outputs
from services.payments.cashu import EcashWallet
from services.payments.cashu_book import Book
from services.payments.cashu_mint import Mint
from services.payments.port import Intent, PaymentRequest, Rejected
from tests.simulation.clock import Clock, Dice
from tests.simulation.loop import Killed, Loop
from tests.simulation.plan import Action, Rail
from tests.simulation.signers import digest
from tests.simulation.wallet import Wallet
from tests.support.scripted_mint import ScriptedMint

if TYPE_CHECKING:
    from tests.simulation.world import World

DOOR = "https://shop.example/ecash"
ANOTHER_KEY = base_point(b"\x05" * 32).hex()
POWERS = 18
WELL, DOWN, SLOW, LOSES, KILLS = range(5)
MOODS = ("well", "down", "slow", "loses its answer", "kills who asks")
"""How a mint is: what it lost it had carried out, and who is killed hears of nothing."""
FEES = (0, 0, 0, 100)
KINDS = (
    *("good",) * 4,
    *("half",) * 5,
    *("spent", "foreign", "race") * 2,
    *("other",) * 4,
    *("over", "again", "locked"),
)
"""What tokens are handed in."""


@lru_cache(maxsize=100)
def _keys(number: int, fee_ppk: int) -> tuple[dict[int, bytes], Keyset]:
    """A mint's keyset, private and public: reckoned once, as every history's mint begins with the same one."""
    private = {2**n: bytes.fromhex(digest("mint", number, n)) for n in range(POWERS)}
    public = {amount: base_point(k) for amount, k in private.items()}
    return private, Keyset(keyset_id_v2(public, SAT, fee_ppk), SAT, True, public, fee_ppk)


class SimMint(ScriptedMint):
    """A mint that keeps to the NUTs, whose ecash follows from names alone."""

    def rotate(self, fee_ppk: int = 0) -> Keyset:
        """Have another keyset; the ones before sign no more."""
        for name, old in self.keysets.items():
            self.keysets[name] = replace(old, is_active=False)
        private, keyset = _keys(len(self.keysets), fee_ppk)
        self.private[keyset.id], self.keysets[keyset.id] = private, keyset
        return keyset

    def ecash(self, sats: int, name: str, lock_key: str | None = None) -> Token:
        """Ecash of so many sats that somebody has; locked or not."""
        keyset, proofs = self.active, []
        for place, amount in enumerate(make_up(sats, keyset)):
            nonce = digest("ecash", name, place)
            secret = nonce if lock_key is None else write_lock(lock_key, nonce[:32])
            signature = sign_blinded(hash_to_curve(secret.encode()), self.private[keyset.id][amount])
            proofs.append(Proof(amount, keyset.id[:16], secret, signature.hex()))
        return Token(self.url, SAT, tuple(proofs))


class EcashSide:
    """The mint, every shop's book of ecash, and the tokens that buyers have handed in."""

    def __init__(self, seed: int, clock: Clock, wallet: Wallet, coverage: Counter[str], memory: str | None) -> None:
        self._seed, self._clock, self._wallet, self._coverage = seed, clock, wallet, coverage
        self._folder = TemporaryDirectory(prefix="ncc-simulated-", dir=memory)
        self._books: dict[str, Book] = {}
        self._made = 0
        self._boxes: dict[str, str] = {}
        self.mint, self.mood = SimMint(), WELL
        self._calls = Mint(self.mint.url, httpx.MockTransport(self._answer))
        self.handed: list[Token] = []
        self.races: list[Token] = []
        """Tokens whose buyers will spend them elsewhere as well."""

    def close(self) -> None:
        """Let go of the files."""
        for book in self._books.values():
            book.close()
        self._folder.cleanup()

    def book(self, merchant: str) -> Book:
        """A shop's book."""
        if merchant not in self._books:
            self._books[merchant] = Book(Path(self._folder.name) / f"{merchant[:16]}.db", seed_of(merchant))
        return self._books[merchant]

    def account(self, merchant: str) -> SimEcash:
        """A shop's wallet, as one process has it."""
        return SimEcash([self._calls], self.book(merchant), seed_of(merchant), self._wallet, self._clock)

    def token(self, sats: int, lock_key: str | None = None) -> Token:
        """Ecash that somebody has."""
        self._made += 1
        return self.mint.ecash(sats, f"{self._seed}:{self._made}", lock_key)

    def sealed(self, token: Token) -> SealedDetails:
        """The box of a token, as the buyers' door makes it."""
        box = b64encode(f"token {token.digest[:16]}".encode()).decode()
        self._boxes[box] = write_token(token)
        return SealedDetails(key_id=f"token:{token.digest[:16]}", box=box)

    def opened(self, merchant: str, sealed: SealedDetails) -> str | None:
        """What is in a box."""
        return self._boxes.get(sealed.box)

    def signed_sats(self) -> int:
        """All that the mint has signed for its swaps: nobody but the shops swaps with it."""
        return sum(said["amount"] for said in self.mint.signed.values())

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        mood = self.mood
        if mood == DOWN:
            self._coverage[f"mint {MOODS[DOWN]}"] += 1
            raise httpx.ConnectError("drawn: down")
        signed = len(self.mint.signed)
        answer = self.mint.answer(request)
        if len(self.mint.signed) > signed:
            self._coverage[f"mint {MOODS[mood]}"] += 1
            if mood == SLOW:
                await asyncio.sleep(2.0)
            if mood == LOSES:
                raise httpx.ReadTimeout("drawn: no answer")
            if mood == KILLS:
                self.mood = WELL
                loop = asyncio.get_running_loop()
                assert isinstance(loop, Loop)
                loop.dead = True
                raise Killed
        elif mood == LOSES and request.url.path == "/v1/restore":
            raise httpx.ReadTimeout("drawn: no answer")
        return answer


class SimEcash(EcashWallet):
    """The product's wallet, by the history's clock; what it turns down for good is noted."""

    def __init__(self, mints: list[Mint], book: Book, seed: bytes, wallet: Wallet, clock: Clock) -> None:
        super().__init__(mints, book, seed, post_to=DOOR, clock=clock.time)
        self._turned_down = wallet.turned_down

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """The request of the intent's reference."""
        try:
            return await super().ensure(intent, timeout_s=timeout_s)
        except Rejected:
            self._turned_down.add(intent.intent_id)
            raise


def seed_of(merchant: str) -> bytes:
    """A shop's own: no two shops ask a mint for the same outputs."""
    return bytes.fromhex(digest("ecash", merchant))


def listed_key(world: World, name: str) -> str:
    """The key that a shop's mint list (10019) names: its own wallet's, and anybody's where it takes no ecash."""
    if world.rail_of(name) is not Rail.ECASH:
        return "d7" * 32
    return cashu_outputs.lock_key(seed_of(world.crypto.key(name))).public_key


def asked_by(text: str) -> tuple[str, EcashRequest] | None:
    """The intent and the words of a request for ecash; None for any other text."""
    if not text.startswith("creq"):
        return None
    request = read_request(text)
    return (request.post_to or "").rpartition("/")[2], request


def hand_in(world: World, action: Action, dice: Dice) -> None:
    """A buyer posts a token for a request: mostly a good one."""
    side = world.ecash
    shown = [(text, place) for text, place in world.invoices if text.startswith("creq")]
    if side is None or not shown:
        return
    if side.races and dice.chance(50):
        side.mint.spend(side.races.pop(0))
    live = world.books.live_intents()
    texts = {one.text for one in world.books.shown.values() if one.intent_id in live}
    awaited = [one for one in shown if one[0] in texts]
    chosen = awaited if awaited and dice.chance(75) else shown
    text, place = chosen[-1 - action.a % min(len(chosen), 6)]
    kind = dice.one_of(KINDS)
    post(world, text, place, kind, dice)


def post(world: World, text: str, place: tuple[str, str, str], kind: str, dice: Dice) -> None:
    """A token of one kind, for what a text asks for."""
    side, asked = world.ecash, asked_by(text)
    assert side is not None
    assert asked is not None
    intent, request = asked
    sats = request.amount or 1
    match kind:
        case "half":
            token = side.token(max(1, sats // 2))
        case "over":
            token = side.token(sats + 5)
        case "foreign":
            token = replace(side.token(sats), mint="https://other.example")
        case "locked":
            token = side.token(sats, ANOTHER_KEY)
        case "again" | "other" if side.handed:
            token = side.handed[-1 if kind == "again" else dice.below(len(side.handed))]
        case _:
            token = side.token(sats, request.lock_key if dice.chance(60) else None)
    if kind == "spent":
        side.mint.spend(token)
    if kind == "race":
        side.races.append(token)
    if kind == "other" and dice.chance(20):
        intent = digest("nobody's", dice.below(3))
    side.handed.append(token)
    world.paid.append(place)
    body = HandInToken(intent_id=intent, token_id=token.digest, sealed=side.sealed(token))
    world.command(world.crypto.key(place[0]), body, Origin.DOOR)


def change_mint(world: World, action: Action, dice: Dice) -> None:
    """The mint's mood, or its keyset, is another one from now on."""
    if world.ecash is None:
        return
    if dice.chance(20):
        world.ecash.mint.rotate(dice.one_of(FEES))
        world.coverage["mint has another keyset"] += 1
    else:
        world.ecash.mood = dice.one_of((WELL, WELL, DOWN, SLOW, LOSES, KILLS, KILLS))
        world.coverage[f"mint is {MOODS[world.ecash.mood]}"] += 1
