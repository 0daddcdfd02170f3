"""Tries how `ncc wallet add` reads a credential, and what it says of one that is none."""

from __future__ import annotations

from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
import typer

from services.cli.wallet_options import WalletOptions, credential_of
from services.payments.credentials import (
    BtcpayCredential,
    CashuCredential,
    ChainCredential,
    ClnCredential,
    LnbitsCredential,
    LndCredential,
    Lud16Credential,
    ManualCredential,
    NwcCredential,
    PhoenixdCredential,
    StripeCredential,
)
from tests.services.payments.test_chain_keys import WIF, XPRV, ZPUB
from tests.support.certificates import self_signed
from tests.support.scripted_cln import RUNE
from tests.support.scripted_lnd import MACAROON

SECRET = "71" * 32
INDEXER = "https://indexer.example/api/"
CONNECTION = (
    "nostr+walletconnect://b889ff5b1513b641e2a139f661a661364979c5beee91842f8f0ef42ab558e9d4"
    f"?relay=wss://relay.example&secret={SECRET}"
)


def _file(folder: Path, text: str) -> Path:
    path = folder / "key"
    path.write_text(text + "\n")
    return path


def test_each_kind_is_read_from_its_own_options(tmp_path: Path) -> None:
    """The secrets from a file; simulated money needs none."""
    lnbits = credential_of("lnbits", WalletOptions(url="https://lnbits.example/", key_file=_file(tmp_path, "abc123")))
    assert isinstance(lnbits, LnbitsCredential)
    assert (lnbits.place, lnbits.key.get_secret_value()) == ("https://lnbits.example", "abc123")
    nwc = credential_of("nwc", WalletOptions(key_file=_file(tmp_path, CONNECTION), own_network=True))
    assert isinstance(nwc, NwcCredential)
    assert (nwc.place, nwc.connection.get_secret_value(), nwc.is_near) == ("relay.example", CONNECTION, True)
    address = credential_of("lud16", WalletOptions(address="shop@example.com"))
    assert address == Lud16Credential(address="shop@example.com")
    assert credential_of("simulated", WalletOptions()) is None


def test_what_buyers_read_who_pay_by_hand_is_a_file_of_plain_text(tmp_path: Path) -> None:
    """Several lines; it names people, so it is not shown again."""
    words = "To Ann's Teas\nAT61 1904 3002 3457 3201"
    manual = credential_of("manual", WalletOptions(instructions_file=_file(tmp_path, words)))
    assert isinstance(manual, ManualCredential)
    assert (manual.place, manual.instructions.get_secret_value()) == ("by hand", words)
    assert "Ann" not in repr(manual)


def test_a_nodes_credential_is_read_from_its_files(tmp_path: Path) -> None:
    """A password, a macaroon as LND writes it or in hex, a rune; and the certificate that the node made itself."""
    certificate, _ = self_signed(tmp_path / "tls")
    phoenixd = credential_of("phoenixd", WalletOptions(url="http://127.0.0.1:9740", key_file=_file(tmp_path, "11m1")))
    assert isinstance(phoenixd, PhoenixdCredential)
    assert (phoenixd.place, phoenixd.password.get_secret_value()) == ("http://127.0.0.1:9740", "11m1")
    binary = tmp_path / "invoice.macaroon"
    binary.write_bytes(MACAROON)
    for key_file in (binary, _file(tmp_path, MACAROON.hex())):
        lnd = credential_of(
            "lnd", WalletOptions(url="https://node.example:8080/", key_file=key_file, cert_file=certificate)
        )
        assert isinstance(lnd, LndCredential)
        assert (lnd.macaroon.get_secret_value(), lnd.certificate) == (MACAROON.hex(), certificate.read_text())
    cln = credential_of("cln", WalletOptions(url="https://node.example:3010", key_file=_file(tmp_path, RUNE)))
    assert isinstance(cln, ClnCredential)
    assert (cln.rune.get_secret_value(), cln.certificate) == (RUNE, None)


def test_mints_are_named_once_each_and_have_a_cap() -> None:
    """In whatever way they are written; without TLS one has to be near, and without any there is nothing to take."""
    made = credential_of(
        "cashu", WalletOptions(mint=("https://M.example/", "https://m.example", "http://127.0.0.1:3338"))
    )
    assert made is not None
    assert made.model_dump() == {
        "network": None,
        "kind": "cashu",
        "mints": ("https://m.example", "http://127.0.0.1:3338"),
        "cap_sats": 1_000_000,
        "lock_key": None,
    }
    assert made.place == "https://m.example, http://127.0.0.1:3338"
    for wrong in ([], ["http://m.example"], ["m.example"], [f"https://{n}.example" for n in range(11)]):
        with pytest.raises(typer.Exit):
            credential_of("cashu", WalletOptions(mint=tuple(wrong)))


def test_a_lock_key_that_was_made_elsewhere_is_read_from_its_file(tmp_path: Path) -> None:
    """It prints nowhere; what is no private key is refused without being quoted."""
    made = credential_of(
        "cashu", WalletOptions(mint=("https://m.example",), lock_key_file=_file(tmp_path, "AB" * 32 + "\n"))
    )
    assert isinstance(made, CashuCredential)
    assert made.lock_key is not None
    assert made.lock_key.get_secret_value() == "ab" * 32
    assert "abab" not in repr(made)
    for wrong in ("", "ab" * 31, "0" * 64, "ff" * 32, "nsec1"):
        with pytest.raises(typer.Exit):
            credential_of("cashu", WalletOptions(mint=("https://m.example",), lock_key_file=_file(tmp_path, wrong)))


def test_what_a_vendor_signs_with_and_where_it_calls_are_read(tmp_path: Path) -> None:
    """The secret from a file, the door as an address; a store of a BTCPay Server by its id."""
    secret_file = tmp_path / "secret"
    secret_file.write_text("what it signs with\n")
    key_file, url = _file(tmp_path, "abc123"), "https://pay.example"
    btcpay = credential_of(
        "btcpay", WalletOptions(url=url, key_file=key_file, webhook_secret_file=secret_file, store="9CiNzKoA")
    )
    assert isinstance(btcpay, BtcpayCredential)
    assert (btcpay.place, btcpay.key.get_secret_value()) == (f"{url} 9CiNzKoA", "abc123")
    assert (btcpay.is_on_chain, btcpay.may_refund) == (False, False)
    both = credential_of(
        "btcpay", WalletOptions(url=url, key_file=key_file, store="9CiNzKoA", on_chain=True, may_refund=True)
    )
    assert isinstance(both, BtcpayCredential)
    assert (both.place, both.is_on_chain, both.may_refund) == (f"{url} 9CiNzKoA on the chain", True, True)
    phoenixd = credential_of("phoenixd", WalletOptions(url=url, key_file=key_file, webhook_secret_file=secret_file))
    assert isinstance(phoenixd, PhoenixdCredential)
    for called in (btcpay, phoenixd):
        assert called.webhook_secret is not None
        assert called.webhook_secret.get_secret_value() == "what it signs with"
    lnbits = credential_of("lnbits", WalletOptions(url=url, key_file=key_file, called_at="https://shop.example/"))
    assert isinstance(lnbits, LnbitsCredential)
    assert lnbits.called_at == "https://shop.example"


def test_a_card_account_is_read_from_its_key_and_where_its_buyers_land(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key from a file, a page with TLS; what is none of Stripe's keys is not shown, nor is it tried."""
    key_file, secret_file, url = _file(tmp_path, "rk_live_51Ncc"), tmp_path / "secret", "https://shop.example/thanks"
    secret_file.write_text("whsec_1\n")
    made = credential_of("stripe", WalletOptions(key_file=key_file, webhook_secret_file=secret_file, success_url=url))
    assert isinstance(made, StripeCredential)
    assert (made.place, made.success_url, made.key.get_secret_value()) == (
        "https://api.stripe.com",
        url,
        "rk_live_51Ncc",
    )
    assert made.webhook_secret is not None
    assert [word in f"{made!r}" for word in ("rk_live", "whsec")] == [False, False]
    for key, landing in (("rk_live_51Ncc", "http://shop.example"), (f"pk_live_{SECRET}", url), ("rk_live_", url)):
        with pytest.raises(typer.Exit):
            credential_of("stripe", WalletOptions(key_file=_file(tmp_path, key), success_url=landing))
    said = " ".join(capsys.readouterr().err.split())
    assert ["--success-url" in said, "rk_ or sk_" in said, SECRET in said] == [True, True, False]


def test_a_vendor_that_cannot_be_called_back_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A door without TLS in the world, a secret file without a line, a store that is none."""
    key_file, url, empty = _file(tmp_path, "abc123"), "https://pay.example", tmp_path / "empty"
    empty.write_text("\n")
    for kind, more in (
        ("lnbits", {"called_at": "http://shop.example"}),
        ("phoenixd", {"webhook_secret_file": empty}),
        ("btcpay", {"store": "9CiN/../other"}),
        ("btcpay", {}),
    ):
        with pytest.raises(typer.Exit):
            credential_of(kind, WalletOptions(url=url, key_file=key_file, **more))
    said = capsys.readouterr().err
    assert [word in said for word in ("--called-at", "signs its webhooks", "--store 9CiN", "--store ID")] == [True] * 4


def test_an_account_on_the_chain_is_read_from_its_file(tmp_path: Path) -> None:
    """Its public key or a descriptor, the indexer, and the shop's own rules."""
    plain = credential_of("chain", WalletOptions(xpub_file=_file(tmp_path, ZPUB), indexer=INDEXER))
    assert isinstance(plain, ChainCredential)
    assert (plain.place, plain.account.get_secret_value()) == ("https://indexer.example/api", ZPUB)
    assert (plain.confirmations, plain.gap_limit) == (None, 20)
    text = f"wpkh({ZPUB}/0/*)"
    ruled = credential_of(
        "chain", WalletOptions(xpub_file=_file(tmp_path, text), indexer=INDEXER, confirmations=6, gap_limit=100)
    )
    assert isinstance(ruled, ChainCredential)
    assert (ruled.account.get_secret_value(), ruled.confirmations, ruled.gap_limit) == (text, 6, 100)


@pytest.mark.parametrize(
    ("text", "indexer", "words"),
    [
        (XPRV, INDEXER, "can spend"),
        (WIF, INDEXER, "can spend"),
        ("abandon " * 11 + "about", INDEXER, "can spend"),
        ("hello", INDEXER, "no public key of an account"),
        (ZPUB, None, "--indexer"),
        (ZPUB, "http://indexer.example/api", "never were"),
    ],
)
def test_a_key_that_can_spend_or_an_open_line_to_the_indexer_is_refused(
    text: str, indexer: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, in which no part of the key stands."""
    with pytest.raises(typer.Exit) as ended:
        credential_of("chain", WalletOptions(xpub_file=_file(tmp_path, text), indexer=indexer))
    said = " ".join(capsys.readouterr().err.split())
    assert (ended.value.exit_code, words in said) == (2, True)
    assert text[:12] not in said


def test_a_certificate_that_is_none_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the node is called with it."""
    for path in (_file(tmp_path, RUNE), tmp_path / "nowhere"):
        with pytest.raises(typer.Exit):
            credential_of(
                "cln", WalletOptions(url="https://node.example", key_file=_file(tmp_path, RUNE), cert_file=path)
            )
    assert capsys.readouterr().err.count("certificate") >= 2


def test_a_connection_is_read_from_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it need not stand in a file at all."""
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(CONNECTION.encode() + b"\n")))
    nwc = credential_of("nwc", WalletOptions(key_file=Path("-")))
    assert isinstance(nwc, NwcCredential)
    assert nwc.connection.get_secret_value() == CONNECTION


@pytest.mark.parametrize(
    ("kind", "url", "words"),
    [
        ("phoenixd", "http://node.example", "without https"),
        ("lnd", "https://node.example", "no macaroon"),
        ("cln", "https://node.example", "no rune"),
    ],
)
def test_what_opens_no_node_is_said_without_being_shown(
    kind: str, url: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A password over an open line, a key of another kind."""
    with pytest.raises(typer.Exit) as ended:
        credential_of(kind, WalletOptions(url=url, key_file=_file(tmp_path, SECRET + "!")))
    said = capsys.readouterr()
    assert (ended.value.exit_code, words in " ".join(said.err.split()), SECRET in said.err) == (2, True, False)


@pytest.mark.parametrize(
    ("kind", "text", "address", "words"),
    [
        ("gold", None, None, "lnbits, nwc, lud16, phoenixd, lnd, cln, btcpay, cashu, chain, manual, stripe"),
        ("lnbits", None, None, "--url"),
        ("nwc", None, None, "--key-file"),
        ("nwc", f"nostr+walletconnect://nobody?secret={SECRET}", None, "public key"),
        ("phoenixd", None, None, "limited-access"),
        ("lnd", None, None, "invoice.macaroon"),
        ("cln", None, None, "rune"),
        ("chain", None, None, "--xpub-file"),
        ("manual", None, None, "--instructions-file"),
        ("stripe", None, None, "--success-url"),
        ("lud16", None, None, "--address"),
        ("lud16", None, "no address", "no address"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence_without_the_secret(
    kind: str, text: str | None, address: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What, where, what to do; exit code 2."""
    with pytest.raises(typer.Exit) as ended:
        credential_of(kind, WalletOptions(key_file=None if text is None else _file(tmp_path, text), address=address))
    said = capsys.readouterr()
    assert ended.value.exit_code == 2
    assert words in " ".join((said.out + said.err).split())
    assert SECRET not in said.out + said.err


@pytest.mark.parametrize(
    ("kind", "said", "whose"),
    [
        ("lnbits", WalletOptions(store="9CiNzKoA"), "--store is for btcpay: a lnbits wallet"),
        ("simulated", WalletOptions(own_network=True), "--own-network is for nwc and lud16: a simulated wallet"),
        ("chain", WalletOptions(spend_key_file=Path("admin.key")), "--spend-key-file is for lnbits: a chain wallet"),
        ("btcpay", WalletOptions(mint=("https://mint.example",)), "--mint is for cashu: a btcpay wallet"),
    ],
)
def test_an_option_of_another_kind_is_refused_and_not_left_out(
    kind: str, said: WalletOptions, whose: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody who says it believes that it does something."""
    with pytest.raises(typer.Exit):
        credential_of(kind, said)
    assert whose in capsys.readouterr().err
