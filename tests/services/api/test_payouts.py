"""Pay-outs over HTTP: whoever asks cannot approve, and whoever approves can do nothing else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import SecretStr

from schemas.messages import CommandBody
from schemas.payouts import ApprovePayout, DropPayout, WantPayout
from schemas.values import OrderKey
from services.api import payouts
from services.approvers import Approvers, BadApprover
from services.payments.credentials import BtcpayCredential
from services.roles.api import _is_by_link, _unpaid_why
from tests.support.builders import a_key

OPERATOR = "operators-own"
AGAIN = "`ncc wallet add` it again with --may-refund"


class Door:
    """The routes, with what was decided."""

    def __init__(self, approvers: Approvers, why: str = "", by_link: bool = False) -> None:
        self.decided: list[CommandBody] = []
        app = FastAPI()

        async def authorised(request: Request) -> None:
            if request.headers.get("authorization") != f"Bearer {OPERATOR}":
                raise HTTPException(401)

        guards = [Depends(authorised)]
        payouts.add_routes(app, guards, self._decide, self._key, approvers.who, lambda _: why, lambda _: by_link)
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api")

    async def _decide(self, _merchant: str, body: CommandBody, _request: str | None) -> dict[str, Any]:
        self.decided.append(body)
        return {"decided": "done"}

    async def _key(self, _ref: str) -> OrderKey:
        return a_key()

    async def post(self, what: str, token: str, body: Any = None) -> int:
        """The status of the answer."""
        headers = {"authorization": f"Bearer {token}"}
        return (await self._http.post(f"/orders/x/{what}", json=body, headers=headers)).status_code


@pytest.fixture
def approvers(tmp_path: Path) -> Approvers:
    return Approvers(tmp_path / "approvers.json")


@pytest.mark.case("F13")
@pytest.mark.req("C-01")
async def test_one_person_alone_pays_nothing_out(approvers: Approvers) -> None:
    """The operator's token approves nothing, and an approver's asks for nothing and drops nothing."""
    door, token = Door(approvers), approvers.add("anna")
    assert await door.post("pay-back", token, {"sats": 5}) == 401
    assert await door.post("refuse-payout", token) == 401
    for wrong in (OPERATOR, "", "x" * 43):
        assert await door.post("approve", wrong, {"sats": 5}) == 401
    assert door.decided == []

    assert await door.post("pay-back", OPERATOR, {"sats": 5}) == 200
    assert await door.post("approve", token, {"sats": 5}) == 200
    assert await door.post("refuse-payout", OPERATOR) == 200
    wanted, approved, dropped = door.decided
    assert isinstance(wanted, WantPayout)
    assert isinstance(approved, ApprovePayout)
    assert isinstance(dropped, DropPayout)
    assert (wanted.amount_msat, approved.amount_msat, approved.approver) == (5_000, 5_000, "anna")


@pytest.mark.req("C-01")
@pytest.mark.parametrize("by_link", [False, True])
async def test_the_wallet_says_whether_the_buyer_needs_an_invoice(approvers: Approvers, by_link: bool) -> None:
    """Whoever asks does not: where the wallet gives out a link, no invoice is asked for."""
    door = Door(approvers, by_link=by_link)
    assert await door.post("pay-back", OPERATOR, {"sats": 5}) == 200
    (wanted,) = door.decided
    assert isinstance(wanted, WantPayout)
    assert wanted.by_link is by_link


@pytest.mark.req("C-01")
@pytest.mark.parametrize(
    ("may_refund", "why"),
    [
        (True, ""),
        (False, "the wallet's key may not give out links to claim: " + AGAIN),
    ],
)
def test_a_btcpay_wallet_gives_links_out_where_its_key_may(may_refund: bool, why: str) -> None:
    """Else one sentence says how."""
    key = BtcpayCredential(url="https://pay.example", store="S1", key=SecretStr("k"), may_refund=may_refund)
    table: Any = SimpleNamespace(get=lambda _: SimpleNamespace(wallet="btcpay"))
    store: Any = SimpleNamespace(get=lambda _: key)
    assert (_unpaid_why(table, store, "m"), _is_by_link(table, "m")) == (why, True)


@pytest.mark.req("C-01")
async def test_a_wallet_that_pays_nothing_out_is_not_asked_to(approvers: Approvers) -> None:
    """Said at once, not after somebody approved it."""
    door = Door(approvers, "an nwc wallet pays nothing out here")
    assert await door.post("pay-back", OPERATOR, {}) == 409
    assert door.decided == []


@pytest.mark.req("C-01")
def test_an_approvers_token_is_kept_as_a_hash_and_worth_nothing_once_removed(
    approvers: Approvers, tmp_path: Path
) -> None:
    """It is shown once; a name has one token."""
    token, file = approvers.add("anna"), tmp_path / "approvers.json"
    assert token not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert (approvers.who(token), approvers.names()) == ("anna", ("anna",))
    for bad in ("anna", "", "Anna", "a b", "x" * 33):
        with pytest.raises(BadApprover):
            approvers.add(bad)
    assert approvers.remove("anna")
    assert not approvers.remove("anna")
    assert approvers.who(token) is None
