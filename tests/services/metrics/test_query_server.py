"""The query door and its client, over the real engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.metrics.client import QueryClient
from services.metrics.port import BadQuery, StoreUnavailable
from services.metrics.query_server import query_app
from services.metrics.store import ReadLimits, Store, open_store
from services.metrics.writer import MetricsWriter
from tests.services.metrics.scenes import a_record

pytestmark = pytest.mark.real

TOKEN = "a token for tests"


@pytest.fixture
def app(store: Store, writer: MetricsWriter) -> FastAPI:
    """The door to a store with three records."""
    writer.write_journal({0: [a_record(seq, units=seq) for seq in (1, 2, 3)]})
    return query_app(store, TOKEN)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[QueryClient]:
    """A client with the right token, without a network between."""
    opened = QueryClient("http://door", TOKEN, httpx.ASGITransport(app))
    yield opened
    await opened.close()


async def test_an_answer_has_columns_types_and_rows(client: QueryClient) -> None:
    """Exact values: decimals and wide integers as text, times as ISO 8601."""
    result = await client.query(
        "SELECT toDecimal64('1.10', 2) AS d, toDateTime64('2024-01-02 03:04:05.678', 3, 'UTC') AS t, "
        "toUInt128('340282366920938463463374607431768211455') AS big, NULL AS nothing, [1, 2] AS list, "
        "map('a', 1) AS map, toDate('2024-01-02') AS day, 9007199254740993 AS n"
    )
    assert result.dicts() == [
        {
            "d": "1.10",
            "t": "2024-01-02T03:04:05.678000+00:00",
            "big": "340282366920938463463374607431768211455",
            "nothing": None,
            "list": [1, 2],
            "map": {"a": 1},
            "day": "2024-01-02",
            "n": 9007199254740993,
        }
    ]
    assert result.types[:2] == ("Decimal(18, 2)", "DateTime64(3, 'UTC')")


async def test_values_are_given_beside_the_statement(client: QueryClient) -> None:
    """Quotes in a value stay in the value."""
    held = "SELECT sum(quantity) AS units FROM events WHERE type = {type:String}"
    assert await client.rows(held, {"type": "StockHeld"}) == [{"units": 6}]
    assert await client.rows(held, {"type": "' OR 1 = 1 --"}) == [{"units": None}]


async def test_an_answer_without_rows_has_columns(client: QueryClient) -> None:
    """A table on a page keeps its head."""
    result = await client.query("SELECT ref, status FROM orders_now -- none yet")
    assert (result.columns, result.rows) == (("ref", "status"), ())


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ("SELEKT 1", {}),
        ("SELECT nope FROM events", {}),
        ("SELECT {n:UInt8}", {}),
        ("SELECT {n:UInt8}", {"n": "many"}),
        ("SELECT 1", {"n": 1}),
        ("SELECT 1 % 2", {"n": 1}),
        ("SELECT throwIf(1, 'no')", {}),
        ("SELECT '\\xff'", {}),
    ],
)
async def test_a_mistake_is_told_in_one_sentence(client: QueryClient, sql: str, params: dict[str, object]) -> None:
    """The asker learns what to change, and nothing of the machine."""
    with pytest.raises(BadQuery) as refused:
        await client.query(sql, params)
    sentence = str(refused.value)
    assert 5 < len(sentence) <= 300
    assert "\n" not in sentence
    assert "DB::" not in sentence


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO events (sequence) VALUES (9)",
        "ALTER TABLE events DELETE WHERE 1",
        "DROP TABLE events",
        "TRUNCATE TABLE events",
        "SELECT 1; DROP TABLE events",
        "SELECT * FROM events INTO OUTFILE '{folder}/stolen.csv'",
        "INSERT INTO FUNCTION file('{folder}/stolen.csv') SELECT * FROM events",
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT file('/etc/hostname')",
        "SELECT * FROM `/etc/hostname`",
        "SELECT * FROM url('http://127.0.0.1:9/', 'LineAsString')",
        "SELECT * FROM remote('127.0.0.1:9', 'default', 'events')",
        "SELECT * FROM s3('http://127.0.0.1:9/x', 'CSV')",
        "SELECT * FROM sqlite('{folder}/x.db', 't')",
        "SELECT * FROM executable('id', TSV, 'a String')",
        "SELECT * FROM python('token')",
        "SELECT * FROM system.processes",
        "SELECT * FROM merge('system', 'processes')",
        "WITH x AS (SELECT * FROM file('/etc/hostname', 'LineAsString')) SELECT * FROM x",
    ],
)
async def test_the_door_is_for_reading_our_tables(client: QueryClient, store: Store, tmp_path: Path, sql: str) -> None:
    """Writing, other files, the network and other programs are refused, and nothing has changed."""
    with pytest.raises(BadQuery):
        await client.query(sql.replace("{folder}", str(tmp_path)))
    assert not (tmp_path / "stolen.csv").exists()
    assert store.query("SELECT count() FROM events").rows == ((6,),)


async def test_without_the_token_nothing_is_answered(app: FastAPI) -> None:
    """Neither with another token nor with none, whatever the question."""
    wrong = QueryClient("http://door", "another", httpx.ASGITransport(app))
    with pytest.raises(StoreUnavailable, match=r"401: The bearer token"):
        await wrong.query("SELECT 1")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://door") as bare:
        for headers in (
            {},
            {"Authorization": TOKEN},
            {"Authorization": "Bearer "},
        ):
            assert (await bare.post("/query", json={"sql": "SELECT 1"}, headers=headers)).status_code == 401
        latin = [(b"Authorization", b"Bearer \xe9")]
        assert (await bare.post("/query", json={"sql": "SELECT 1"}, headers=latin)).status_code == 401
        assert (await bare.get("/health")).json() == {"status": "ok"}
        assert (await bare.get("/docs")).status_code == 404
    await wrong.close()


async def test_a_body_of_another_shape_is_explained(app: FastAPI) -> None:
    """A sentence instead of a list of validation errors."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://door") as bare:
        for body in (b"{", b"[]", b'{"query": "SELECT 1"}', b'{"sql": 1}'):
            refused = await bare.post("/query", content=body, headers=headers)
            assert (refused.status_code, list(refused.json())) == (400, ["error"])


async def test_writing_goes_on_while_a_question_is_answered(tmp_path: Path) -> None:
    """Questions run in threads with handles of their own."""
    store = open_store(f"chdb://{tmp_path}", ReadLimits(time_max_s=1.0))
    try:
        writer = MetricsWriter(store, lambda merchant, buyer: "")
        writer.migrate()
        client = QueryClient("http://door", TOKEN, httpx.ASGITransport(query_app(store, TOKEN)))
        slow = asyncio.create_task(client.query("SELECT sum(sipHash64(number)) FROM numbers(100000000000)"))
        await asyncio.sleep(0.1)
        seq = 0
        while not slow.done():
            seq += 1
            await asyncio.to_thread(writer.write_journal, {0: [a_record(seq)]})
        assert seq >= 5
        with pytest.raises(BadQuery, match="longer than 1 s"):
            await slow
        await client.close()
    finally:
        store.close()


async def test_a_door_that_is_not_there_is_unavailable() -> None:
    """Asking again may help, so it is no mistake of the asker."""
    client = QueryClient("http://127.0.0.1:9", TOKEN)
    with pytest.raises(StoreUnavailable, match="does not answer"):
        await client.query("SELECT 1")
    assert not await client.is_healthy()
    assert TOKEN not in repr(client)
    await client.close()
