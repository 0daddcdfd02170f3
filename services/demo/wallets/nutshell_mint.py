"""Runs a real nutshell mint with a simulated funding source, for stories and tests that pay with its ecash."""

from __future__ import annotations

import os
import secrets
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.demo.wallets.peer_process import start_peer, stop_peer
from services.embedded.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = ROOT / ".peers" / "nutshell"
START_TIMEOUT_S = 300.0


@dataclass
class NutshellMint:
    """A running mint: where it answers, and how it is stopped and started again over its folder."""

    folder: Path
    port: int
    fee_ppk: int = 0
    derivation_path: str = "m/0'/0'/0'"
    """Another one gives the mint another keyset: the one before is active no more."""
    secret: str = field(default_factory=lambda: secrets.token_hex(16))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it over its folder, and wait until it answers."""
        self.process = start_peer(
            "the mint",
            [str(ENVIRONMENT / "bin" / "mint")],
            self.folder / "mint.log",
            self._environment(),
            f"{self.url}/v1/info",
            START_TIMEOUT_S,
        )

    def stop(self) -> None:
        """End it by its process id."""
        if self.process is not None:
            stop_peer(self.process)
            self.process = None

    def restart(self, *, fee_ppk: int | None = None, derivation_path: str | None = None) -> None:
        """Stop and start, with another fee or another keyset if one is named."""
        self.stop()
        if derivation_path not in {None, self.derivation_path}:
            with closing(sqlite3.connect(self.folder / "mint" / "mint.sqlite3")) as database:
                database.execute("UPDATE keysets SET active = 0")  # its own way to do so needs certificates
                database.commit()
        self.fee_ppk = self.fee_ppk if fee_ppk is None else fee_ppk
        self.derivation_path = derivation_path or self.derivation_path
        self.start()

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "CASHU_DIR": str(self.folder / "cashu"),
            "MINT_DATABASE": str(self.folder / "mint"),
            "MINT_PRIVATE_KEY": self.secret,
            "MINT_DERIVATION_PATH": self.derivation_path,
            "MINT_BACKEND_BOLT11_SAT": "FakeWallet",
            "MINT_LISTEN_HOST": "127.0.0.1",
            "MINT_LISTEN_PORT": str(self.port),
            "MINT_INPUT_FEE_PPK": str(self.fee_ppk),
            "MINT_RATE_LIMIT": "FALSE",
            "FAKEWALLET_BRR": "true",
            "FAKEWALLET_DELAY_INCOMING_PAYMENT": "0",
            "FAKEWALLET_DELAY_OUTGOING_PAYMENT": "0",
            "TOR": "false",
        }


@contextmanager
def nutshell_mint(folder: Path, fee_ppk: int = 0) -> Iterator[NutshellMint]:
    """A mint of its own in a folder, answering; stopped at the end."""
    if not (ENVIRONMENT / ".set-up").is_file():
        raise FileNotFoundError("nutshell is not installed: `make peers`")
    mint = NutshellMint(folder, free_port(), fee_ppk)
    try:
        mint.start()
        yield mint
    finally:
        mint.stop()
