"""The HTTP API through its ASGI interface: any method, path, header and body, and no socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, MutableMapping
from functools import cache
from typing import Any
from urllib.parse import unquote

from schemas.codec import decode, encode
from schemas.dialects.contract import PersonalDetails
from schemas.merchants import Merchant
from schemas.messages import Command, JournalRecord
from schemas.quarantine import Quarantined
from schemas.values import SealedDetails
from services.api.app import Services, make_app
from services.metrics.gate import admit
from tests.fuzz.target import MARK, Target
from tests.support.builders import BUYER, MERCHANT, NOW_MS

_TOKEN = "right"
_ROW: dict[str, Any] = {"merchant": MERCHANT, "buyer": BUYER, "order_id": "o-1", "ref": "ab" * 16, "id": "q"} | {
    "name": "ab" * 32,
    "author": "buyer",
    "deleted": False,
}
_INTEGER_MAX = 2**63 - 1
_RATING = {
    "merchant": MERCHANT,
    "target": "x",
    "title": "",
    "category": "",
    "reviews": 1,
    "verified": 0,
    "mean": "0.5",
    "stars": [0, 0, 1, 0, 0],
}


class _Desk:
    """Decides at once: nothing new, a refusal, or nobody in time, as the request's name says."""

    async def ask(self, command: Command) -> JournalRecord | None:
        """The command must survive its topic, and no number in it may be more than a column holds."""
        sent = encode(command)
        assert decode(Command, sent) == command, "a command comes back as it was sent"
        assert all(abs(number) <= _INTEGER_MAX for number in _numbers(json.loads(sent))), "a number fits its column"
        match command.source[:1]:
            case "t":
                raise TimeoutError
            case "n":
                return None
            case _:
                return JournalRecord(seq=1, covers=1, merchant=MERCHANT, at_ms=NOW_MS, cause=command.id, events=())


class _Queries:
    """Knows one order, and what one product is rated."""

    async def rows(self, sql: str, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        admit(sql)
        ref = str((params or {}).get("ref", ""))
        if "orders_now" in sql and "ref" in (params or {}):
            return [_ROW] * (2 if ref == "a" else 1 if str(_ROW["ref"]).startswith(ref) else 0)
        return [_RATING if "ratings_now" in sql else _ROW]


class _Merchants:
    """Knows one merchant."""

    def all(self) -> list[Merchant]:
        return [self.get(MERCHANT)]

    def get(self, public_key: str) -> Merchant:
        return Merchant(public_key=public_key, name="shop", added_ms=NOW_MS)


class _Signer:
    """Seals nothing away; opens nothing."""

    def seal_private(self, merchant: str, kind: int, name: str, text: str) -> str:
        return f"sealed {kind} {name} {len(text)}"

    def open_private(self, event: object) -> str:
        return ""


class _Replayer:
    """Holds one quarantined record."""

    async def replay(self, quarantine_ids: Iterable[str]) -> dict[str, str]:
        return {name: "read_again" if name == "q" else "unknown" for name in quarantine_ids}

    async def find(self, quarantine_id: str) -> Quarantined | None:
        if quarantine_id != "q":
            return None
        return Quarantined(
            id="q",
            reason="bad_json",
            detail="",
            stage="intake",
            merchant=None,
            relay=None,
            at_ms=NOW_MS,
            original=MARK,
        )


class _Letters:
    """Keeps one text, which nobody but the operator may read."""

    def seal(self, merchant: str, order_ref: str, rumor_id: str, details: PersonalDetails) -> SealedDetails:
        return SealedDetails(key_id=f"{order_ref}:{rumor_id[:16]}", box="c2VhbGVk")

    def of_conversation(self, merchant: str, conversation: str) -> dict[str, PersonalDetails]:
        return {"ab" * 8: PersonalDetails(note=MARK)}

    def erase_conversation(self, merchant: str, conversation: str) -> int:
        return 1


async def _put(merchant: Merchant) -> None:
    assert decode(Merchant, encode(merchant)) == merchant, "a merchant comes back as it was sent"


_APP = make_app(
    Services(
        token=_TOKEN,
        desk=_Desk(),
        queries=_Queries(),
        merchants=_Merchants(),
        put_merchant=_put,
        personal=lambda _merchant, _ref: PersonalDetails(address=MARK),
        replayer=_Replayer(),
        seal=lambda _merchant, _listing, _text: SealedDetails(key_id="goods-1:2", box="c2VhbGVk"),
        is_signer_for=lambda key: not key.startswith("0"),
        letters=_Letters(),
        signer=_Signer(),
        lint=lambda _merchant, _offers: [],
        raw=None,
    )
)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One loop a process, made where it is used: a copy of a process cannot share it."""
    return asyncio.new_event_loop()


def send_any_request(data: bytes) -> None:
    """Every request has an answer that is not our fault; one without the token learns nothing and does nothing."""
    head, _, body = data.partition(b"\n\n")
    line, *header_lines = head.split(b"\n")
    method, _, target = line.partition(b" ")
    raw_path, _, query = target.partition(b"?")
    headers = [(name.lower(), value) for name, _, value in (header.partition(b":") for header in header_lines)]
    if not any(name == b"authorization" for name, _ in headers):
        headers.append((b"authorization", f"Bearer {_TOKEN}".encode()))
    scope: MutableMapping[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method.decode("latin-1").upper(),
        "scheme": "http",
        "path": unquote("/" + raw_path.decode("latin-1").lstrip("/")),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8123),
    }
    status, answer = _loop().run_until_complete(_ask(scope, body))
    assert 200 <= status < 500 or status == 504, "no request makes the API fail"
    if status < 300 and scope["path"] not in ("/health", "/openapi.json"):
        assert dict(headers)[b"authorization"].decode("latin-1").removeprefix("Bearer ").strip() == _TOKEN
    if answer:
        json.loads(answer)


async def _ask(scope: MutableMapping[str, Any], body: bytes) -> tuple[int, bytes]:
    incoming = [{"type": "http.request", "body": body, "more_body": False}]
    status, answer = 0, b""

    async def receive() -> MutableMapping[str, Any]:
        return incoming.pop() if incoming else {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status, answer
        status = message.get("status", status)
        answer += message.get("body", b"")

    await _APP(scope, receive, send)
    return status, answer


def _numbers(value: Any) -> Iterator[int]:
    match value:
        case bool():
            return
        case int():
            yield value
        case dict():
            for member in value.values():
                yield from _numbers(member)
        case list():
            for member in value:
                yield from _numbers(member)


def _requests() -> Iterator[bytes]:
    merchant = json.dumps({"public_key": MERCHANT, "name": MARK, "settings": {"request_ttl_s": 900}}).encode()
    for line in (
        "GET /health",
        "GET /merchants",
        "GET /orders?limit=5",
        "GET /orders/abab",
        "GET /orders/a",
        "GET /stock",
        "GET /reviews?standing=counts&verified=1",
        "GET /reviews/ratings?level=parent&target=x",
        "GET /quarantine?limit=0",
        "GET /quarantine/q",
        "POST /quarantine/q/replay",
        "POST /orders/ab/complete?request=n",
        "POST /orders/ab/cancel?request=t",
        "DELETE /orders/%ff%00",
        "HEAD /openapi.json",
    ):
        yield line.encode()
    yield b"GET /orders\nauthorization: Bearer wrong"
    yield b"GET /orders\nauthorization: \xff\xfe"
    for body in (
        b'{"tracking":"T-1","carrier":"Post","eta":1800000000}',
        b'{"eta":' + b"9" * 40 + b"}",
        b'{"eta":NaN}',
        b'{"tracking":"\\ud800"}',
        b'{"tracking":{"\\udfff":Infinity}}',
        b"null",
        b"[" * 3_000,
        b"\xff",
    ):
        yield b"POST /orders/ab/ship\ncontent-type: application/json\n\n" + body
    for body in (
        merchant,
        merchant.replace(b"900", b"9" * 30),
        merchant.replace(MARK.encode(), b"\\ud83d"),
        merchant.replace(b"900", b"1e400"),
    ):
        yield b"POST /merchants\ncontent-type: application/json\n\n" + body
    yield b'POST /quarantine-replays\ncontent-type: application/json\n\n{"ids":["q","n","x"]}'
    yield from (
        f"PUT /merchants/{MERCHANT}/settings\ncontent-type: application/json\n\n{body}".encode()
        for body in ('{"grace_s":5,"denied":[]}', '{"grace_s":1e3}', '{"grace_s":"\\ud800"}', '{"\\udfff":1}', "[]")
    )
    tea = '{"document":{"id":"tea","title":"Tea","price":"10 EUR"}}'
    for path, body in (
        ("listing", tea),
        ("listing", tea.replace("Tea", "\\ud800")),
        ("listing", '{"document":{"id":"tea","price":"1e9 EUR"},"fields":["price"]}'),
        ("shipping", tea.replace("10 EUR", "5 EUR/month")),
        ("note", tea),
    ):
        yield f"PUT /catalogue/{MERCHANT}/{path}\ncontent-type: application/json\n\n{body}".encode()
        yield f"PUT /drafts/{MERCHANT}/{path}\ncontent-type: application/json\n\n{body}".encode()
    yield f"DELETE /catalogue/{MERCHANT}/listing?id=tea".encode()
    yield f'PUT /relays/{MERCHANT}\ncontent-type: application/json\n\n{{"relays":["wss://r.example"]}}'.encode()
    for path in (f"catalogue/{MERCHANT}", f"catalogue/{MERCHANT}/findings", f"drafts/{MERCHANT}", f"relays/{MERCHANT}"):
        yield f"GET /{path}".encode()
    yield f'POST /merchants/{MERCHANT}/freeze\ncontent-type: application/json\n\n{{"reason":"why"}}'.encode()
    for body in (b'{"sql":"SELECT 1","params":{"a":[1,{"b":null}]}}', b'{"sql":"\\ud800"}', b'{"sql":"DROP TABLE x"}'):
        yield b"POST /sql\ncontent-type: application/json\n\n" + body


_WORDS = (
    *("GET /", "POST /", "PUT /", "/orders/ab/", "/merchants/", "/settings", "/quarantine", "ship", "deliver"),
    *("?request=", "?limit=", "content-type: application/json", "\n\n{", '"eta":', '"sql":"', '"params":{'),
    *('"settings":{', "NaN", "1e999", "\\ud800", "%ed%a0%80", "%00"),
)

TARGETS = (Target("http", send_any_request, _requests, words=_WORDS, tells_nothing=False),)
