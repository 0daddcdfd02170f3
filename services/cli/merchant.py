"""`ncc merchant`: the shops this deployment runs."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.nostr.nip19 import Nip19Refused, encode_npub, read_public_key
from schemas.nostr.secp256k1 import KeyRefused, SecretKey
from services.cli import onboarding, payment_choice, service
from services.cli.client import Stack
from services.cli.keys import read_key
from services.cli.options import Home, Json
from services.cli.output import OUT, as_json, fail, fields, table
from services.home import Home as HomeFolder
from services.relays.errors import BadRelayUrl
from services.relays.urls import normalise_relay_url
from services.signer.keystore import Keystore

merchant_app = typer.Typer(no_args_is_help=True, help="Shops this deployment runs.")
app = typer.Typer()
app.add_typer(merchant_app, name="merchant")


@merchant_app.command("add")
def merchant_add(
    name: Annotated[str, typer.Argument(help="What the shop is called here.")],
    home: Home = None,
    key_file: Annotated[
        Path | None, typer.Option(help="File with one line: nsec, hex or ncryptsec. Without it a key is made.")
    ] = None,
    passphrase_file: Annotated[Path | None, typer.Option(help="File with the pass-phrase of an ncryptsec.")] = None,
    public_key: Annotated[
        str | None, typer.Option(help="Hex or npub of a key that a signer of its own keeps (`ncc signer`).")
    ] = None,
    relay: Annotated[list[str] | None, typer.Option(help="A relay of this merchant; may be given again.")] = None,
    wallet: Annotated[str, typer.Option(help="Payment back-end: simulated.")] = "simulated",
    try_: Annotated[bool, typer.Option("--try", help="Also order something as a stranger would (`ncc try`).")] = False,
    country: Annotated[str | None, typer.Option(help="Where the order of --try goes, for example DE.")] = None,
    json_: Json = False,
) -> None:
    """Run a shop for a merchant and get it ready; prints its public key, and each step in a terminal.

    An inbox list (10050) is published where there is none. Ends with 1 where buyers cannot reach the shop yet.
    """
    stack = Stack(home or Path())
    if wallet != "simulated":
        fail(f"there is no payment back-end {wallet!r}: use --wallet simulated")
    relays = [_relay(url) for url in relay or []]
    if public_key is None:
        made = SecretKey.from_bytes(secrets.token_bytes(32))
        secret = made if key_file is None else read_key(key_file, passphrase_file)
        key = Keystore.of(HomeFolder(stack.home)).add(secret)
    elif key_file is None:
        key = _public_key(public_key)
    else:
        fail("a key is either in a file or at the signer: give --key-file or --public-key")
    body = {"public_key": key, "name": name, "relays": relays, "wallet": wallet}
    added = stack.post("/merchants", body)
    first = [
        onboarding.Step("key", "done", _where_from(key_file, public_key)),
        onboarding.Step("shop", "done", f"{name} runs here as {encode_npub(key)}"),
    ]
    shop = onboarding.Newcomer(name, key, tuple(relays), is_new_key=key_file is None and public_key is None)
    steps = onboarding.settle(stack, shop, first, try_, country)
    is_ready = onboarding.is_ready(steps)
    if json_:
        as_json({**added, "is_ready": is_ready, "steps": onboarding.as_rows(steps)})
    else:
        OUT.print(key)
    if not is_ready:
        raise typer.Exit(1)


@merchant_app.command("list")
def merchant_list(home: Home = None, json_: Json = False) -> None:
    """Every shop."""
    rows = Stack(home or Path()).get("/merchants")
    if json_:
        as_json(rows)
        return
    table(
        "Merchants",
        ("name", "public key", "wallet", "relays", "key"),
        (
            (r["name"], r["public_key"], r["wallet"], ", ".join(r["relays"]), "here" if r["has_key"] else "missing")
            for r in rows
        ),
        "No merchant yet: add one with `ncc merchant add NAME`.",
    )


@merchant_app.command("show")
def merchant_show(
    who: Annotated[str, typer.Argument(help="Name, hex or npub.")], home: Home = None, json_: Json = False
) -> None:
    """One shop."""
    stack = Stack(home or Path())
    row = find_merchant(stack, who)
    choice: dict[str, Any] = next(
        (one for one in stack.get("/payment-choices") if one["merchant"] == row["public_key"]), {}
    )
    shown = {
        **row,
        "npub": encode_npub(row["public_key"]),
        "payment": {k: v for k, v in choice.items() if k != "merchant"},
    }
    if json_:
        as_json(shown)
    else:
        settings, payment = shown.pop("settings"), shown.pop("payment")
        fields(row["name"], {**shown, **{f"payment {name}": value for name, value in payment.items()}})
        fields("\nSettings", {name: str(value) for name, value in settings.items()})


@merchant_app.command("check")
def merchant_check(
    who: Annotated[str | None, typer.Argument(help="Name, hex or npub; every shop without it.")] = None,
    home: Home = None,
    json_: Json = False,
) -> None:
    """What shops say of how they want to be paid, where it contradicts itself. Such a shop is paid by hand."""
    stack = Stack(home or Path())
    rows = stack.get("/merchants") if who is None else [find_merchant(stack, who)]
    names = {row["public_key"]: row["name"] for row in rows}
    choices = [one for one in stack.get("/payment-choices") if one["merchant"] in names]
    if json_:
        as_json(choices)
        return
    table(
        "Payment preferences",
        ("shop", "code", "what is wrong", "what to do"),
        payment_choice.findings(choices, names),
        "Nothing is wrong: "
        + (", ".join(f"{names[c['merchant']]} is paid {c['flow']}" for c in choices) or "no shop yet"),
    )


@merchant_app.command("set")
def merchant_set(
    who: Annotated[str, typer.Argument(help="Name, hex or npub.")],
    settings: Annotated[list[str], typer.Argument(metavar="NAME=VALUE…", help="See `ncc merchant show`.")],
    home: Home = None,
    json_: Json = False,
) -> None:
    """Change a shop's rules, from its next order on: what buyers may do, how long things wait."""
    stack = Stack(home or Path())
    row = find_merchant(stack, who)
    changes: dict[str, Any] = {}
    for text in settings:
        name, is_said, value = text.partition("=")
        if not is_said:
            fail(f"{text!r} is no NAME=VALUE: `ncc merchant show {who}` names the settings", 2)
        key = name.strip().replace("-", "_")
        changes[key] = [one for one in value.split(",") if one] if key in ("denied", "dialects_off") else value
    answer = stack.put(f"/merchants/{row['public_key']}/settings", changes)
    if json_:
        as_json(answer["settings"])
    else:
        OUT.print(f"{row['name']}: {', '.join(f'{name} = {answer["settings"][name]}' for name in changes)}")


@merchant_app.command("pause")
def merchant_pause(
    who: Annotated[str, typer.Argument(help="Name, hex or npub.")],
    text: Annotated[str | None, typer.Option(help="What buyers are told; without it what was said last.")] = None,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Take no new orders for the time being; those that are there go on."""
    _pause(home, who, {"is_paused": True} | ({} if text is None else {"pause_text": text}), json_, "takes no orders")


@merchant_app.command("resume")
def merchant_resume(
    who: Annotated[str, typer.Argument(help="Name, hex or npub.")], home: Home = None, json_: Json = False
) -> None:
    """Take orders again."""
    _pause(home, who, {"is_paused": False}, json_, "takes orders again")


def _pause(home: Path | None, who: str, changes: dict[str, Any], json_: bool, told: str) -> None:
    stack = Stack(home or Path())
    row = find_merchant(stack, who)
    answer = stack.put(f"/merchants/{row['public_key']}/settings", changes)
    if json_:
        as_json(answer["settings"])
    else:
        OUT.print(f"{row['name']} {told}")


@merchant_app.command("relays")
def merchant_relays(
    who: Annotated[str, typer.Argument(help="Name, hex or npub.")],
    relay: Annotated[list[str] | None, typer.Option(help="A relay to name; the shop's own without it.")] = None,
    list_: Annotated[str, typer.Option("--list", help="inbox (10050) or drafts (10013, encrypted).")] = "inbox",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Also over a list that says something else.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Only show what is published.")] = False,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Publish where buyers reach the shop (its inbox relays), or where its drafts are kept."""
    if list_ not in ("inbox", "drafts"):
        fail("--list is inbox or drafts", 2)
    stack = Stack(home or Path())
    row = find_merchant(stack, who)
    path = f"/relays/{row['public_key']}"
    if show:
        known = stack.get(path)
        if json_:
            as_json(known)
        else:
            fields(row["name"], {name: ", ".join(urls) if urls else "none published" for name, urls in known.items()})
        return
    relays = [_relay(url) for url in relay or row["relays"] or [stack.ready["relay"]]][:3]
    decision = stack.put(path, {"list": list_, "relays": relays, "replaces": yes})
    if json_:
        as_json(decision)
    elif decision["decided"] == "refused":
        sentence = f"the {list_} list of {row['name']} is another client's ({decision['detail']})"
        fail(f"{sentence}: give --yes to replace it")
    else:
        said = "names" if decision["decided"] == "done" else "names already"
        OUT.print(f"the {list_} list of {row['name']} {said} {', '.join(decision['relays'])}")


@merchant_app.command("recommend")
def merchant_recommend(
    who: Annotated[str, typer.Argument(help="Name, hex or npub.")],
    app_: Annotated[
        str | None, typer.Option("--app", help="Address of another application (31990:KEY:D); without it the own one.")
    ] = None,
    hint: Annotated[str | None, typer.Option("--relay", help="A relay that has the application's 31990.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Recommend none any more.")] = False,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Recommend the application that buyers order by (31989): the operator's own (`ncc service`), or another one."""
    if none and app_ is not None:
        fail("give --app or --none", 2)
    stack = Stack(home or Path())
    row = find_merchant(stack, who)
    own = service.own_address(stack.home)
    if app_ is None and own is None and not none:
        fail("there is no application of this deployment: `ncc service publish` makes one, or give --app", 2)
    wish = {"app": None if none else app_ or own, "relay": None if hint is None else _relay(hint)}
    answers = stack.put(f"/recommendations/{row['public_key']}", wish)
    if json_:
        as_json(answers)
    for one in answers:
        if one["decided"] == "refused":
            fail(f"{one['coordinate']} was not published ({one['reason']}): {one['detail']}")
    if not json_:
        OUT.print(
            f"{row['name']} recommends {wish['app'] or 'no application'}, for buyers who ask for kind 30402 or 16"
        )


def find_merchant(stack: Stack, who: str) -> dict[str, Any]:
    """A shop by its name, hex or npub."""
    try:
        wanted = read_public_key(who)
    except (Nip19Refused, KeyRefused, ValueError):
        wanted = who
    rows: list[dict[str, Any]] = stack.get("/merchants")
    found = [row for row in rows if wanted in (row["name"], row["public_key"])]
    if not found:
        fail(f"there is no merchant {who}: `ncc merchant list` shows them")
    return found[0]


Who = Annotated[str, typer.Argument(help="Name, hex or npub.")]


@merchant_app.command("freeze")
def merchant_freeze(
    who: Who, reason: Annotated[str, typer.Option(help="Why, in a sentence.")], home: Home = None, json_: Json = False
) -> None:
    """Hold everything back that would be sent, published or asked for in this shop's name."""
    _freeze_or_thaw(home, who, "freeze", reason, json_, "is frozen: what it owes waits", "was frozen already")


@merchant_app.command("thaw")
def merchant_thaw(
    who: Who,
    reason: Annotated[str, typer.Option(help="What was found, in a sentence.")],
    home: Home = None,
    json_: Json = False,
) -> None:
    """Let a frozen shop's messages, listings and payment requests go out again, each once."""
    _freeze_or_thaw(home, who, "thaw", reason, json_, "is thawed: what waited goes out now", "was not frozen")


def _freeze_or_thaw(
    home: Path | None, who: str, change: str, reason: str, json_: bool, done: str, nothing_new: str
) -> None:
    stack = Stack(home or Path())
    row = find_merchant(stack, who)
    decision = stack.post(f"/merchants/{row['public_key']}/{change}", {"reason": reason})
    if json_:
        as_json(decision)
    else:
        OUT.print(f"{row['name']} {done if decision['decided'] == 'done' else nothing_new}")


def _where_from(key_file: Path | None, public_key: str | None) -> str:
    if public_key is not None:
        return "stays with its signer"
    return "was made" if key_file is None else "was read, and is kept encrypted"


def _relay(url: str) -> str:
    try:
        return normalise_relay_url(url)
    except BadRelayUrl as error:
        fail(f"--relay {url}: {error}")


def _public_key(text: str) -> str:
    try:
        return read_public_key(text)
    except (Nip19Refused, KeyRefused, ValueError):
        fail(f"--public-key {text}: neither an npub nor 64 hex digits")
