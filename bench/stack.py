"""One whole stack in a folder of its own, as an operator would run it: start, ask, kill a part, stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench.shop import RATES, Shop
from schemas.shops import ShopSettings
from services.home import Home, Ready
from services.signer.keystore import Keystore

START_S = 120.0
STOP_S = 40.0
ASK_S = 5.0


class StackFailed(Exception):
    """The stack did not do what a measurement needs; the message ends with its logs."""


class Stack:
    """`ncc up` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it; gives the seconds until everything answered (`ready.json`)."""
        argv = [sys.executable, "-m", "services.cli.main", "up", "--home", str(self.home.root), "--rates", RATES]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NCC_")}
        began_s = time.monotonic()
        with (self.home.logs / "up.log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, env=environment, start_new_session=True)
        while self.home.ready() is None:
            if self._process.poll() is not None or time.monotonic() - began_s > START_S:
                raise StackFailed(f"the stack did not start:\n{self.logs()}")
            time.sleep(0.02)
        return time.monotonic() - began_s

    def stop(self) -> None:
        """Stop it as Ctrl-C would; kills what does not end in time."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            # Its children ask to die with it.
            process.kill()
            process.wait()
            raise StackFailed(f"the stack did not stop within {STOP_S:.0f} s:\n{self.logs()}") from None

    @property
    def relay(self) -> str:
        """The embedded relay's address."""
        return self._ready.relay

    @property
    def wallet(self) -> Path:
        """The simulated wallet's file."""
        return self.home.wallet / "simulated.db"

    def children(self) -> dict[str, dict[str, Any]]:
        """Every child as the supervisor last knew it."""
        return {child["name"]: child for child in json.loads(self.home.status_file.read_bytes())["children"]}

    def pids(self) -> dict[str, int]:
        """The living processes by name, the supervisor among them."""
        living = {name: child["pid"] for name, child in self.children().items() if child["pid"] is not None}
        return {**living, "supervisor": self._ready.pid}

    def is_up(self) -> bool:
        """Whether every child is up."""
        return all(child["state"] == "up" for child in self.children().values())

    def kill(self, name: str) -> None:
        """Kill -9 a child."""
        os.kill(self.pids()[name], signal.SIGKILL)

    def open_shop(self, shop: Shop) -> None:
        """Add a merchant: the key into the home's keystore, the rest through the API. Raises `StackFailed`."""
        Keystore.of(self.home).add(shop.secret)
        try:
            trusting = ShopSettings().without_limits().model_dump(mode="json")  # few buyers stand for a crowd
            new = {"public_key": shop.merchant, "name": f"shop-{shop.merchant[:8]}", "settings": trusting}
            self._post("/merchants", new)
        except OSError as error:
            raise StackFailed(f"the merchant was not added: {error}\n{self.logs()}") from None

    def count(self, sql: str, **params: str) -> int:
        """The column `n` of a query's one row; 0 while nobody answers."""
        try:
            rows = self._post("/sql", {"sql": sql, "params": params})
        except (OSError, ValueError):
            return 0
        return int(rows[0]["n"]) if rows else 0

    def logs(self, lines: int = 8) -> str:
        """The ends of all logs."""
        ends = {
            file.name: file.read_text(errors="replace").splitlines()[-lines:] for file in self.home.logs.glob("*.log")
        }
        return "\n".join(f"== {name}\n" + "\n".join(end) for name, end in sorted(ends.items()))

    @property
    def _ready(self) -> Ready:
        ready = self.home.ready()
        if ready is None:
            raise StackFailed(f"the stack does not run:\n{self.logs()}")
        return ready

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        """Ask the API. Raises `OSError` (which `URLError` is) while it cannot be reached or refuses."""
        headers = {"Authorization": f"Bearer {self.home.token()}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._ready.api + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=ASK_S) as answer:
            return json.loads(answer.read())
