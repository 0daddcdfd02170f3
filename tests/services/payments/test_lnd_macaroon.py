"""Tries what is read out of an LND macaroon."""

from __future__ import annotations

import pytest

from services.payments.lnd_macaroon import MACAROON_BYTES_MAX, BadMacaroon, read_rights
from tests.support.scripted_lnd import ADMIN, INVOICE_RIGHTS, MACAROON, a_macaroon


def test_the_rights_stand_in_the_macaroon() -> None:
    """Sorted, as `entity:action`; a caveat changes nothing that is read."""
    assert read_rights(MACAROON).words == INVOICE_RIGHTS
    assert read_rights(a_macaroon("invoices:read", caveat="ipaddr 10.0.0.7")).words == ("invoices:read",)


@pytest.mark.parametrize(
    ("rights", "may_spend"),
    [
        (INVOICE_RIGHTS, False),
        (("offchain:write",), True),
        (("onchain:write",), True),
        (("macaroon:generate",), True),
        (("signer:generate",), True),
        (("offchain:read", "info:read", "macaroon:read"), False),
        (("uri:/lnrpc.Lightning/SendPaymentSync",), True),
        (("uri:/routerrpc.Router/SendPaymentV2",), True),
        (("uri:/lnrpc.Lightning/BakeMacaroon",), True),
        (("uri:/walletrpc.WalletKit/SendOutputs",), True),
        (("uri:/lnrpc.Lightning/AddInvoice",), False),
    ],
)
def test_a_right_to_spend_is_seen(rights: tuple[str, ...], may_spend: bool) -> None:
    """Directly, by way of another macaroon, or by the name of a call."""
    assert read_rights(a_macaroon(*rights)).may_spend is may_spend


@pytest.mark.parametrize(
    ("rights", "lacks"),
    [
        (INVOICE_RIGHTS, ()),
        (("invoices:write",), ("invoices:read",)),
        (("info:read",), ("invoices:read", "invoices:write")),
        (("uri:/lnrpc.Lightning/AddInvoice", "invoices:read"), ()),
        (("uri:/lnrpc.Lightning/AddInvoice", "uri:/lnrpc.Lightning/LookupInvoice"), ("invoices:read",)),
    ],
)
def test_a_right_that_is_missing_is_named(rights: tuple[str, ...], lacks: tuple[str, ...]) -> None:
    """A right, or every call that it stands for."""
    assert read_rights(a_macaroon(*rights)).lacks == lacks


def test_every_shorter_macaroon_is_read_or_refused_and_nothing_else_happens() -> None:
    """A file that was copied in part ends in a sentence."""
    for length in range(len(ADMIN)):
        try:
            read_rights(ADMIN[:length])
        except BadMacaroon:
            continue
        assert length > 100


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\x02\x02\x01\x04", b"\xff" * 50, b"\x02" * MACAROON_BYTES_MAX * 2])
def test_what_is_no_macaroon_of_an_lnd_is_refused(raw: bytes) -> None:
    """Whatever it is."""
    with pytest.raises(BadMacaroon):
        read_rights(raw)
