"""What is seen outside the journal, held against it: pure functions that tests, chaos runs and `ncc audit` feed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.audit.invariants import Breach

SHOWN_MAX = 20
"""Differences of one kind that are named one by one; more are counted in the last."""


def outcomes_told(merchant: str, settled: Iterable[str], told: Iterable[tuple[str, str]]) -> list[Breach]:
    """I4 on relays: one confirmation, under one id, for each order with money in time, and none for another.

    `settled` are references of orders the journal knows as paid; `told` are (reference, message id) of the
    confirmations buyers were sent, as often as they were seen: one id on several relays is one message.
    """
    paid, seen = set(settled), dict[str, set[str]]()
    for ref, message_id in told:
        seen.setdefault(ref, set()).add(message_id)
    found = [f"order {ref[:10]} was paid, and its buyer has no confirmation" for ref in sorted(paid - seen.keys())]
    found += [f"order {ref[:10]} was confirmed, and no money is known" for ref in sorted(seen.keys() - paid)]
    found += [
        f"order {ref[:10]} was confirmed by {len(ids)} different messages"
        for ref, ids in sorted(seen.items())
        if len(ids) > 1
    ]
    return _breaches("I4", merchant, found)


def receipts_agree(merchant: str, ledger: Mapping[str, int], backend: Mapping[str, int]) -> list[Breach]:
    """I5 at the wallet: intents the journal calls settled are those the back-end does, for the same msat.

    `backend` is its settled set restricted to intents of ours.
    """
    return _breaches("I5", merchant, _differences("the journal", ledger, "the back-end", backend, "payment"))


def tables_agree(merchant: str, folded: Mapping[str, object], stored: Mapping[str, object]) -> list[Breach]:
    """I6: rows by key, as bytes or values, are what folding the journal gives."""
    return _breaches("I6", merchant, _differences("the journal", folded, "the table", stored, "row"))


def totals_agree(merchant: str, ledger: Mapping[str, object], metrics: Mapping[str, object]) -> list[Breach]:
    """I7: figures by name (a day, a status) are the same in the ledger and in metrics."""
    return _breaches("I7", merchant, _differences("the ledger", ledger, "metrics", metrics, "total"))


def _differences(
    ours: str, expected: Mapping[str, object], theirs: str, found: Mapping[str, object], what: str
) -> list[str]:
    sentences: list[str] = []
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            sentences.append(f"{theirs} lacks the {what} {name[:80]}")
        elif name not in expected:
            sentences.append(f"{theirs} has a {what} {name[:80]} that {ours} does not know")
        elif expected[name] != found[name]:
            sentences.append(f"{what} {name[:80]}: {ours} says {_text(expected[name])}, {theirs} {_text(found[name])}")
    return sentences


def _text(value: object) -> str:
    """A figure in full; of bytes only how many, because they may hold anything."""
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)[:80]


def _breaches(code: str, merchant: str, sentences: list[str]) -> list[Breach]:
    shown = sentences[:SHOWN_MAX]
    if len(sentences) > SHOWN_MAX:
        shown.append(f"{len(sentences) - SHOWN_MAX} more differences of this kind")
    return [Breach(code, merchant, 0, sentence) for sentence in shown]
