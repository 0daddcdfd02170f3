"""`ncc wallet withdraw`: takes a shop's ecash out of this home, and shows what lies at its mints."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.cashu.tokens import PROOFS_MAX, SAT, Token, mint_name, write_token
from services.cli.client import Stack
from services.cli.merchant import Who, find_merchant
from services.cli.options import Home, Json
from services.cli.output import OUT, as_json, fail, fields
from services.home import Home as HomeFolder
from services.home import write_atomic
from services.payments.cashu import EcashWallet
from services.payments.cashu_book import Book, Withdrawal
from services.payments.credentials import CashuCredential, WalletStore
from services.payments.port import BackendError
from services.payments.wallets import ecash_book, open_wallet

ASK_TIMEOUT_S = 20.0


def withdraw(
    who: Who,
    mint: Annotated[str | None, typer.Option(help="Of this mint, where the shop has ecash of several.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="Write the token there, for its owner alone, and do not show it.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="The last one once more; nothing more is taken out.")] = False,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Take a shop's ecash out as a token: whoever has that has the money. It is marked as given out first."""
    row = find_merchant(Stack(home or Path()), who)
    if file is not None and file.exists():
        fail(f"{file} is there already: name another file", 2)
    store = WalletStore.of(HomeFolder(home or Path()))
    path = ecash_book(store.book(row["public_key"]))
    if not path.exists():
        fail(f"{row['name']} has no ecash here: `ncc wallet list` shows what it is paid into")
    try:
        book = Book(path, store.seed(row["public_key"]))
        try:
            taken = book.withdrawal() if again else _taken(book, row["name"], mint)
        finally:
            book.close()
    except BackendError as error:
        fail(str(error))
    if taken is None:
        fail(f"nothing was taken out of {row['name']} before")
    _show(row["name"], taken, file, json_)


def purses(store: WalletStore, credential: CashuCredential, merchant: str) -> dict[str, Any]:
    """What lies at each mint, its keysets, and the key that payers lock to."""

    async def ask() -> dict[str, Any]:
        wallet = open_wallet(credential, store.book(merchant), seed=store.seed(merchant))
        assert isinstance(wallet, EcashWallet), "a cashu credential opens such a wallet"
        try:
            found = await wallet.purses(timeout_s=ASK_TIMEOUT_S)
        finally:
            await wallet.close()
        mints = [
            {
                "mint": one.mint,
                "sats": one.sats,
                "keysets": [f"{keyset.id[:16]}{'' if keyset.is_active else ' (inactive)'}" for keyset in one.keysets],
                "trouble": one.why,
            }
            for one in found
        ]
        return {"lock_key": wallet.lock_key, "cap_sats": credential.cap_sats, "mints": mints}

    return asyncio.run(ask())


def _taken(book: Book, name: str, mint: str | None) -> Withdrawal:
    held = book.held()
    if not held:
        fail(f"{name} has no ecash: what was taken out last is shown with --again")
    if mint is None and len(held) > 1:
        fail(f"{name} has ecash of several mints, say --mint for one of them: {', '.join(held)}", 2)
    chosen = next(iter(held)) if mint is None else mint_name(mint)
    taken = book.withdraw(chosen, int(time.time()))
    if taken is None:
        fail(f"{name} has no ecash of {chosen}: it has some of {', '.join(held)}")
    return taken


def _show(name: str, taken: Withdrawal, file: Path | None, json_: bool) -> None:
    parts = [taken.proofs[at : at + PROOFS_MAX] for at in range(0, len(taken.proofs), PROOFS_MAX)]
    tokens = [write_token(Token(taken.mint, SAT, part)) for part in parts]
    shown: dict[str, Any] = {"shop": name, "mint": taken.mint, "sats": sum(proof.amount for proof in taken.proofs)}
    if file is not None:
        write_atomic(file, "".join(f"{token}\n" for token in tokens).encode())
        shown["file"] = str(file)
    if json_:
        as_json(shown | ({} if file else {"tokens": tokens}))
        return
    fields(f"taken out of {name}", shown)
    for token in [] if file else tokens:
        OUT.print(token, soft_wrap=True, markup=False, highlight=False)
