"""A token that a message brings, from the wrap to the money: read, sealed, decided, swapped, and told (PAY-11).

Every part is the product's own; only Kafka between them and the mint are the tests'.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from schemas.cashu.requests import EcashRequest, read_request
from schemas.cashu.tokens import Token, write_token
from schemas.catalogue import RecordListing
from schemas.codec import encode
from schemas.ecash import TokenHandedIn, TokenRefused
from schemas.market.mints import read_mints
from schemas.messages import Command, JournalRecord
from schemas.nostr.nip01 import to_json
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.nip19 import Profile, decode_nprofile, encode_nprofile
from schemas.nostr.secp256k1 import SecretKey
from schemas.orders import OrderPlaced, OrderStatus
from schemas.payments import PaymentAxis, PaymentRequested, PaymentSettled
from schemas.preferences import RecordPreference
from schemas.replies import ReplyPromised, TextReply
from schemas.values import SealedDetails
from services.demo.wallets.ecash_purse import payload
from services.payments import token_taking
from services.payments.cashu import EcashWallet
from services.payments.cashu_book import Book
from services.payments.cashu_mint import Mint
from services.payments.role import PaymentsRole
from services.vault import Vault
from streams.domain.decide import decide
from streams.domain.evolve import evolve
from streams.domain.projections import RowKey, fold
from streams.domain.shop import Order, Shop
from streams.raw import Commands, Raw
from streams.reading import Reader
from tests.schemas.nostr import given as people
from tests.services.payments.ecash_laws import SEED
from tests.streams.test_direct import DirectKeeper
from tests.support.builders import a_command, a_listing, a_rate, an_event
from tests.support.scripted_mint import URL, ScriptedMint
from tests.support.till import until

MERCHANT, BUYER = people.MERCHANT.public_key, people.BUYER
RELAY = "wss://relay.example"
OTHER = SecretKey(b"\x07" * 32)


class Counter:
    """A shop with its intake, its decider and its payments; nothing between them is lost."""

    def __init__(self, folder: Path) -> None:
        self.mint, self.vault, self.shop = ScriptedMint(), Vault(folder / "vault.db"), Shop(MERCHANT)
        self.journal: list[JournalRecord] = []
        nostr_to = encode_nprofile(Profile(MERCHANT, (RELAY,)))
        mints = [Mint(URL, self.mint.transport)]
        self.wallet = EcashWallet(mints, Book(folder / "ecash.db", SEED), SEED, nostr_to=nostr_to)
        self.role = PaymentsRole(lambda _: self.wallet, b"\x01" * 32, self.say, open_token=self.opened)
        self.reader = Reader(lambda key: 0 if key == MERCHANT else None, DirectKeeper(), self.vault)

    def opened(self, merchant: str, sealed: SealedDetails) -> str | None:
        return self.vault.text(merchant, sealed)

    async def say(self, command: Command) -> None:
        """Decide it, fold it, and let the payments role read what follows."""
        events = decide(self.shop, command, a_rate())
        if not events:
            return
        for event in events:
            evolve(self.shop, event, command.at_ms)
        seq = len(self.journal) + 1
        record = JournalRecord(
            seq=seq, covers=seq, merchant=MERCHANT, at_ms=command.at_ms, cause=command.source, events=events
        )
        self.journal.append(record)
        await self.role.take(0, seq, record)

    async def hear(self, kind: int, *tags: tuple[str, ...], content: str = "", author: SecretKey = BUYER) -> None:
        """A message in a wrap, as a relay brings it."""
        now_s = int(time.time())
        rumor = make_rumor(author.public_key, now_s, kind, (("p", MERCHANT), *tags), content)
        text = to_json(people.wrapped(people.as_rumor_fields(rumor), author)).encode()
        reading = self.reader.read(Raw(text, RELAY, now_s * 1_000))
        assert isinstance(reading, Commands)
        for command in reading.commands:
            await self.say(command)

    async def list_mints(self, *mints: str, key: str | None = None) -> None:
        """The merchant's mint list (10019)."""
        tags = [("mint", url) for url in mints] + ([("pubkey", key)] if key else [])
        event = an_event(10019, *tags, author=MERCHANT)
        await self.say(a_command(RecordPreference(preference=read_mints(event)), merchant=MERCHANT))

    async def ordered(self) -> EcashRequest:
        """The tea is ordered, and its buyer shown what to pay."""
        listing = a_listing("tea", "21", stock=5).model_copy(update={"coordinate": f"30402:{MERCHANT}:tea"})
        await self.say(a_command(RecordListing(listing=listing), merchant=MERCHANT))
        await self.hear(16, ("type", "1"), ("order", "o-1"), ("item", listing.coordinate, "1"), ("amount", "21"))
        await until(lambda: self.of(PaymentRequested))
        return read_request(self.of(PaymentRequested)[0].text)

    def of[T](self, kind: type[T]) -> list[T]:
        return [event for record in self.journal for event in record.events if isinstance(event, kind)]

    @property
    def order(self) -> Order:
        found = self.shop.order(self.of(OrderPlaced)[0].order)
        assert found is not None
        return found

    def attention(self) -> str:
        """Why the merchant's list of orders says that ecash was not taken."""
        rows: dict[RowKey, object] = {}
        for record in self.journal:
            rows.update(fold(record, 0, rows.get))  # type: ignore[arg-type]
        return str(rows[RowKey("orders", self.order.key.ref)].token_refused)  # type: ignore[attr-defined]

    def told(self) -> list[str]:
        return [one.reply.text for one in self.of(ReplyPromised) if isinstance(one.reply, TextReply)]

    async def close(self) -> None:
        await self.role.close()
        await self.wallet.close()
        self.vault.close()


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_taking, "PAUSE_FIRST_S", 0.01)


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter]:
    counter = Counter(tmp_path)
    await counter.role.begin(0)
    await counter.role.caught_up(0)
    yield counter
    await counter.close()


def in_a_receipt(token: Token, _: EcashRequest) -> dict[str, object]:
    return {"kind": 17, "tags": (("order", "o-1"), ("payment", "ecash", URL, write_token(token)))}


def in_the_buyers_own_request(token: Token, _: EcashRequest) -> dict[str, object]:
    paid = ("payment", "ecash", URL, write_token(token))
    return {"kind": 16, "tags": (("type", "2"), ("order", "o-1"), ("amount", "21"), paid)}


def alone(token: Token, _: EcashRequest) -> dict[str, object]:
    return {"kind": 14, "content": write_token(token)}


def from_a_wallet(token: Token, asked: EcashRequest) -> dict[str, object]:
    return {"kind": 14, "content": payload(asked.id or "", token), "author": OTHER}


WAYS = [in_a_receipt, in_the_buyers_own_request, alone, from_a_wallet]


async def send(counter: Counter, way: Callable[..., dict[str, object]], token: Token, asked: EcashRequest) -> None:
    said = way(token, asked)
    tags, content, author = said.get("tags", ()), said.get("content", ""), said.get("author", BUYER)
    await counter.hear(said["kind"], *tags, content=content, author=author)  # type: ignore[arg-type,misc]


@pytest.mark.req("PAY-11")
@pytest.mark.parametrize("way", WAYS)
async def test_a_token_in_a_message_pays_its_order_once_it_was_swapped(
    counter: Counter, way: Callable[..., dict[str, object]]
) -> None:
    """However it is sent; its text is nowhere in the journal, and the same message again is nothing."""
    await counter.list_mints(URL, key=counter.wallet.lock_key)
    asked = await counter.ordered()
    assert (asked.mints, asked.lock_key, asked.amount) == ((URL,), counter.wallet.lock_key, 21)
    assert decode_nprofile(asked.nostr_to or "") == Profile(MERCHANT, (RELAY,))
    token = counter.mint.token(21, asked.lock_key)
    for _ in range(2):
        await send(counter, way, token, asked)
    await until(lambda: counter.order.status is OrderStatus.CONFIRMED)
    await send(counter, way, token, asked)
    assert len(counter.of(TokenHandedIn)) == 1
    assert [one.gross_msat for one in counter.of(PaymentSettled)] == [21_000]
    assert counter.of(TokenRefused) == []
    journal = b"".join(encode(record) for record in counter.journal)
    assert not any(proof.secret.encode()[:40] in journal for proof in token.proofs)


@pytest.mark.req("PAY-11")
@pytest.mark.case("F10")
@pytest.mark.parametrize("way", WAYS)
async def test_a_token_that_was_spent_is_reported_and_then_its_buyer_reads_that_it_failed(
    counter: Counter, way: Callable[..., dict[str, object]]
) -> None:
    """The order waits for its money as before."""
    asked = await counter.ordered()
    token = counter.mint.token(21)
    counter.mint.spend(token)
    await send(counter, way, token, asked)
    stages = [counter.order.payment]
    await until(lambda: counter.of(TokenRefused))
    assert [*stages, counter.order.payment] == [PaymentAxis.REPORTED, PaymentAxis.REQUESTED]
    assert [text for text in counter.told() if "(spent)" in text]
    assert counter.of(PaymentSettled) == []


@pytest.mark.req("PAY-11")
@pytest.mark.case("F8")
@pytest.mark.parametrize("is_listed", [True, False])
async def test_a_token_of_a_mint_that_is_not_listed_is_not_swapped_and_the_merchant_is_told(
    counter: Counter, is_listed: bool
) -> None:
    """Neither with a mint list nor without one is a mint called that the shop did not name."""
    if is_listed:
        await counter.list_mints(URL)
    asked = await counter.ordered()
    evil = ScriptedMint("https://evil.example")
    await send(counter, alone, evil.token(21), asked)
    await until(lambda: counter.of(TokenRefused))
    assert counter.attention() == "foreign_mint"
    assert [text for text in counter.told() if "(foreign_mint)" in text]
    assert evil.calls == []
    assert not any(path == "/v1/swap" for path, _ in counter.mint.calls)
    await send(counter, alone, counter.mint.token(21), asked)
    await until(lambda: counter.order.status is OrderStatus.CONFIRMED)
    assert counter.attention() == ""


@pytest.mark.req("PAY-11")
@pytest.mark.case("F9")
async def test_a_token_that_is_not_locked_to_the_listed_key_is_not_swapped(counter: Counter) -> None:
    """Its buyer reads why, and may send it locked."""
    await counter.list_mints(URL, key=counter.wallet.lock_key)
    asked = await counter.ordered()
    await send(counter, in_a_receipt, counter.mint.token(21), asked)
    await until(lambda: counter.of(TokenRefused))
    assert counter.attention() == "not_locked"
    assert not any(path == "/v1/swap" for path, _ in counter.mint.calls)
