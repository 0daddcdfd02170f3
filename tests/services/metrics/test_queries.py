"""The documented queries, against histories whose figures are known."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from schemas.inbox import DeleteMessages, ReceiveMessage
from schemas.orders import OrderPlaced
from schemas.rows import InventoryRow, MessageRow, OrderRow, RatingRow, ReviewRow
from schemas.values import Actor, SealedDetails
from services.metrics.query_server import answer
from services.metrics.statements import queries
from services.metrics.store import Store
from services.metrics.writer import MetricsWriter
from tests.services.metrics.scenes import a_long_history, only, state_rows, ten_orders
from tests.services.metrics.test_state_rows import a_delivery, quarantined
from tests.support.builders import MERCHANT, NOW_S, OTHER_MERCHANT, STRANGER, an_id, product
from tests.support.story import Story

pytestmark = pytest.mark.real

PERIOD = {"since": "2023-11-01 00:00:00", "until": "2023-12-01 00:00:00"}


def written(writer: MetricsWriter, story: Story) -> None:
    """Everything a history says, as the roles would write it."""
    writer.write_journal({0: story.journal})
    rows = state_rows(story.journal)
    writer.write_orders(only(OrderRow, rows))
    writer.write_inventory(only(InventoryRow, rows))
    writer.write_reviews(only(ReviewRow, rows))
    writer.write_ratings(only(RatingRow, rows))
    writer.write_messages(only(MessageRow, rows))


def ask(store: Store, name: str, merchant: str = MERCHANT, **period: str) -> list[dict[str, object]]:
    """A documented query through the gate and the read-only handle."""
    sql = queries()[name].sql
    params = {"merchant": merchant, **PERIOD, **period}
    return answer(store, sql, {key: value for key, value in params.items() if f"{{{key}:" in sql}).dicts()


@pytest.mark.req("NCC-05")
def test_ten_orders_give_exactly_these_sales(store: Store, writer: MetricsWriter) -> None:
    """Two days, five sales, one of them cancelled again; money is integer msat."""
    written(writer, ten_orders())
    one, two = date(2023, 11, 14), date(2023, 11, 15)
    assert ask(store, "sales_by_day") == [
        {"day": one, "orders": 2, "total_msat": 75_000, "paid_msat": 75_000, "refund_due_msat": 0},
        {"day": two, "orders": 3, "total_msat": 59_000, "paid_msat": 59_000, "refund_due_msat": 40_000},
    ]
    (only_shop,) = ask(store, "revenue_by_merchant")
    assert only_shop == {
        "merchant": MERCHANT,
        "orders": 5,
        "buyers": 4,
        "total_msat": 134_000,
        "paid_msat": 134_000,
    }


@pytest.mark.req("NCC-05")
def test_ten_orders_come_exactly_this_far(store: Store, writer: MetricsWriter) -> None:
    """Every order is counted at each stage it reached, and at how it ended."""
    written(writer, ten_orders())
    (funnel,) = ask(store, "conversion_funnel")
    assert funnel == {
        "placed": 10,
        "quoted": 8,
        "requested": 7,
        "confirmed": 5,
        "shipped": 1,
        "completed": 1,
        "rejected": 2,
        "expired": 0,
        "failed": 0,
        "cancelled": 3,
        "conversion": 0.5,
    }


@pytest.mark.req("NCC-05")
def test_ten_orders_take_exactly_this_long(store: Store, writer: MetricsWriter) -> None:
    """From request to payment 1…5 s; a late payment is no payment time. One parcel, a minute after the order."""
    written(writer, ten_orders())
    assert ask(store, "time_to_pay") == [{"orders": 5, "p50_ms": 3_000, "p90_ms": 5_000, "p99_ms": 5_000}]
    assert ask(store, "time_to_ship") == [{"orders": 1, "p50_ms": 58_900, "p90_ms": 58_900, "p99_ms": 58_900}]


@pytest.mark.req("NCC-05")
def test_ten_orders_sell_exactly_these_items(store: Store, writer: MetricsWriter) -> None:
    """Units and worth by listing, as they were quoted."""
    written(writer, ten_orders())
    top = [(row["title"], row["units"], row["orders"], row["amount_msat"]) for row in ask(store, "top_items")]
    assert top == [("Tea", 10, 4, 100_000), ("Cup", 3, 2, 9_000), ("Vase", 1, 1, 20_000)]


@pytest.mark.req("NCC-05")
def test_ten_orders_stand_exactly_here(store: Store, writer: MetricsWriter) -> None:
    """Three axes; late money and money owed back are seen."""
    written(writer, ten_orders())
    stands = {(r["status"], r["payment"], r["shipping"]): r["orders"] for r in ask(store, "orders_by_status")}
    assert stands == {
        ("completed", "paid", "shipped"): 1,
        ("confirmed", "paid", "none"): 3,
        ("cancelled", "refund_due", "none"): 1,
        ("cancelled", "late", "none"): 1,
        ("cancelled", "wanted", "none"): 1,
        ("pending", "requested", "none"): 1,
        ("rejected", "none", "none"): 2,
    }


@pytest.mark.req("INV-08")
def test_stock_on_hand_is_what_the_movements_add_up_to(store: Store, writer: MetricsWriter) -> None:
    """10 of 20 teas and 3 of 5 cups are sold, one cup is held; the ledger says the same."""
    written(writer, ten_orders())
    stock = [(r["title"], r["on_hand"], r["held"], r["available"], r["sold"]) for r in ask(store, "stock_on_hand")]
    assert stock == [("Cup", 2, 1, 1, 3), ("Tea", 10, 0, 10, 10), ("Vase", None, 0, None, 0)]
    check = [(r["table_on_hand"], r["ledger_on_hand"], r["table_held"], r["ledger_held"], r["agrees"])
             for r in ask(store, "ledger_check")]  # fmt: skip
    assert sorted(map(repr, check)) == ["(0, 0, 0, 0, 1)", "(10, 10, 0, 0, 1)", "(2, 2, 1, 1, 1)"]


@pytest.mark.req("INV-08")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_ledger_agrees_after_any_history(store: Store, writer: MetricsWriter, seed: int) -> None:
    """Bases are set, dropped and set again while units are held and sold; nothing is lost between them."""
    written(writer, a_long_history(seed))
    checked = ask(store, "ledger_check")
    assert [row for row in checked if not row["agrees"]] == []
    assert len(checked) == 3
    movements = store.query("SELECT DISTINCT movement FROM stock_movements ORDER BY movement").rows
    assert movements == (("commit",), ("hold",), ("release",), ("set",))


def test_every_movement_has_its_cause(store: Store, writer: MetricsWriter) -> None:
    """An order for what an order moved, the listing's event for a base."""
    written(writer, ten_orders())
    without = "SELECT count() FROM stock_movements WHERE order_ref = '' AND subject = ''"
    assert store.query(without).rows == ((0,),)


def test_the_ledger_check_finds_a_lie(store: Store, writer: MetricsWriter) -> None:
    """A check that cannot fail says nothing."""
    story = ten_orders()
    written(writer, story)
    last = next(r for r in reversed(only(InventoryRow, state_rows(story.journal))) if r.coordinate == product("tea"))
    writer.write_inventory([last.model_copy(update={"on_hand": 11, "sequence": last.sequence + 1})])
    wrong = [row for row in ask(store, "ledger_check") if not row["agrees"]]
    assert [(row["coordinate"], row["table_on_hand"], row["ledger_on_hand"]) for row in wrong] == [
        (product("tea"), 11, 10)
    ]


def test_the_ledger_check_waits_for_the_events(store: Store, writer: MetricsWriter) -> None:
    """State rows may be ahead of the journal's rows; that is no disagreement."""
    story = ten_orders()
    writer.write_journal({0: story.journal[:8]})
    writer.write_inventory(only(InventoryRow, state_rows(story.journal)))
    assert all(row["agrees"] for row in ask(store, "ledger_check"))


def test_a_listing_that_ran_out_is_counted(store: Store, writer: MetricsWriter) -> None:
    """Once each time the last unit was sold."""
    written(writer, a_long_history(1))
    outs = ask(store, "stock_outs")
    assert outs
    assert all(row["times"] for row in outs)
    assert {row["coordinate"] for row in outs} <= {product("tea"), product("cup"), product("song")}


def test_reviews_are_counted_with_both_means(store: Store, writer: MetricsWriter) -> None:
    """Tea: (0.75 + 0.6) / 2, and strictly (0.75 + 0.3) / 2; cup: 0.2 and 0.1."""
    written(writer, ten_orders())
    found = [
        (r["product"], r["reviews"], r["mean_score"], r["mean_strict_score"]) for r in ask(store, "reviews_by_product")
    ]
    assert found == [
        (product("tea"), 2, Decimal("0.675"), Decimal("0.525")),
        (product("cup"), 1, Decimal("0.2"), Decimal("0.1")),
    ]


def test_refusals_are_counted_by_reason(store: Store, writer: MetricsWriter) -> None:
    """A unicorn nobody sells, and a thousand cups where there are a few."""
    written(writer, ten_orders())
    assert ask(store, "refusals_by_reason") == [
        {"type": "OrderRejected", "reason": "insufficient_stock", "refusals": 1, "orders": 1},
        {"type": "OrderRejected", "reason": "unknown_item", "refusals": 1, "orders": 1},
    ]


def test_quarantine_and_deliveries_are_counted_by_outcome(store: Store, writer: MetricsWriter) -> None:
    """What came in and was no fact, what went out and where it ended."""
    writer.write_quarantine([quarantined(), quarantined(id="q2"), quarantined(id="q3", reason="not_json")])
    writer.write_deliveries([a_delivery(), a_delivery(effect_id="reply:x:2", compat_route=True)])
    inputs = [(r["stage"], r["reason"], r["inputs"]) for r in ask(store, "quarantine_by_reason")]
    assert inputs == [("intake", "wrong_key", 2), ("intake", "not_json", 1)]
    assert ask(store, "deliveries_by_outcome") == [
        {"what": "reply", "state": "delivered", "messages": 2, "by_compat_route": 1}
    ]
    answers = [(r["relay"], r["outcome"], r["answers"]) for r in ask(store, "relay_outcomes")]
    assert answers == [("wss://one", "accepted", 2), ("wss://two", "refused", 2)]


def test_a_merchant_sees_their_own(store: Store, writer: MetricsWriter) -> None:
    """No merchant stands for all of them, another one has nothing here."""
    written(writer, ten_orders())
    assert ask(store, "sales_by_day", merchant="") == ask(store, "sales_by_day")
    assert ask(store, "sales_by_day", merchant=OTHER_MERCHANT) == []
    assert ask(store, "conversion_funnel", merchant=OTHER_MERCHANT)[0]["placed"] == 0


@pytest.mark.req("OPS-08")
def test_writing_everything_again_answers_the_same(store: Store, writer: MetricsWriter) -> None:
    """Consumer offsets were reset and a writer with no memory reads from the start; every answer stays."""
    story = ten_orders()
    written(writer, story)
    before = {name: ask(store, name) for name in queries()}
    written(MetricsWriter(store, lambda merchant, buyer: "another"), story)
    assert {name: ask(store, name) for name in queries()} == before


@pytest.mark.req("OPS-08")
def test_no_column_holds_anything_personal(store: Store, writer: MetricsWriter) -> None:
    """Buyers are hashes everywhere but in the orders and under their public reviews; no text of a message is stored."""
    written(writer, ten_orders())
    writer.write_deliveries([a_delivery()])
    writer.write_quarantine([quarantined()])
    buyers = [f"{n:02x}" * 32 for n in (1, 2, 3, 4)]
    for table in ("events", "inventory", "deliveries", "quarantine"):
        text = str(store.query(f"SELECT * FROM {table}").rows)
        assert not [buyer for buyer in (*buyers, STRANGER) if buyer in text], table
    for table in ("events", "orders", "inventory", "reviews", "messages", "deliveries", "quarantine"):
        text = str(store.query(f"SELECT * FROM {table}").rows)
        assert not [word for word in ("SECRET", "lnbc", "Please", "Thank") if word in text], table


def test_a_conversation_waits_while_the_last_word_is_the_buyers(store: Store, writer: MetricsWriter) -> None:
    """Who, how many and about which order; what was taken back does not count, and no word is there."""
    story = ten_orders()
    order = story.journal[5].events[0]
    assert isinstance(order, OrderPlaced)
    buyer, ref = order.order.buyer, order.order.ref
    sealed = SealedDetails(key_id="k", box="SECRET")
    for n, (author, at_s) in enumerate(((Actor.BUYER, 1), (Actor.MERCHANT, 2), (Actor.BUYER, 3))):
        letter = ReceiveMessage(
            buyer=buyer, author=author, rumor_id=an_id(str(n)), said_s=NOW_S + at_s, text=sealed, order_refs=(ref,)
        )
        story.when(letter)
    written(writer, story)
    ask_inbox = "SELECT buyer, messages, waits, order_ref FROM inbox_now"
    assert store.query(ask_inbox).rows == ((buyer, 3, True, ref),)

    story.when(DeleteMessages(buyer=buyer, actor=Actor.BUYER, rumor_ids=(an_id("2"), order.rumor_id)))
    written(writer, story)

    assert store.query(ask_inbox).rows == ((buyer, 2, False, ref),)
    assert "SECRET" not in str(store.query("SELECT * FROM messages").rows)
    assert store.query(f"SELECT message_deleted, leaky FROM orders_now WHERE ref = '{ref}'").rows == ((True, False),)


def test_an_orders_times_are_its_first_times(store: Store, writer: MetricsWriter) -> None:
    """Each stage once, in UTC."""
    written(writer, ten_orders())
    (row,) = store.query("SELECT * FROM order_times WHERE completed_at IS NOT NULL").dicts()
    start = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert row["placed_at"] == start
    assert row["paid_at"] == row["confirmed_at"] == start.replace(second=21, microsecond=100_000)
    assert row["expired_at"] is None


def test_a_merchants_sales_are_found_by_key(store: Store, writer: MetricsWriter) -> None:
    """The filter reaches the table through the view, so one merchant's question reads one merchant's rows."""
    written(writer, ten_orders())
    sql = f"EXPLAIN indexes = 1 SELECT count() FROM sales WHERE merchant = '{MERCHANT}'"
    plan = " ".join(str(row[0]) for row in store.query(sql).rows)
    assert "merchant" in plan
    assert "type" in plan


def test_an_orders_history_is_told_in_order(store: Store, writer: MetricsWriter) -> None:
    """From the order to the cancellation that nobody had to pay for."""
    written(writer, ten_orders())
    (ref,) = store.query("SELECT ref FROM orders_now WHERE order_id = 'order-10'").rows[0]
    sql = "SELECT type FROM order_history WHERE merchant = {merchant:String} AND order_ref = {ref:String}"
    told = [row[0] for row in answer(store, sql, {"merchant": MERCHANT, "ref": ref}).rows]
    assert told[:3] == ["OrderPlaced", "OrderPlaced", "OrderQuoted"]
    assert {"StockHeld", "PaymentWanted", "StockReleased", "PaymentDropped", "OrderMoved"} <= set(told)
