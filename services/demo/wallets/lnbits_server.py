"""Runs a real LNbits with a simulated funding source, for stories and tests that pay and are paid by it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from services.demo.wallets.peer_process import start_peer, stop_peer
from services.embedded.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = ROOT / ".peers" / "lnbits"
START_TIMEOUT_S = 600.0
CALL_TIMEOUT_S = 30.0
SATS_MAX = 100_000_000


@dataclass(frozen=True)
class Keys:
    """One wallet of the server: its id and the two keys that LNbits gives it."""

    wallet_id: str
    invoice: str
    admin: str


@dataclass
class LnbitsServer:
    """A running LNbits: where it answers, and what its administrator may do."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    token: str = ""
    wallets: list[Keys] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it over its folder, and wait until it answers."""
        package = next((ENVIRONMENT / "lib").glob("python3.*/site-packages/lnbits"))
        (self.folder / "extensions" / "extensions").mkdir(parents=True, exist_ok=True)
        link = self.folder / "lnbits"
        if not link.exists():  # its pages are opened relative to the working folder
            link.symlink_to(package)
        command = [str(ENVIRONMENT / "bin" / "python"), "-m", "uvicorn", "lnbits.__main__:app"]
        self.process = start_peer(
            "LNbits",
            [*command, "--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning"],
            self.folder / "server.log",
            _environment(self.folder),
            f"{self.url}/api/v1/health",
            START_TIMEOUT_S,
        )

    def stop(self) -> None:
        """End it by its process id."""
        if self.process is not None:
            stop_peer(self.process)
            self.process = None

    def restart(self) -> None:
        """Stop and start: its funding source forgets every invoice that nobody paid."""
        self.stop()
        self.start()

    def install(self) -> None:
        """Make the administrator, as the first visitor of a new LNbits does."""
        secret = os.urandom(12).hex()
        body = {"username": "admin", "password": secret, "password_repeat": secret}
        self.token = self.call("PUT", "/api/v1/auth/first_install", body)["access_token"]

    def new_wallet(self, sats: int = 0) -> Keys:
        """A wallet of its own account, without the rate look-up that each call would pay for."""
        made = self.call("POST", "/api/v1/account", {"name": "a wallet"})
        keys = Keys(made["id"], made["inkey"], made["adminkey"])
        self.call("PATCH", "/api/v1/wallet", {"currency": ""}, {"X-Api-Key": keys.admin})
        if sats:
            bearer = {"Authorization": f"Bearer {self.token}"}
            self.call("PUT", "/users/api/v1/balance", {"id": keys.wallet_id, "amount": sats}, bearer)
        return keys

    async def pay(self, payer: Keys, text: str) -> str:
        """Pay an invoice out of a wallet and give the preimage, hex; raises `httpx.HTTPStatusError` for a refusal."""
        headers = {"X-Api-Key": payer.admin}
        async with httpx.AsyncClient(timeout=CALL_TIMEOUT_S, trust_env=False, headers=headers) as http:
            answer = await http.post(f"{self.url}/api/v1/payments", json={"out": True, "bolt11": text})
            answer.raise_for_status()
            made = await http.get(f"{self.url}/api/v1/payments/{answer.json()['payment_hash']}")
            made.raise_for_status()
        return str(made.json()["preimage"])

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """One call of its API; raises `httpx.HTTPStatusError` where it is refused."""
        answer = httpx.request(
            method, self.url + path, json=body, headers=headers, timeout=CALL_TIMEOUT_S, trust_env=False
        )
        return answer.raise_for_status().json()


@contextmanager
def lnbits_server(folder: Path) -> Iterator[LnbitsServer]:
    """A server of its own in a folder, installed and answering; stopped at the end."""
    if not (ENVIRONMENT / ".set-up").is_file():
        raise FileNotFoundError("LNbits is not installed: `make peers`")
    server = LnbitsServer(folder, free_port())
    try:
        server.start()
        server.install()
        yield server
    finally:
        server.stop()


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LNBITS_BACKEND_WALLET_CLASS": "FakeWallet",
        "LNBITS_DATA_FOLDER": str(folder / "data"),
        "LNBITS_EXTENSIONS_PATH": str(folder / "extensions"),
        "LNBITS_CALLBACK_URL_RULES": "[]",
        "LNBITS_CALLBACK_ALLOW_PRIVATE_IPS": "true",
        "LNBITS_LNURL_ALLOW_PRIVATE_IPS": "true",
        "LNBITS_RATE_LIMIT_NO": "1000000",
        "LNBITS_MAX_INCOMING_PAYMENT_AMOUNT_SATS": str(SATS_MAX),
        "LNBITS_MAX_OUTGOING_PAYMENT_AMOUNT_SATS": str(SATS_MAX),
        "AUTH_HTTPS_ONLY": "false",
        "ENABLE_LOG_TO_FILE": "false",
    }
