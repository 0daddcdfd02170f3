"""`ncc service`: the application of this deployment that merchants may recommend (NIP-89), behind the buyers' door."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from schemas.nostr.nip19 import Nip19Refused, read_public_key
from schemas.nostr.secp256k1 import KeyRefused, SecretKey
from services.cli.client import Stack
from services.cli.options import Home, Json
from services.cli.output import OUT, as_json, fail, fields
from services.home import Home as HomeFolder
from services.home import write_atomic
from services.signer.keystore import Keystore

service_app = typer.Typer(no_args_is_help=True, help="The application of this deployment, behind the buyers' door.")
app = typer.Typer()
app.add_typer(service_app, name="service")

FILE: Final = "keys/service.json"
"""In the home, beside the keys: which key is the application's, and its address. Nothing in it is secret."""


@service_app.command("publish")
def service_publish(
    name: Annotated[str, typer.Option(help="What buyers' applications show.")],
    about: Annotated[str, typer.Option(help="A sentence about it.")] = "",
    url: Annotated[
        str | None, typer.Option(help="The door as the world reaches it; NCC_SERVICE_URL without it.")
    ] = None,
    public_key: Annotated[
        str | None, typer.Option(help="Hex or npub of a key that a signer of its own keeps; else one is made.")
    ] = None,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Publish what the application handles and where (31990), signed with a key of its own."""
    stack = Stack(home or Path())
    if not stack.get("/places")["service_url"]:
        fail("the buyers' door is shut: start the stack with NCC_SERVICE_URL, for example http://127.0.0.1:8200")
    known = _known(stack.home)
    key = _read(public_key) if public_key is not None else known.get("public_key")
    if key is None:
        key = Keystore.of(HomeFolder(stack.home)).add(SecretKey.from_bytes(secrets.token_bytes(32)))
        _keep(stack.home, {"public_key": key})
    answer = stack.put(f"/applications/{key}", {"name": name, "about": about, "url": url})
    _keep(stack.home, {"public_key": key, "coordinate": answer["coordinate"], "web": answer["web"], "name": name})
    if json_:
        as_json(answer)
    elif answer["decided"] != "refused":
        OUT.print(answer["coordinate"])
    if answer["decided"] == "refused":
        fail(f"it was not published ({answer['reason']}): {answer['detail']}")


@service_app.command("show")
def service_show(home: Home = None, json_: Json = False) -> None:
    """The application's address, which merchants recommend with `ncc merchant recommend`."""
    stack = Stack(home or Path())
    known = {**_known(stack.home), "door": stack.get("/places")["service_url"] or None}
    if json_:
        as_json(known)
    elif "coordinate" in known:
        fields(str(known.pop("name")), known)
    else:
        OUT.print("[dim]There is none: make one with `ncc service publish --name NAME`.[/dim]")


def own_address(home: Path) -> str | None:
    """The address of this deployment's application, once it was published."""
    return _known(home).get("coordinate")


def _known(home: Path) -> dict[str, Any]:
    try:
        known = json.loads((home / FILE).read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        fail(f"{home / FILE} cannot be read: delete it, and `ncc service publish` makes a new application")
    return known if isinstance(known, dict) else {}


def _keep(home: Path, known: dict[str, Any]) -> None:
    write_atomic(home / FILE, json.dumps(known, indent=2).encode() + b"\n")


def _read(text: str) -> str:
    try:
        return read_public_key(text)
    except (Nip19Refused, KeyRefused, ValueError):
        fail(f"--public-key {text}: neither an npub nor 64 hex digits")
