"""Lightning addresses that are served here: names, what they say, and answers that our own reader takes."""

from __future__ import annotations

import orjson
import pytest

from schemas.lnurl import ServiceSaysNo, read_address, read_made, read_terms, read_verified
from schemas.lnurl_served import (
    Called,
    base_url,
    called,
    description_hash,
    made,
    metadata,
    order_address,
    order_description_hash,
    order_memo,
    refusal,
    shop_memo,
    terms,
    verified,
)
from schemas.shops import ShopSettings

REF = "0123456789abcdef" * 2
ADDRESS = "tea_shop-1@shop.example:8443"


def test_a_name_is_a_shops_or_that_of_one_of_its_orders() -> None:
    """What comes after the dot is an order's reference, in full."""
    assert called("shop") == Called("shop", None)
    assert called(f"shop.{REF}") == Called("shop", REF)
    for odd in ("", "Shop", "shop.", f"shop.{REF[:-1]}", f"shop.{REF}0", f"shop.{REF.upper()}", "a.b", "x" * 32, "é"):
        assert called(odd) is None


def test_an_orders_own_address_is_one_that_wallets_take() -> None:
    """It fits the grammar of LUD-16, and its name leads back to the shop and the order."""
    found = read_address(order_address(ADDRESS, REF))
    assert called(found.name) == Called("tea_shop-1", REF)
    assert found.domain == "shop.example:8443"


def test_terms_are_read_by_our_own_reader_and_commit_to_their_metadata() -> None:
    """Amounts, callback and metadata as they were said; the hash is that of the very text."""
    said = metadata(ADDRESS, shop_memo(ADDRESS))
    read = read_terms(orjson.dumps(terms("https://shop.example/lnurlp/shop", 1_000, 2_000, said)))

    assert (read.min_msat, read.max_msat, read.callback) == (1_000, 2_000, "https://shop.example/lnurlp/shop")
    assert read.description_hash == description_hash(said)
    assert orjson.loads(read.metadata) == [["text/plain", f"To {ADDRESS}"], ["text/identifier", ADDRESS]]


def test_what_an_orders_request_commits_to_is_what_its_own_address_says() -> None:
    """The decider and the door reckon it apart."""
    assert order_description_hash(ADDRESS, REF) == description_hash(
        metadata(order_address(ADDRESS, REF), order_memo(REF))
    )


def test_answers_are_read_by_our_own_reader() -> None:
    """An invoice with where to ask for it; how it stands, never with a preimage; an error with its reason."""
    invoice = read_made(orjson.dumps(made("lnbc1", "https://shop.example/verify")))
    assert (invoice.text, invoice.verify) == ("lnbc1", "https://shop.example/verify")
    for is_settled in (True, False):
        state = read_verified(orjson.dumps(verified("lnbc1", is_settled=is_settled)))
        assert (state.is_settled, state.text, state.preimage) == (is_settled, "lnbc1", None)
    with pytest.raises(ServiceSaysNo, match="bad_amount"):
        read_made(orjson.dumps(refusal("bad_amount")))


def test_only_this_machine_and_onion_services_do_without_tls() -> None:
    """As LUD-16 wants it."""
    assert base_url("shop@127.0.0.1:8090") == "http://127.0.0.1:8090"
    assert base_url("shop@abcdef.onion") == "http://abcdef.onion"
    for host in ("shop.example", "127.0.0.1.example", "localhost.example"):
        assert base_url(f"shop@{host}") == f"https://{host}"


def test_a_shop_has_an_address_of_the_form_that_is_served_or_none() -> None:
    """The sentence says how one is written."""
    assert ShopSettings(lightning_address=ADDRESS).lightning_address == ADDRESS
    assert ShopSettings().lightning_address == ""
    for odd in ("shop", "@shop.example", "Shop@shop.example", "a.b@shop.example", f"{'x' * 32}@shop.example"):
        with pytest.raises(ValueError, match="written like name@host"):
            ShopSettings(lightning_address=odd)
