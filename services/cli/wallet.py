"""`ncc wallet`: where each shop is paid into, and the simulated wallet as a buyer uses it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import Stack
from services.cli.merchant import Who, find_merchant
from services.cli.options import Home, Json
from services.cli.output import OUT, as_json, fail, fields, table
from services.cli.wallet_ecash import purses, withdraw
from services.cli.wallet_options import WalletOptions, credential_of
from services.cli.wallet_received import received
from services.cli.wallet_redeem import redeem
from services.home import Home as HomeFolder
from services.payments.credentials import (
    CASHU,
    BadCredential,
    CashuCredential,
    Credential,
    WalletStore,
    is_same_wallet,
    spare_of,
)
from services.payments.lud16 import LightningAddress
from services.payments.notices import HOOKS, hook_token, hook_url
from services.payments.port import BackendError
from services.payments.simulated import PaymentRefused, SimulatedWallet
from services.payments.wallet_check import WalletCheck, check_wallet
from services.payments.wallets import CALLED, SIMULATED, open_wallet
from services.signer.keystore import secret_of

CHECK_TIMEOUT_S = 20.0
MOST_SATS = 21_000_000 * 100_000_000
KINDS_HELP = (
    "lnbits, nwc, lud16, phoenixd, lnd, cln, btcpay, cashu, chain, manual, stripe, or simulated for play money."
)
KEY_HELP = (
    "lnbits: file with the wallet's invoice key. nwc: with its connection. phoenixd: with its limited password."
    " lnd: its invoice.macaroon. cln: with a rune. btcpay: with an API key. stripe: with a restricted key."
    " - is the input."
)
UNPAID = (
    "SELECT count() AS n FROM orders_now WHERE merchant = {m:String} AND status IN ('waiting', 'pending')"
    " AND payment IN ('wanted', 'requested', 'reported', 'partial')"
)

wallet_app = typer.Typer(no_args_is_help=True, help="Where each shop is paid into.")
app = typer.Typer()
app.add_typer(wallet_app, name="wallet")
wallet_app.command("withdraw")(withdraw)
wallet_app.command("redeem")(redeem)
wallet_app.command("received")(received)

Despite = Annotated[
    bool, typer.Option("--despite-open", help="Even while buyers hold invoices of the wallet the shop has now.")
]
Spare = Annotated[
    bool, typer.Option("--spare", help="The shop's second wallet, for orders that come while its own does not answer.")
]


@wallet_app.callback()
def wallet() -> None:
    """Give a shop its wallet, try it, take it away; and pay as a buyer would where the money is simulated."""


@wallet_app.command("add")
def wallet_add(
    who: Who,
    kind: Annotated[str, typer.Argument(help=KINDS_HELP)],
    home: Home = None,
    url: Annotated[
        str | None, typer.Option(help="lnbits, phoenixd, lnd, cln, btcpay: the server, https://HOST.")
    ] = None,
    key_file: Annotated[Path | None, typer.Option(help=KEY_HELP)] = None,
    cert_file: Annotated[
        Path | None, typer.Option(help="lnd, cln: the node's own TLS certificate, tls.cert or ca.pem.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="lud16: the lightning address, NAME@HOST.")] = None,
    xpub_file: Annotated[
        Path | None, typer.Option(help="chain: file with an account's xpub, zpub or descriptor. - is the input.")
    ] = None,
    indexer: Annotated[str | None, typer.Option(help="chain: an Esplora API, https://HOST/api.")] = None,
    confirmations: Annotated[
        int | None, typer.Option(min=1, max=100, help="chain: blocks that any payment needs; else by its amount.")
    ] = None,
    gap_limit: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="chain: how far ahead your wallet looks for payments.")
    ] = None,
    own_network: Annotated[
        bool, typer.Option("--own-network", help="nwc, lud16: its server is in your own network, TLS or not.")
    ] = False,
    webhook_secret_file: Annotated[
        Path | None, typer.Option(help="phoenixd, btcpay, stripe: file with what it signs its webhooks with.")
    ] = None,
    called_at: Annotated[
        str | None, typer.Option(help="lnbits: the buyers' door as that server reaches it; it then calls there.")
    ] = None,
    store_id: Annotated[str | None, typer.Option("--store", help="btcpay: the store's id.")] = None,
    on_chain: Annotated[
        bool, typer.Option("--on-chain", help="btcpay: paid on the chain and not over Lightning.")
    ] = False,
    may_refund: Annotated[
        bool, typer.Option("--may-refund", help="btcpay: its key may also give out links to claim refunds by.")
    ] = False,
    mint: Annotated[
        list[str] | None, typer.Option(help="cashu: a mint whose ecash is taken, https://HOST; may be given again.")
    ] = None,
    cap_sats: Annotated[
        int | None, typer.Option(min=1, max=MOST_SATS, help="cashu: what may lie at one mint; 1,000,000 if not said.")
    ] = None,
    lock_key_file: Annotated[
        Path | None, typer.Option(help="cashu: file with the private key to the mint list's, if made elsewhere; hex.")
    ] = None,
    instructions_file: Annotated[
        Path | None, typer.Option(help="manual: file that tells buyers where to pay. - is the input.")
    ] = None,
    success_url: Annotated[
        str | None, typer.Option(help="stripe: where a buyer lands who has paid, https://HOST.")
    ] = None,
    spend_key_file: Annotated[
        Path | None, typer.Option(help="lnbits: file with the wallet's admin key, which pays refunds out.")
    ] = None,
    despite_open: Despite = False,
    spare: Spare = False,
    json_: Json = False,
) -> None:
    """Have a shop paid into this wallet from its next order on; the wallet is tried first."""
    stack = Stack(home or Path())
    row = find_merchant(stack, who)
    store = WalletStore.of(HomeFolder(home or Path()))
    said = WalletOptions(
        url=url,
        key_file=key_file,
        cert_file=cert_file,
        address=address,
        own_network=own_network,
        webhook_secret_file=webhook_secret_file,
        called_at=called_at,
        spend_key_file=spend_key_file,
        store=store_id,
        on_chain=on_chain,
        may_refund=may_refund,
        mint=tuple(mint or ()),
        cap_sats=cap_sats,
        lock_key_file=lock_key_file,
        xpub_file=xpub_file,
        indexer=indexer,
        confirmations=confirmations,
        gap_limit=gap_limit,
        instructions_file=instructions_file,
        success_url=success_url,
    )
    credential = credential_of(kind, said)
    if spare and kind == CASHU:
        fail("ecash cannot stand in for another wallet: tokens are handed to the shop's own", 2)
    if not spare and not _is_open(store, row, credential):
        _refuse_while_open(stack, row, despite_open)
    found: WalletCheck | None = None
    place = spare_of(row["public_key"]) if spare else row["public_key"]
    if credential is not None:
        found = _checked(HomeFolder(stack.home), credential, row, place, is_accepted=True)
        credential = credential.model_copy(update={"network": found.network})
        store.put(place, credential)
    _say_wallet(stack, row, {"spare_wallet" if spare else "wallet": kind})
    if credential is None:
        store.remove(place)
    shown = _shown(row["name"], kind, credential, found) | _called(stack, row, place, kind)
    if json_:
        as_json(shown)
    else:
        when = "while its own does not answer" if spare else "now"
        fields(f"{row['name']} is paid into this wallet {when}", shown)


@wallet_app.command("check")
def wallet_check(
    who: Who,
    accept: Annotated[
        bool, typer.Option("--accept", help="lud16: what the address says of itself now is right, use it again.")
    ] = False,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Try a shop's wallet: what its credential may do and lacks, whether its invoices are good, where to call it."""
    stack = Stack(home or Path())
    row = find_merchant(stack, who)
    store = WalletStore.of(HomeFolder(home or Path()))
    credential = _kept(store, row)
    if credential is None:
        shown = _shown(row["name"], SIMULATED, None, None)
    else:
        found = _checked(HomeFolder(stack.home), credential, row, row["public_key"], is_accepted=accept)
        shown = _shown(row["name"], credential.kind, credential, found)
        shown |= _called(stack, row, row["public_key"], credential.kind)
        if isinstance(credential, CashuCredential):
            shown |= purses(store, credential, row["public_key"])
    if json_:
        as_json(shown)
    else:
        fields(row["name"], shown)


@wallet_app.command("list")
def wallet_list(home: Home = None, json_: Json = False) -> None:
    """Every shop's wallet."""
    rows = []
    store = WalletStore.of(HomeFolder(home or Path()))
    for row in Stack(home or Path()).get("/merchants"):
        rows.append(_listed(store, row, row["public_key"], row["wallet"], "always"))
        if row["spare_wallet"]:
            rows.append(_listed(store, row, spare_of(row["public_key"]), row["spare_wallet"], "spare"))
    if json_:
        as_json(rows)
        return
    columns = ("shop", "kind", "used", "at", "network", "credential")
    table(
        "Wallets",
        columns,
        ([row[column] for column in columns] for row in rows),
        "No merchant yet: add one with `ncc merchant add NAME`.",
    )


def _listed(store: WalletStore, row: dict[str, Any], place: str, kind: str, used: str) -> dict[str, Any]:
    """One wallet of a shop, as it is listed."""
    try:
        credential = store.get(place)
    except BadCredential:
        credential = None
    is_missing = kind != SIMULATED and (credential is None or credential.kind != kind)
    at, network = (credential.place, credential.network or "") if credential else ("", "")
    return {
        "shop": row["name"],
        "public_key": row["public_key"],
        "kind": kind,
        "used": used,
        "at": at,
        "network": network,
        "credential": "missing" if is_missing else "here" if credential else "not needed",
    }


@wallet_app.command("remove")
def wallet_remove(
    who: Who, home: Home = None, despite_open: Despite = False, spare: Spare = False, json_: Json = False
) -> None:
    """Destroy the credential of a shop's wallet; its orders then wait until another wallet is added."""
    stack = Stack(home or Path())
    row = find_merchant(stack, who)
    _refuse_while_open(stack, row, despite_open)
    if spare:
        _say_wallet(stack, row, {"spare_wallet": None})
        WalletStore.of(HomeFolder(home or Path())).remove(spare_of(row["public_key"]))
        if json_:
            as_json({"shop": row["name"], "removed": True})
        else:
            OUT.print(f"{row['name']} has no spare wallet now")
        return
    was_there = WalletStore.of(HomeFolder(home or Path())).remove(row["public_key"])
    if not was_there:
        fail(f"{row['name']} has no credential here: `ncc wallet list` shows which shops have one")
    if json_:
        as_json({"shop": row["name"], "removed": True})
    else:
        OUT.print(f"{row['name']} has no wallet now: its orders wait until `ncc wallet add`")


@wallet_app.command("pay")
def wallet_pay(
    invoice: str,
    sats: Annotated[
        int | None, typer.Option(min=1, max=MOST_SATS, help="Pay so much, less or more than asked.")
    ] = None,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Pay an invoice of the simulated wallet; prints the preimage, or that a part is there."""
    paid = _with_wallet(home, lambda wallet: wallet.pay(invoice) if sats is None else wallet.pay_sats(invoice, sats))
    if json_:
        as_json({"preimage": paid.hex() if paid else None})
    else:
        OUT.print(paid.hex() if paid else f"{sats} sats are there; the invoice waits for the rest")


@wallet_app.command("reverse")
def wallet_reverse(invoice: str, home: Home = None, json_: Json = False) -> None:
    """Take back what was paid on an invoice, as a chargeback does."""
    _with_wallet(home, lambda wallet: wallet.reverse(invoice))
    if json_:
        as_json({"reversed": True})
    else:
        OUT.print("what was paid on the invoice is taken back")


def _with_wallet[T](home: Path | None, do: Callable[[SimulatedWallet], Coroutine[None, None, T]]) -> T:
    path = (home or Path()) / "wallet" / "simulated.db"
    if not path.exists():
        fail(f"there is no simulated wallet in {home}: start the stack with `ncc up` first", 3)
    wallet = SimulatedWallet(path)
    try:
        return asyncio.run(do(wallet))
    except (PaymentRefused, BackendError) as refused:
        fail(str(refused), 2)
    finally:
        wallet.close()


def _kept(store: WalletStore, row: dict[str, Any]) -> Credential | None:
    """A shop's credential; None where its money is simulated."""
    if row["wallet"] == SIMULATED:
        return None
    try:
        credential = store.get(row["public_key"])
    except BadCredential as bad:
        fail(f"{row['name']}: {bad}")
    if credential is None:
        fail(f"this home has no {row['wallet']} wallet for {row['name']}: `ncc wallet add` gives it one")
    return credential


def _say_wallet(stack: Stack, row: dict[str, Any], what: dict[str, Any]) -> None:
    """Have the merchant's configuration name another wallet, or spare one."""
    stack.post("/merchants", {name: row[name] for name in ("public_key", "name", "relays", "wallet")} | what)


def _checked(
    home: HomeFolder, credential: Credential, row: dict[str, Any], place: str, *, is_accepted: bool
) -> WalletCheck:
    """What a live try found; ends with a sentence where the wallet cannot be used.

    One that `is_accepted` is held to what it says now, and no more to what it said when it was added.
    """

    token = hook_token(secret_of(home, HOOKS), place, credential.kind)

    async def check() -> WalletCheck:
        store = WalletStore.of(home)
        backend = open_wallet(credential, store.book(place), token, seed=store.seed(place))
        try:
            if is_accepted and isinstance(backend, LightningAddress):
                backend.accept()
            return await check_wallet(backend, int(time.time()), CHECK_TIMEOUT_S)
        finally:
            await backend.close()

    try:
        found = asyncio.run(check())
    except BackendError as error:
        fail(f"the wallet of {row['name']} cannot be used: {error}", 3)
    if found.faults:
        fail(f"the wallet of {row['name']} is not good for it: {'; '.join(found.faults)}", 3)
    return found


def _called(stack: Stack, row: dict[str, Any], place: str, kind: str) -> dict[str, Any]:
    """The address to enter at the vendor, and how often it was called; nothing while nobody could call."""
    door = stack.get("/places")["service_url"]
    if not door or kind not in CALLED:
        return {}
    token = hook_token(secret_of(HomeFolder(stack.home), HOOKS), place, kind)
    calls = {one["outcome"]: one["calls"] for one in stack.get("/webhooks") if one["public_key"] == row["public_key"]}
    return {"webhook": hook_url(door, token), "webhook_calls": calls}


def _is_open(store: WalletStore, row: dict[str, Any], credential: Credential | None) -> bool:
    """Whether the shop is paid into this very wallet already."""
    try:
        known = store.get(row["public_key"])
    except BadCredential:
        known = None
    if credential is None:
        return bool(row["wallet"] == SIMULATED)
    return known is not None and row["wallet"] == credential.kind and is_same_wallet(known, credential)


def _refuse_while_open(stack: Stack, row: dict[str, Any], despite_open: bool) -> None:
    """An invoice of the old wallet may be paid, and nobody would look there any more."""
    unpaid = int(stack.post("/sql", {"sql": UNPAID, "params": {"m": row["public_key"]}})[0]["n"])
    if unpaid and not despite_open:
        fail(
            f"{unpaid} unpaid orders of {row['name']} hold invoices of the wallet it has now: wait until they are"
            " paid or over, or say --despite-open and watch that wallet yourself"
        )


def _shown(name: str, kind: str, credential: Credential | None, found: WalletCheck | None) -> dict[str, Any]:
    shown: dict[str, Any] = {"shop": name, "kind": kind}
    if credential is not None and found is not None:
        shown |= {"at": credential.place, "network": found.network, "may": list(found.may)}
        shown |= {"lacks": list(found.lacks), "clock_offset_s": found.clock_offset_s, "warnings": list(found.warnings)}
    return shown
