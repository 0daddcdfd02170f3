"""Writes the contract's table into docs/payments.md: `python -m tests.support.contract_doc`; a test compares."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.services.payments.contract import PaymentBackendContract
from tests.support.contract_table import sentence

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "docs" / "payments.md"
BEGIN, END = "<!-- contract: begin -->\n", "<!-- contract: end -->\n"


def runs() -> list[type[PaymentBackendContract]]:
    """Every class that the contract is run with, by back-end."""
    for path in sorted((ROOT / "tests" / "services" / "payments").glob("test_*.py")):
        import_module(f"tests.services.payments.{path.stem}")
    return sorted(PaymentBackendContract.__subclasses__(), key=lambda run: (run.back_end, run.peer, run.__name__))


def render(page: str) -> str:
    """The page with its table as it has to stand."""
    head, _, rest = page.partition(BEGIN)
    return head + BEGIN + _table() + END + rest.partition(END)[2]


def _table() -> str:
    tried: dict[str, set[str]] = {}
    for run in runs():
        tried.setdefault(run.back_end, set()).add(run.peer)
    laws = [name for name in vars(PaymentBackendContract) if name.startswith("test_")]
    rows = [
        ["every back-end is held to", *(f"`{name}`" for name in tried)],
        ["---"] * (len(tried) + 1),
        *([sentence(law), *(", ".join(sorted(peers)) for peers in tried.values())] for law in laws),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    TARGET.write_text(render(TARGET.read_text()))
