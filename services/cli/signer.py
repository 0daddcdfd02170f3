"""`ncc signer`: the keys in a process of their own."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from services.cli.keys import read_key
from services.cli.options import Home
from services.cli.output import OUT, fail
from services.home import Home as HomeFolder
from services.logs import configure_logs
from services.signer.keystore import Keystore
from services.signer.local import LocalSigner
from services.signer.remote import SignerDoor

signer_app = typer.Typer(no_args_is_help=True, help="Merchants' keys in a process of their own, away from the roles.")
app = typer.Typer()
app.add_typer(signer_app, name="signer")


def _keystore(home: Path | None) -> Keystore:
    return Keystore.of(HomeFolder(home or Path()))


@signer_app.command("add")
def signer_add(
    key_file: Annotated[Path, typer.Argument(help="File with one line: nsec, hex or ncryptsec.")],
    home: Home = None,
    passphrase_file: Annotated[Path | None, typer.Option(help="File with the pass-phrase of an ncryptsec.")] = None,
) -> None:
    """Give this signer a key; prints the public key that `ncc merchant add NAME --public-key` wants."""
    OUT.print(_keystore(home).add(read_key(key_file, passphrase_file)))


@signer_app.command("serve")
def signer_serve(
    socket: Annotated[Path, typer.Option(help="The Unix socket to answer on; roles find it by NCC_SIGNER.")],
    home: Home = None,
) -> None:
    """Answer the roles of a stack that was started with NCC_SIGNER, until Ctrl-C."""
    configure_logs("signer")
    signer = LocalSigner(_keystore(home))
    try:
        door = SignerDoor(socket, signer)
    except OSError as error:
        fail(f"cannot answer on {socket}: {error.strerror or error}; give a shorter path in a folder of yours")
    for number in (signal.SIGINT, signal.SIGTERM):
        # The loop that answers cannot be asked to stop by its own thread.
        signal.signal(number, lambda *_: threading.Thread(target=door.close).start())
    OUT.print(f"signer answers on {socket} for {len(signer.merchants())} keys")
    door.serve()
