"""`ncc`: every command by name, and the module that is imported once it is asked for."""

from __future__ import annotations

import importlib
from typing import Any, Final

import typer
from typer.core import TyperGroup

MODULES: Final = {
    "up": "up",
    "demo": "demo",
    "status": "running",
    "doctor": "running",
    "merchant": "merchant",
    "try": "trial",
    "service": "service",
    "orders": "orders",
    "order": "payouts",
    "stock": "orders",
    "set-stock": "orders",
    "goods": "goods",
    "listing": "offers",
    "shipping": "offers",
    "collection": "offers",
    "draft": "drafts",
    "shop": "shop",
    "reviews": "reviews",
    "inbox": "inbox",
    "sql": "orders",
    "quarantine": "quarantine",
    "audit": "audit",
    "wallet": "wallet",
    "payments": "books",
    "payouts": "payouts",
    "ledger": "books",
    "signer": "signer",
    "topics": "running",
    "run": "running",
    "health": "running",
}
"""Command → module of this folder; all of them together take a second and a half to import."""


class Lazily(TyperGroup):
    """A group that knows its commands by name, and imports the one that runs."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command, in the order of the help."""
        return list(MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; None where there is none of this name."""
        if cmd_name not in MODULES:
            return None
        module = importlib.import_module(f"services.cli.{MODULES[cmd_name]}")
        return typer.main.get_group(module.app).get_command(ctx, cmd_name)


app = typer.Typer(
    name="ncc",
    cls=Lazily,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def ncc() -> None:
    """Nostr Commerce Coordinator: shops on Nostr that sell by themselves."""


def main() -> None:
    """The program's entry point: a mistake is one sentence, never a traceback."""
    app()


if __name__ == "__main__":
    main()
