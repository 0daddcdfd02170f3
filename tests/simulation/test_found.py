"""What simulated histories found in the product, each as the short story it was; the cures are in the roles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from schemas.freezes import FreezeMerchant
from schemas.payments import BackendState
from tests.simulation.clock import Dice
from tests.simulation.patches import installed
from tests.simulation.plan import Config
from tests.simulation.world import World

CALM = Config(
    seed=1,
    partitions=1,
    merchants=1,
    buyers=1,
    relays=1,
    as_bytes=False,
    is_real=False,
    has_metrics=False,
    has_ingest=False,
    has_checkpoints=False,
    holds_sends=0,
    lazy=0,
    wallet_fails=0,
    wallet_loses=0,
    wallet_lies=0,
    wallet_rejects=0,
    store_fails=0,
    own_copies=0,
)


@pytest.fixture
def world() -> Iterator[World]:
    """A shop that sells tea, with nothing wrong."""
    world = World(CALM, Counter())
    with installed(world.clock, as_bytes=False, is_real=False):
        world.is_healed = True
        world.offer("m0", "tea", 50, Dice(1))
        world.settle()
        yield world
        world.close()


def order(world: World, name: str) -> str:
    """Order a tea; gives the invoice the buyer is shown."""
    shop = world.crypto.key("m0")
    tags = (("p", shop), ("type", "1"), ("order", name), ("amount", "10"), ("item", f"30402:{shop}:tea", "1"))
    known = len(world.invoices)
    world.say(world.people(Dice(1)).private("b0", "m0", 16, tags), Dice(1))
    world.settle()
    assert len(world.invoices) == known + 1
    return world.invoices[-1][0]


def pay_unseen(world: World, invoice: str) -> None:
    """Pay while no payments role runs, so that nobody hears of it."""
    for process in list(world.processes["payments"]):
        world.bury(process)
    assert world.wallet.pay(invoice, 100, when_late=True)


@pytest.mark.case("P5", "P37")
@pytest.mark.parametrize("wait_s", [30, 1_300, 7_000, 200_000])
def test_money_that_came_while_payments_was_down_is_seen_however_late_it_starts(world: World, wait_s: int) -> None:
    """A request that a buyer was shown is looked up at least once, even when its time was over long before."""
    invoice = order(world, "o1")
    pay_unseen(world, invoice)
    world.clock.advance(wait_s * 1_000)
    world.settle()

    assert [settled.gross_msat for settled in world.books.settled.values()] == [10_000]


@pytest.mark.case("P12")
def test_late_money_on_a_cancelled_order_is_seen_after_a_restart(world: World) -> None:
    """Dropped requests are found again at the back-end, cancelled there where they still can be, and watched."""
    paid, unpaid = order(world, "o1"), order(world, "o2")
    pay_unseen(world, paid)
    for name in ("o1", "o2"):
        world.say(world.people(Dice(1)).status("m0", "b0", "b0", name, "cancelled"), Dice(1))
    for _ in range(4):
        for role in ("intake", "decider"):
            world.turn(role, 0, 100)
    world.check()
    assert sorted(world.books.status.values()) == ["cancelled", "cancelled"]
    world.settle()

    assert [settled.late for settled in world.books.settled.values()] == [True]
    assert not world.wallet.pay(unpaid, 100, when_late=True), "it was cancelled at the wallet"


@pytest.mark.case("P5")
def test_a_sweep_looks_at_every_open_request_when_hints_are_lost(world: World) -> None:
    """Whichever their number: none waits for others' turns while all fit into one sweep."""
    invoices = [order(world, f"o{number}") for number in range(3)]
    world.wallet.ring = lambda: None  # type: ignore[method-assign]
    for invoice in invoices:
        assert world.wallet.pay(invoice, 100, when_late=False)
    world.clock.advance(16_000)
    world.settle()

    assert len(world.books.settled) == 3


@pytest.mark.case("P21")
def test_a_request_is_made_once_the_clock_is_right_again(world: World) -> None:
    """A process whose clock ran an hour ahead took the order for expired; it is not given up for that."""
    for process in world.processes["payments"]:
        process.skew_ms = 3_600_000
    shop = world.crypto.key("m0")
    tags = (("p", shop), ("type", "1"), ("order", "o1"), ("amount", "10"), ("item", f"30402:{shop}:tea", "1"))
    world.say(world.people(Dice(1)).private("b0", "m0", 16, tags), Dice(1))
    world.settle()
    assert not world.invoices
    for process in world.processes["payments"]:
        process.skew_ms = 0
    world.clock.advance(16_000)
    world.settle()

    assert len(world.invoices) == 1


def skew(world: World, role: str, ms: int) -> None:
    """Put a role's clocks off by so much."""
    for process in world.processes[role]:
        process.skew_ms = ms


@pytest.mark.case("P21")
def test_a_request_that_was_made_is_not_forgotten_though_our_clock_says_it_is_long_over(world: World) -> None:
    """The journal still wanted it, so the buyer is shown it in the end; it is cancelled once it is over (I5)."""
    shop = world.crypto.key("m0")
    tags = (("p", shop), ("type", "1"), ("order", "o1"), ("amount", "10"), ("item", f"30402:{shop}:tea", "1"))
    world.say(world.people(Dice(1)).private("b0", "m0", 16, tags), Dice(1))
    for role in ("intake", "decider", "payments"):
        world.turn(role, 0, 100)
    skew(world, "payments", 3_600_000)
    world.clock.advance(1_300_000)
    world.turn("payments", 0, 100)
    world.settle()
    (invoice, *_), *_ = world.invoices

    assert not world.wallet.pay(invoice, 100, when_late=True), "it was cancelled at the wallet"


@pytest.mark.case("P21")
def test_late_money_is_seen_though_our_clock_is_an_hour_ahead(world: World) -> None:
    """A request is watched for an hour after its end by the journal's time too, not by ours alone."""
    invoice = order(world, "o1")
    skew(world, "payments", 3_600_000)
    world.clock.advance(1_000_000)
    world.settle()
    world.clock.advance(60_000)
    world.settle()
    held = world.wallet.held(invoice)
    assert held is not None
    held.state = BackendState.OPEN  # a wallet that cannot cancel
    assert world.wallet.pay(invoice, 100, when_late=True)
    world.settle()
    assert list(world.books.payment.values()) == ["late"]


def test_a_listing_revised_by_a_wrong_clock_is_revised_again_by_the_right_one(world: World) -> None:
    """A revision dated an hour ahead does not keep the published stock wrong for that hour."""
    shop = world.crypto.key("m0")
    world.offer("m0", "gift", 8, Dice(1))
    world.settle()
    skew(world, "decider", 3_600_000)
    for number in range(2):
        tags = (("p", shop), ("type", "1"), ("order", f"o{number}"), ("item", f"30402:{shop}:gift", "1"))
        world.say(world.people(Dice(1)).private("b0", "m0", 16, tags), Dice(1))
        world.clock.advance(2_000)
        world.settle()
        skew(world, "decider", 0)

    revised = [event for _, record in world.books.records for event in record.events if event.type == "ListingRevised"]
    assert [event.listing.stock for event in revised] == [7, 6]


@pytest.mark.case("P21")
def test_an_order_of_a_thawed_shop_expires_though_a_wrong_clock_had_called_it_over(world: World) -> None:
    """What the agenda handed out while the shop was frozen is put on it again."""
    invoice = order(world, "o1")
    world.command(world.crypto.key("m0"), FreezeMerchant(code="operator", reason="a look", cause="found"))
    world.settle()
    skew(world, "decider", 3_600_000)
    world.settle()
    skew(world, "decider", 0)
    world.thaw("m0")
    world.settle()
    assert list(world.books.status.values()) == ["pending"]
    world.clock.advance(1_000_000)
    world.settle()

    assert list(world.books.status.values()) == ["expired"]
    assert not world.wallet.pay(invoice, 100, when_late=True), "it was cancelled at the wallet"
