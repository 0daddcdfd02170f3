"""Which wallet each merchant is paid into: the configuration names its kind, this home keeps its credential.

A credential is one file a merchant, sealed with a key of the home's own as merchants' keys are.
It is read again when its file changes, so a wallet that is added is used at the next call, without a restart.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Final, Literal, NoReturn, Self

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from schemas.bolt11 import Network
from schemas.ciphers import CipherRefused, open_box, seal_box
from services.home import Home, write_atomic
from services.payments.lnbits import LnbitsAccount
from services.payments.lnbits_calls import LnbitsCalls
from services.payments.port import (
    BackendRef,
    Capabilities,
    Cursor,
    Hint,
    Intent,
    MerchantBackend,
    Observation,
    PaymentRequest,
    Probe,
    Scan,
    Unauthorized,
)
from services.payments.simulated import SimulatedWallet
from services.signer.keystore import write_private

SIMULATED: Final = "simulated"
LNBITS: Final = "lnbits"
KINDS: Final = (SIMULATED, LNBITS)
"""What a merchant's configuration may name."""

_SUFFIX: Final = ".sealed"
_NONCE_BYTES: Final = 12


class Credential(BaseModel):
    """What opens one merchant's wallet; it neither prints its key nor says it in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["lnbits"]
    url: str
    key: SecretStr
    network: Network
    """What the wallet's invoices are for, as one of them said."""


class BadCredential(ValueError):
    """A sealed file that does not open here; the message is for the operator and quotes nothing of it."""


class WalletStore:
    """A home's credentials (files of mode 0600), each for one merchant (64 hex digits)."""

    def __init__(self, folder: Path, secret_file: Path) -> None:
        self._folder = folder
        self._secret_file = secret_file

    @classmethod
    def of(cls, home: Home) -> Self:
        """The store of a home folder."""
        return cls(home.wallet, home.secrets / "wallets")

    def put(self, merchant: str, credential: Credential) -> None:
        """Keep a merchant's credential in place of the one before."""
        words = credential.model_dump(mode="json") | {"key": credential.key.get_secret_value()}
        plain = json.dumps(words).encode()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        box = nonce + seal_box(self._secret(), nonce, plain, _aad(merchant))
        write_atomic(self._file(merchant), b64encode(box) + b"\n")

    def get(self, merchant: str) -> Credential | None:
        """The merchant's credential, or None where there is none. Raises `BadCredential`."""
        try:
            box = b64decode(self._file(merchant).read_bytes().strip(), validate=True)
            plain = open_box(self._secret(), box[:_NONCE_BYTES], box[_NONCE_BYTES:], _aad(merchant))
            return Credential.model_validate_json(plain)
        except FileNotFoundError:
            return None
        except (Base64Error, CipherRefused, ValidationError, ValueError):
            raise BadCredential("its wallet's file does not open in this home: add the wallet again") from None

    def remove(self, merchant: str) -> bool:
        """Destroy a merchant's credential; tells whether there was one."""
        try:
            self._file(merchant).unlink()
        except FileNotFoundError:
            return False
        return True

    def version(self, merchant: str) -> int:
        """A number that changes with the merchant's file; 0 where there is none."""
        try:
            return self._file(merchant).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _file(self, merchant: str) -> Path:
        return self._folder / f"{merchant}{_SUFFIX}"

    def _secret(self) -> bytes:
        """The home's own key for wallets, made at first use."""
        if not self._secret_file.exists():
            write_private(self._secret_file, secrets.token_hex(32) + "\n")
        return bytes.fromhex(self._secret_file.read_text().strip())


class Wallets:
    """Every merchant's payment back-end, as configuration and store say at the moment."""

    def __init__(
        self,
        kind_of: Callable[[str], str | None],
        store: WalletStore,
        simulated: SimulatedWallet,
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`kind_of` gives a merchant's kind, None for one that is not known yet; `notify` shows the operator
        a sentence as long as a wallet is missing."""
        self._kind_of, self._store, self._simulated, self._notify = kind_of, store, simulated, notify
        self._made: dict[str, tuple[tuple[str | None, int], MerchantBackend]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def backend_of(self, merchant: str) -> MerchantBackend:
        """The merchant's back-end; the same one until its configuration or credential changes."""
        kind = self._kind_of(merchant)
        state = (kind, self._store.version(merchant))
        known = self._made.get(merchant)
        if known is not None and known[0] == state:
            return known[1]
        backend = self._make(merchant, kind)
        self._made[merchant] = (state, backend)
        if known is not None:
            self._close(known[1])
        missing = [f"{name[:8]}…: {one.why}" for name, (_, one) in self._made.items() if isinstance(one, NoWallet)]
        self._notify(f"payment requests wait: {'; '.join(missing)}" if missing else "")
        return backend

    async def close(self) -> None:
        """Let go of every connection."""
        for _, backend in self._made.values():
            self._close(backend)
        await asyncio.gather(*self._closing)

    def _make(self, merchant: str, kind: str | None) -> MerchantBackend:
        if kind is None:
            return NoWallet("this shop is not configured (`ncc merchant list`)")
        if kind == SIMULATED:
            return self._simulated.account(merchant)
        try:
            credential = self._store.get(merchant)
        except BadCredential as bad:
            return NoWallet(str(bad))
        if credential is None or credential.kind != kind:
            return NoWallet(f"this home has no {kind} wallet for it (`ncc wallet add`)")
        return open_wallet(credential)

    def _close(self, backend: MerchantBackend) -> None:
        if isinstance(backend, LnbitsAccount):
            task = asyncio.ensure_future(backend.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def open_wallet(credential: Credential) -> LnbitsAccount:
    """The back-end that a credential opens; whoever opens it closes it."""
    return LnbitsAccount(LnbitsCalls(credential.url, credential.key), credential.network)


class NoWallet:
    """Stands where a merchant's wallet is missing: every call is `Unauthorized`, so what is owed waits for one."""

    capabilities: Final = Capabilities(methods=frozenset(), amount_step_msat=1)
    network: Final = Network.BITCOIN

    def __init__(self, why: str) -> None:
        self.why = why

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Refuse."""
        self._refuse()

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Refuse."""
        self._refuse()

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """Refuse."""
        self._refuse()

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Refuse."""
        self._refuse()
        yield

    async def parse_notice(self, path_token: str, headers: Mapping[str, str], raw: bytes) -> tuple[Hint, ...]:
        """Refuse."""
        self._refuse()

    async def cancel(self, ref: BackendRef, *, timeout_s: float) -> None:
        """Refuse."""
        self._refuse()

    async def refund(
        self, refund_id: str, destination: str, amount_msat: int, *, max_fee_msat: int, timeout_s: float
    ) -> Observation:
        """Refuse."""
        self._refuse()

    async def probe(self, *, timeout_s: float) -> Probe:
        """Refuse."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise Unauthorized(self.why)


def _aad(merchant: str) -> bytes:
    return f"ncc/wallet/1:{merchant}".encode()
