"""A checkpoint and what came after it give the state that the whole journal gives."""

from __future__ import annotations

import dataclasses
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import rule, run_state_machine_as_test

from streams import checkpoint, kept
from streams.checkpoint import CheckpointLost, Keeper, Place
from streams.domain.evolve import evolve
from streams.domain.shop import Shop
from tests.streams.domain.test_any_history import AnyHistory
from tests.support.builders import MERCHANT, a_key, an_order
from tests.support.story import Story

APART = ("agenda", "agenda_count", "stale", "is_judging", "orders", "purchases")
"""What a load makes anew of the rest; and orders, which are compared without their order."""


def place(seq: int) -> Place:
    return Place(offset=2 * seq, seq=seq, covers=seq + 7, merchant=MERCHANT, at_ms=seq, cause=f"c{seq}")


def contents(shop: Shop) -> dict[str, object]:
    """A shop as plain values, each dict with its order."""
    values: dict[str, object] = {
        one.name: getattr(shop, one.name) for one in dataclasses.fields(shop) if one.name not in APART
    }
    return {name: list(value.items()) if isinstance(value, dict) else value for name, value in values.items()}


def all_orders(shop: Shop, like: Shop) -> None:
    """Fetch every order that the other shop has, and what each buyer got."""
    for ref in like.orders:
        shop.orders.get(ref)
    for buyer, items in like.purchases.items():
        assert shop.purchases.get(buyer) == items


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a partition's checkpoint lies."""
    return tmp_path / "decider" / "0.db"


def saved(path: Path, shop: Shop, seq: int = 1) -> None:
    keeper = Keeper(path)
    keeper.note(place(seq))
    keeper.save_when_due({shop.merchant: shop}, records=1)
    keeper.close()


class WithRestarts(AnyHistory):
    """Any history, with saves at any moment and starts from what was saved."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "0.db"
        self.keeper = Keeper(self.path)
        self.shop = Shop(MERCHANT)
        self.behind = 0

    def fold(self) -> None:
        """Follow the journal with a second shop, which is the one that is saved and loaded."""
        for record in self.story.journal[self.behind :]:
            for event in record.events:
                evolve(self.shop, event, record.at_ms)
            self.keeper.note(place(record.seq))
        self.behind = len(self.story.journal)

    @rule()
    def save(self) -> None:
        self.fold()
        self.keeper.save_when_due({MERCHANT: self.shop}, records=1)

    @rule()
    def start_anew(self) -> None:
        """As after a crash: what was not saved is folded again."""
        self.keeper.close()
        self.keeper = Keeper(self.path)
        found = self.keeper.place()
        self.shop, self.behind = self.keeper.load().get(MERCHANT, Shop(MERCHANT)), found.seq if found else 0
        self.fold()
        all_orders(self.shop, self.story.shop)
        refolded = self.story.refolded()
        assert dict(self.shop.orders) == refolded.orders
        assert contents(self.shop) == contents(refolded)
        due = {(due.at_ms, due.kind, due.order_key) for _, _, due in self.shop.agenda}
        for order in self.shop.orders.values():
            assert order.deadline_ms is None or (order.deadline_ms, "deadline", order.key) in due

    def teardown(self) -> None:
        if self.story.journal:
            self.save()
            self.start_anew()
        self.keeper.close()
        self.folder.cleanup()
        super().teardown()


def test_any_history_with_any_restarts_ends_as_if_there_had_been_none() -> None:
    """Saved at any moment, loaded at any other, and folded on: every value and every order of values is the same."""
    run_state_machine_as_test(
        WithRestarts,
        settings=settings(derandomize=True, max_examples=30, stateful_step_count=30, deadline=None, database=None),
    )


def a_busy_shop() -> Story:
    """A shop with an order that is settled and one that waits for its payment."""
    story = WithRestarts()
    story.open_the_shop()
    return story.story


def test_orders_that_nothing_is_due_for_stay_in_the_file_until_asked_for(path: Path) -> None:
    """A start reads open orders only; a settled one is fetched by its reference and is the same."""
    shop = a_busy_shop().shop
    saved(path, shop)
    keeper = Keeper(path)
    loaded = keeper.load()[MERCHANT]
    settled, waiting = a_key("1").ref, a_key("2").ref
    assert list(loaded.orders) == [waiting]
    assert loaded.orders.get(settled) == shop.orders[settled]
    assert a_key("1").ref in loaded.orders
    assert "nobody's" not in loaded.orders
    assert loaded.orders.get("nobody's") is None
    keeper.close()


def test_memory_holds_a_bounded_number_of_settled_orders(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once saved, the surplus goes back to the file; what somebody waits for stays."""
    monkeypatch.setattr(kept, "LOADED_MAX", 0)
    shop = a_busy_shop().shop
    everything = dict(shop.orders)
    keeper = Keeper(path)
    for seq in (1, 2):
        keeper.note(place(seq))
        keeper.save_when_due({MERCHANT: shop}, records=1)
    assert list(shop.orders) == [a_key("2").ref]
    assert {ref: shop.orders[ref] for ref in everything} == everything
    keeper.close()


def test_a_file_of_other_rules_is_not_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed domain folds its journal anew."""
    saved(path, a_busy_shop().shop)
    monkeypatch.setattr(checkpoint, "rules", lambda: "others")
    keeper = Keeper(path)
    assert keeper.place() is None
    keeper.close()


def test_a_former_owner_cannot_save(path: Path) -> None:
    """Whoever opened the file last owns it: an older state never overwrites a newer one."""
    shop = a_busy_shop().shop
    former, owner = Keeper(path), Keeper(path)
    owner.note(place(9))
    owner.save_when_due({MERCHANT: shop}, records=1)
    former.note(place(4))
    with pytest.raises(CheckpointLost, match="somebody else opened it"):
        former.save_when_due({MERCHANT: shop}, records=1)
    assert owner.place() == place(9)


def test_a_broken_file_is_begun_anew(path: Path) -> None:
    """It was only a cache."""
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 100)
    keeper = Keeper(path)
    assert keeper.place() is None
    assert keeper.load() == {}
    saved(path, a_busy_shop().shop, seq=3)
    assert Keeper(path).place() == place(3)


def test_a_file_that_is_only_locked_is_left_as_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A former owner that is slow to go does not cost the next start a whole fold."""
    saved(path, Shop(MERCHANT))
    monkeypatch.setattr(checkpoint, "BUSY_S", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(CheckpointLost):
        Keeper(path)
    other.execute("ROLLBACK")
    other.close()

    assert Keeper(path).place() == place(1)


def test_a_save_that_fails_keeps_what_it_would_have_saved(path: Path) -> None:
    """It says that the file is lost; nothing was written, and the next save has the same to write."""
    shop = a_busy_shop().shop
    keeper = Keeper(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("DROP TABLE rows")
    keeper.note(place(1))
    with pytest.raises(CheckpointLost):
        keeper.save_when_due({MERCHANT: shop}, records=1)
    assert Keeper(path).place() is None


def test_saving_costs_what_changed(path: Path) -> None:
    """A second save writes the changed orders and scalars, not the catalogue."""
    story = a_busy_shop()
    keeper = Keeper(path)
    keeper.note(place(1))
    keeper.save_when_due({MERCHANT: story.shop}, records=1)
    story.when(an_order(("tea", 1), key=a_key("new"), rumor="new"))
    changed = {row.field for row in keeper._checkpoint._changes(story.shop) if row.key}
    assert "orders" in changed
    assert "listings" not in changed
    keeper.close()
