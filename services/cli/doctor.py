"""What can be wrong with a stack, looked at from outside."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from typing import Any

import httpx

from services.cli import payment_choice
from services.cli.client import Stack
from services.cli.output import fail
from services.config import Settings
from services.home import Home, Ready
from services.payments.credentials import WalletStore
from services.payments.wallets import SIMULATED
from streams.kafka import Kafka, KafkaError, TopicsRefused, TopicState

DISK_FREE_MIN = 2 * 1024**3
FROZEN = (
    "SELECT merchant, argMax(reason, sequence) AS code, argMax(subject, sequence) AS why FROM events FINAL"
    " WHERE type IN ('MerchantFrozen', 'MerchantThawed')"
    " GROUP BY merchant HAVING argMax(type, sequence) = 'MerchantFrozen'"
)

SOLD_OUT = "SELECT title FROM inventory_now WHERE on_hand = 0 AND NOT withdrawn ORDER BY title LIMIT 100"
TITLES_SHOWN = 5

ATTENTION = (
    "SELECT attention, count() AS orders FROM orders_attention WHERE attention != '' GROUP BY attention"
    " ORDER BY attention"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and what to do when it is wrong."""

    ok: bool
    what: str
    finding: str
    advice: str = ""


def lags_of(home: Home) -> dict[str, dict[int, int]]:
    """Records behind, by role and partition, as each role says it twice a second."""
    return {
        role: {int(partition): int(lag) for partition, lag in said["lag"].items()}
        for role, said in _signs_of_life(home).items()
        if said.get("lag")
    }


def notices_of(home: Home) -> dict[str, str]:
    """What each role wants to be seen beside it, where it has something to say."""
    return {role: str(said["notice"]) for role, said in _signs_of_life(home).items() if said.get("notice")}


def _signs_of_life(home: Home) -> dict[str, dict[str, Any]]:
    signs: dict[str, dict[str, Any]] = {}
    for path in sorted((home.root / "run").glob("*.alive")):
        try:
            signs[path.stem] = json.loads(path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            continue
    return signs


async def check_topics(settings: Settings, create: bool) -> list[TopicState]:
    """The topics as the broker has them, missing ones made if wanted."""
    kafka = Kafka(settings.kafka, settings.partitions, "ncc-topics")
    try:
        return await (kafka.ensure_topics(settings.replication) if create else kafka.topic_states())
    except TopicsRefused as refused:
        fail(str(refused), 2)
    except KafkaError as error:
        fail(f"no Kafka answers at {settings.kafka} ({type(error).__name__}): set NCC_KAFKA, or start `ncc up`", 3)


async def examine(home: Home) -> list[Finding]:
    """Look at everything that usually goes wrong, the ground first."""
    findings = [_java(), _disk(home)]
    ready = home.ready()
    if ready is None:
        findings.append(Finding(False, "stack", f"nothing runs in {home.root}", f"ncc up --home {home.root}"))
        return findings
    findings.append(await _api(ready))
    if not findings[-1].ok:
        return findings
    stack = Stack(home.root)
    merchants = stack.get("/merchants")
    without = [m["name"] for m in merchants if not m["has_key"]]
    findings.append(
        Finding(
            not without,
            "merchants",
            f"{len(merchants)} known, keys missing for: {', '.join(without)}"
            if without
            else f"{len(merchants)} with keys",
            "ncc merchant add NAME --key-file FILE" if without else "",
        )
    )
    findings.append(_wallets(merchants, WalletStore.of(home)))
    findings.append(_frozen(merchants, stack.post("/sql", {"sql": FROZEN})))
    findings.append(_preferences(merchants, stack.get("/payment-choices")))
    findings.append(_attention(stack.post("/sql", {"sql": ATTENTION})))
    findings.append(_sold_out(stack.post("/sql", {"sql": SOLD_OUT})))
    findings.append(_catalogue({m["name"]: stack.get(f"/catalogue/{m['public_key']}/findings") for m in merchants}))
    findings.extend(_queues(lags_of(home)))
    day_ago = "SELECT count() AS n FROM quarantine_now WHERE at > now() - INTERVAL 1 DAY"
    refused = int(stack.post("/sql", {"sql": day_ago})[0]["n"])
    findings.append(Finding(True, "quarantine", f"{refused} in the last day", "ncc quarantine list" if refused else ""))
    lost = "SELECT count() AS n FROM deliveries_now WHERE state IN ('failed', 'no_route', 'self_only')"
    undelivered = int(stack.post("/sql", {"sql": lost})[0]["n"])
    advice = "ncc sql \"SELECT * FROM deliveries_now WHERE state != 'delivered'\"" if undelivered else ""
    findings.append(Finding(not undelivered, "messages", f"{undelivered} reached no relay of their buyer", advice))
    return findings


def _java() -> Finding:
    java = shutil.which("java")
    return Finding(java is not None, "java", java or "not found", "" if java else "install a Java runtime, 17 or newer")


def _disk(home: Home) -> Finding:
    place = next(folder for folder in (home.root, *home.root.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    ok = free >= DISK_FREE_MIN
    return Finding(
        ok, "disk", f"{free / 1024**3:.1f} GB free", "" if ok else "make room: Kafka stops when the disk is full"
    )


async def _api(ready: Ready) -> Finding:
    started = time.perf_counter()
    try:
        async with httpx.AsyncClient(timeout=3, trust_env=False) as http:
            ok = (await http.get(f"{ready.api}/health")).status_code == 200
    except httpx.TransportError as error:
        return Finding(
            False, "api", f"does not answer: {type(error).__name__}", "ncc status, then logs/api.log in the home"
        )
    return Finding(ok, "api", f"answers in {(time.perf_counter() - started) * 1_000:.0f} ms")


def _frozen(merchants: list[dict[str, Any]], rows: list[dict[str, Any]]) -> Finding:
    """Merchants whose effects wait, by name, and what has to be looked at first."""
    if not rows:
        return Finding(True, "frozen shops", "none")
    names = {m["public_key"]: m["name"] for m in merchants}
    said = "; ".join(f"{names.get(row['merchant'], row['merchant'][:8])}: {row['why']}" for row in rows)
    return Finding(False, "frozen shops", said, "ncc audit, then ncc merchant thaw NAME --reason …")


def _preferences(merchants: list[dict[str, Any]], choices: list[dict[str, Any]]) -> Finding:
    """Shops that say contradictory things of how they want to be paid, and are paid by hand until then (PAY-05)."""
    names = {m["public_key"]: m["name"] for m in merchants}
    found = list(payment_choice.findings(choices, names))
    if not found:
        return Finding(True, "payment preferences", "say one thing each")
    said = "; ".join(f"{name}: {meaning}" for name, _, meaning, _ in found)
    return Finding(
        all(code in payment_choice.HARMLESS for _, code, _, _ in found),
        "payment preferences",
        said,
        "ncc merchant check",
    )


def _wallets(merchants: list[dict[str, Any]], store: WalletStore) -> Finding:
    """Shops whose orders wait because nothing here can be paid for them."""
    without = [m["name"] for m in merchants if m["wallet"] != SIMULATED and not store.version(m["public_key"])]
    if not without:
        return Finding(True, "wallets", "every shop has one")
    return Finding(False, "wallets", f"missing for: {', '.join(without)}", "ncc wallet add SHOP KIND …")


def _attention(rows: list[dict[str, Any]]) -> Finding:
    """Orders that want a person, by why: money of theirs, or ecash that was not taken. No fault of the stack either."""
    if not rows:
        return Finding(True, "orders", "none wants a person")
    said = ", ".join(f"{row['orders']} {str(row['attention']).replace('_', ' ')}" for row in rows)
    return Finding(True, "orders", f"some want a person: {said}", "ncc orders --attention")


def _sold_out(rows: list[dict[str, Any]]) -> Finding:
    """Listings nobody can order (INV-09): no fault of the stack, but somebody has to know."""
    titles = [str(row["title"]) for row in rows]
    more = f" and {len(titles) - TITLES_SHOWN} more" if len(titles) > TITLES_SHOWN else ""
    said = f"{len(titles)} sold out: {', '.join(titles[:TITLES_SHOWN])}{more}" if titles else "nothing is sold out"
    return Finding(True, "stock", said, "ncc stock" if titles else "")


def _catalogue(found: dict[str, list[dict[str, Any]]]) -> Finding:
    """What merchants should mend in what they publish (CAT-13): no fault of the stack either."""
    wrong = {name: len(rows) for name, rows in found.items() if rows}
    said = ", ".join(f"{count} findings in {name}" for name, count in wrong.items()) or "nothing to mend"
    return Finding(True, "catalogue", said, f"ncc shop lint --shop {next(iter(wrong))}" if wrong else "")


def _queues(lags: dict[str, dict[int, int]]) -> list[Finding]:
    behind = {role: sum(lag.values()) for role, lag in lags.items()}
    late = {role: lag for role, lag in behind.items() if lag > 10_000}
    text = ", ".join(f"{role} {lag}" for role, lag in behind.items())
    advice = f"see `ncc status` and logs/{next(iter(late))}.log" if late else ""
    return [Finding(not late, "queues", text or "not known", advice)]
