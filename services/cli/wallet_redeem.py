"""`ncc wallet redeem`: swaps ecash that came for no order, as a gift's, so that it is the shop's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from schemas.cashu.faults import TokenRefused
from schemas.cashu.tokens import Token, read_token
from schemas.dialects.shown_tokens import token_in_nutzap
from schemas.nostr.nip01 import EventRefused, read_event
from services.cli.client import Stack
from services.cli.merchant import Who, find_merchant
from services.cli.options import Home, Json
from services.cli.output import as_json, fail, fields
from services.cli.wallet_options import secret_in
from services.home import Home as HomeFolder
from services.payments.cashu import EcashWallet
from services.payments.credentials import BadCredential, CashuCredential, WalletStore
from services.payments.port import BackendError
from services.payments.wallets import open_wallet

SWAP_TIMEOUT_S = 30.0


def redeem(
    who: Who,
    token_file: Annotated[
        Path, typer.Option(help="File with the token, or with a nutzap as relays have it. - is the input.")
    ],
    home: Home = None,
    json_: Json = False,
) -> None:
    """Swap ecash that is for no order, a gift in a letter: it lies in the shop's wallet then, and in no books."""
    row = find_merchant(Stack(home or Path()), who)
    store = WalletStore.of(HomeFolder(home or Path()))
    try:
        credential = store.get(row["public_key"])
    except BadCredential as bad:
        fail(f"{row['name']}: {bad}")
    if not isinstance(credential, CashuCredential):
        fail(f"{row['name']} takes no ecash here: `ncc wallet add {row['name']} cashu` has it do so")
    try:
        token = _read(secret_in(token_file))
        asyncio.run(_keep(store, credential, row["public_key"], token))
    except EventRefused as refused:
        fail(f"{token_file} holds neither a token nor an event: {refused}", 2)
    except TokenRefused as refused:
        fail(f"the token was not taken: {refused}", 2)
    except BackendError as error:
        fail(f"the token's mint was asked and is to be asked again: {error}", 3)
    shown = {"shop": row["name"], "mint": token.mint, "sats": token.amount}
    if json_:
        as_json(shown)
    else:
        fields("swapped, before the mint's fee", shown)


def _read(text: str) -> Token:
    if text.startswith("{"):
        text = token_in_nutzap(read_event(text).tags).text or ""
    first = text.split(maxsplit=1)[:1]
    return read_token("".join(first))


async def _keep(store: WalletStore, credential: CashuCredential, merchant: str, token: Token) -> None:
    wallet = open_wallet(credential, store.book(merchant), seed=store.seed(merchant))
    assert isinstance(wallet, EcashWallet), "a cashu credential opens such a wallet"
    try:
        await wallet.keep(token, timeout_s=SWAP_TIMEOUT_S)
    finally:
        await wallet.close()
