"""Tries addresses of an account's key against the published vectors, and that no key which can spend is read."""

from __future__ import annotations

import pytest

from schemas.bolt11 import Network
from services.payments.chain_keys import BadKey, Script, networks_of, read_account

ZPUB = "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs"
XPUB = "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ"
UPUB = "upub5EFU65HtV5TeiSHmZZm7FUffBGy8UKeqp7vw43jYbvZPpoVsgU93oac7Wk3u6moKegAEWtGNF8DehrnHtv21XXEMYRUocHqguyjknFHYfgY"
TPUB = "tpubDD7tXK8KeQ3YY83yWq755fHY2JW8Ha8Q765tknUM5rSvjPcGWfUppDFMpQ1ScziKfW3ZNtZvAD7M3u7bSs7HofjTD3KP3YxPK7X6hwV8Rk2"
XPRV = "xprv9xgqHN7yz9MwCkxsBPN5qetuNdQSUttZNKw1dcYTV4mkaAFiBVGQziHs3NRSWMkCzvgjEe3n9xV8oYywvM8at9yRqyaZVz6TYYhX98VjsUk"
WIF = "KyZpNDKnfs94vbrwhJneDi77V6jF64PWPF8x5cdJb8ifgg2DUc9d"
SEED = "abandon " * 11 + "about"


def test_the_addresses_of_bip_84() -> None:
    """Its first and its second for receiving, from the account's extended key."""
    account = read_account(ZPUB)
    assert [account.address(index, Network.BITCOIN) for index in (0, 1)] == [
        "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
        "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g",
    ]


@pytest.mark.parametrize(
    "text", [f"tr({XPUB}/0/*)", f"tr([73c5da0a/86'/0'/0']{XPUB}/<0;1>/*)", f"tr({XPUB}/0/*)#8e7pq23w"]
)
def test_the_addresses_of_bip_86(text: str) -> None:
    """Its first and its second for receiving, with and without origin and checksum (BIP-380)."""
    account = read_account(text)
    assert [account.address(index, Network.BITCOIN) for index in (0, 1)] == [
        "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
        "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh",
    ]


@pytest.mark.parametrize("text", [UPUB, f"sh(wpkh({TPUB}/0/*))"])
def test_the_address_of_bip_49(text: str) -> None:
    """Its one vector, on the test network; the letters of the key and the descriptor say the same."""
    account = read_account(text)
    assert account.address(0, Network.TESTNET) == "2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2"
    assert account.kind is Script.SH_WPKH


def test_one_account_has_one_name_however_it_is_written() -> None:
    """A book of addresses goes on when its owner writes the key another way; another account has another name."""
    names = {read_account(text).name for text in (f"tr({XPUB}/0/*)", f"tr([73c5da0a/86h/0h/0h]{XPUB}/{{0,1}}/*)")}
    assert len(names) == 1
    assert read_account(XPUB).name == read_account(f"wpkh({XPUB}/0/*)").name
    assert len({*names, read_account(XPUB).name, read_account(ZPUB).name, read_account(f"wpkh({XPUB}/1/*)").name}) == 4


def test_a_key_is_for_the_networks_its_letters_say() -> None:
    """A test's key on the main network would take real money that nobody finds."""
    with pytest.raises(BadKey, match="bitcoin"):
        read_account(ZPUB).address(0, Network.REGTEST)
    with pytest.raises(BadKey, match="testnet"):
        read_account(TPUB).address(0, Network.BITCOIN)
    addresses = [read_account(TPUB).address(0, network) for network in (Network.TESTNET, Network.REGTEST)]
    assert [address.partition("1")[0] for address in addresses] == ["tb", "bcrt"]


@pytest.mark.parametrize(
    "text", [XPRV, f"wpkh({XPRV}/0/*)", f"wpkh({WIF})", WIF, SEED, f"  tr([73c5da0a/86'/0'/0']{XPRV}/0/*)\n"]
)
def test_what_can_spend_is_refused_and_not_repeated(text: str) -> None:
    """An extended private key, a private key, the words of a seed: none is read, none is quoted."""
    with pytest.raises(BadKey, match="can spend") as raised:
        read_account(text)
    assert not {XPRV[:12], WIF[:12], "abandon"} & set(str(raised.value).split())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        ZPUB[:-1] + "t",
        ZPUB[:-3],
        f"tr({XPUB}/0/*)#8e7pq23x",
        f"wpkh({XPUB}/0/*)#é",
        f"wpkh({XPUB}/0/0)",
        f"wpkh({XPUB}/0h/*)",
        f"wpkh({XPUB}/0/*h)",
        f"wpkh({XPUB}/4294967296/*)",
        f"sh(wpkh({XPUB}/0/*)",
        f"wpkh({XPUB}/0/*))",
        f"pkh({XPUB}/0/*)",
        f"wsh(multi(1,{XPUB}/0/*))",
        f"tr({XPUB}/0/*,pk({XPUB}/1/*))",
        "raw(deadbeef)#89f8spxm",
        "x" * 1_000,
        # The master key's public half (BIP-32, vector 1): no wallet keeps its addresses right below it.
        "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8",
    ],
)
def test_what_gives_no_addresses_is_refused(text: str) -> None:
    """Wrong letters, wrong checksums, several signers, a single address, hardened steps, a master key."""
    with pytest.raises(BadKey):
        read_account(text)


@pytest.mark.parametrize(
    ("address", "networks"),
    [
        ("bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", {Network.BITCOIN}),
        ("bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr", {Network.BITCOIN}),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", {Network.BITCOIN}),
        ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", {Network.TESTNET, Network.SIGNET}),
        ("2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2", {Network.TESTNET, Network.SIGNET, Network.REGTEST}),
        ("bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyv", set()),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", set()),
        ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", set()),
        ("lnbc1", set()),
        ("", set()),
        ("1", set()),
        ("é", set()),
    ],
)
def test_an_address_says_what_network_it_is_for(address: str, networks: set[Network]) -> None:
    """One with a wrong letter is for none."""
    assert networks_of(address) == networks
