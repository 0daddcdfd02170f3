"""Tries how `ncc wallet add` reads a credential, and what it says of one that is none."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
import typer

from services.cli.wallet_options import credential_of
from services.payments.credentials import LnbitsCredential, Lud16Credential, NwcCredential

SECRET = "71" * 32
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
    lnbits = credential_of("lnbits", "https://lnbits.example/", _file(tmp_path, "abc123"), None, False)
    assert isinstance(lnbits, LnbitsCredential)
    assert (lnbits.place, lnbits.key.get_secret_value()) == ("https://lnbits.example", "abc123")
    nwc = credential_of("nwc", None, _file(tmp_path, CONNECTION), None, True)
    assert isinstance(nwc, NwcCredential)
    assert (nwc.place, nwc.connection.get_secret_value(), nwc.is_near) == ("relay.example", CONNECTION, True)
    address = credential_of("lud16", None, None, "shop@example.com", False)
    assert address == Lud16Credential(address="shop@example.com")
    assert credential_of("simulated", None, None, None, False) is None


def test_a_connection_is_read_from_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it need not stand in a file at all."""
    monkeypatch.setattr("sys.stdin", StringIO(CONNECTION + "\n"))
    nwc = credential_of("nwc", None, Path("-"), None, False)
    assert isinstance(nwc, NwcCredential)
    assert nwc.connection.get_secret_value() == CONNECTION


@pytest.mark.parametrize(
    ("kind", "text", "address", "words"),
    [
        ("gold", None, None, "lnbits, nwc, lud16"),
        ("lnbits", None, None, "--url"),
        ("nwc", None, None, "--key-file"),
        ("nwc", f"nostr+walletconnect://nobody?secret={SECRET}", None, "public key"),
        ("lud16", None, None, "--address"),
        ("lud16", None, "no address", "no address"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence_without_the_secret(
    kind: str, text: str | None, address: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What, where, what to do; exit code 2."""
    with pytest.raises(typer.Exit) as ended:
        credential_of(kind, None, None if text is None else _file(tmp_path, text), address, False)
    said = capsys.readouterr()
    assert ended.value.exit_code == 2
    assert words in " ".join((said.out + said.err).split())
    assert SECRET not in said.out + said.err
