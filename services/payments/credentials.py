"""Keeps what opens each merchant's wallet: one sealed file a merchant, in the home and nowhere else.

A credential is sealed with a key of the home's own, as merchants' keys are, and for its own merchant.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter

from schemas.bolt11 import Network
from schemas.ciphers import CipherRefused, derive, open_box, seal_box
from schemas.nostr.nip47 import ConnectionRefused, read_connection
from services.home import Home, write_atomic
from services.payments.stripe_words import API
from services.signer.keystore import write_private

LNBITS: Final = "lnbits"
NWC: Final = "nwc"
LUD16: Final = "lud16"
PHOENIXD: Final = "phoenixd"
LND: Final = "lnd"
CLN: Final = "cln"
BTCPAY: Final = "btcpay"
CASHU: Final = "cashu"
CHAIN: Final = "chain"
MANUAL: Final = "manual"
STRIPE: Final = "stripe"

GAP_LIMIT: Final = 20
"""How many unused addresses in a row a wallet looks ahead by itself (BIP-44)."""
_SUFFIX: Final = ".sealed"
_BOOK_SUFFIX: Final = ".book.db"
_NONCE_BYTES: Final = 12


class _Wallet(BaseModel):
    """What opens a wallet; it neither prints a secret nor says it in an error.

    `network` is what the wallet's invoices are for, as one of them said; None before its trial.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    network: Network | None = None


class _Server(_Wallet):
    """A wallet at a server of its owner's choice."""

    url: str

    @property
    def place(self) -> str:
        """Where the wallet is, for the operator."""
        return self.url


class _Node(_Server):
    """A node's own server; `certificate` (PEM) is its TLS certificate, where no authority signed that."""

    certificate: str | None = None


class LnbitsCredential(_Server):
    """A wallet of an LNbits server."""

    kind: Literal["lnbits"] = LNBITS
    key: SecretStr
    called_at: str = ""
    """The buyers' door as the server reaches it, which is then told with each invoice; empty is not at all."""
    spend_key: SecretStr | None = None
    """The wallet's admin key, which pays refunds out; without one nothing is paid out."""


class PhoenixdCredential(_Server):
    """A phoenixd and one of its passwords; `webhook_secret` is what it signs its calls with, where that is known."""

    kind: Literal["phoenixd"] = PHOENIXD
    password: SecretStr
    webhook_secret: SecretStr | None = None


class BtcpayCredential(_Server):
    """A store (by its id) of a BTCPay Server and an API key; `webhook_secret` as at a phoenixd.

    `is_on_chain`: it is paid there, and not over Lightning; `may_refund`: its key may give out claim links.
    """

    kind: Literal["btcpay"] = BTCPAY
    store: str
    key: SecretStr
    webhook_secret: SecretStr | None = None
    is_on_chain: bool = False
    may_refund: bool = False

    @property
    def place(self) -> str:
        """The server and the store, and whether it is paid on the chain."""
        return f"{self.url} {self.store}{' on the chain' if self.is_on_chain else ''}"


class LndCredential(_Node):
    """An LND and a macaroon of its own (hex)."""

    kind: Literal["lnd"] = LND
    macaroon: SecretStr


class ClnCredential(_Node):
    """A Core Lightning behind clnrest, and a rune."""

    kind: Literal["cln"] = CLN
    rune: SecretStr


class ChainCredential(_Server):
    """The public key or descriptor of an account on the chain, and the indexer (`url`) that watches its addresses.

    It cannot spend; it is sealed all the same, since it shows everything that was ever paid to the account.
    `confirmations` is how many blocks any payment needs; None: by its amount.
    """

    kind: Literal["chain"] = CHAIN
    account: SecretStr
    confirmations: int | None = None
    gap_limit: int = GAP_LIMIT


class StripeCredential(_Server):
    """A Stripe account's key, and where a buyer lands who has paid; `webhook_secret` as at a phoenixd."""

    kind: Literal["stripe"] = STRIPE
    url: str = API
    key: SecretStr
    success_url: str
    webhook_secret: SecretStr | None = None


class NwcCredential(_Wallet):
    """A wallet connection (NIP-47), secret as a whole; `is_near` lets its relays be in our own network, without TLS."""

    kind: Literal["nwc"] = NWC
    connection: SecretStr
    is_near: bool = False

    @property
    def place(self) -> str:
        """The relays, for the operator; empty for a text that is no connection."""
        try:
            relays = read_connection(self.connection.get_secret_value()).relays
        except ConnectionRefused:
            return ""
        return ", ".join(urlsplit(relay).netloc for relay in relays)


class Lud16Credential(_Wallet):
    """A lightning address, which is public; `is_near` lets its server be in our own network, without TLS."""

    kind: Literal["lud16"] = LUD16
    address: str
    is_near: bool = False

    @property
    def place(self) -> str:
        """The address."""
        return self.address


class CashuCredential(_Wallet):
    """Mints whose ecash is taken, and how much may lie at one of them. What is secret comes of the home's own key.

    `lock_key` (64 hex digits) where the key that payers lock to was made elsewhere.
    """

    kind: Literal["cashu"] = CASHU
    mints: tuple[str, ...]
    cap_sats: int = Field(gt=0)
    lock_key: SecretStr | None = None

    @property
    def place(self) -> str:
        """The mints."""
        return ", ".join(self.mints)


class ManualCredential(_Wallet):
    """What a buyer who pays by hand is to know: an account's number, a place. It names people, so it does not print."""

    kind: Literal["manual"] = MANUAL
    instructions: SecretStr

    @property
    def place(self) -> str:
        """Where such money goes is not for a list."""
        return "by hand"


Credential = (
    LnbitsCredential
    | NwcCredential
    | Lud16Credential
    | PhoenixdCredential
    | LndCredential
    | ClnCredential
    | BtcpayCredential
    | CashuCredential
    | ChainCredential
    | ManualCredential
    | StripeCredential
)
"""What opens one merchant's wallet."""

_ANY: Final[TypeAdapter[Credential]] = TypeAdapter(Annotated[Credential, Field(discriminator="kind")])


class BadCredential(ValueError):
    """A sealed file that does not open here; the message is for the operator and quotes nothing of it."""


def spare_of(merchant: str) -> str:
    """The name under which a merchant's spare wallet is kept (C-27)."""
    return f"{merchant}-spare"


def is_same_wallet(one: Credential, other: Credential) -> bool:
    """Whether two credentials open the same wallet in the same way, whatever is known of its network or may spend."""
    return _place_of(one) == _place_of(other)


def _place_of(credential: Credential) -> Credential:
    """A credential without what says nothing of which wallet it opens."""
    spends = {"spend_key": None} if isinstance(credential, LnbitsCredential) else {}
    return credential.model_copy(update={"network": None, **spends})


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
        plain = json.dumps(_in_plain(credential)).encode()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        box = nonce + seal_box(self._secret(), nonce, plain, _aad(merchant))
        write_atomic(self._file(merchant), b64encode(box) + b"\n")

    def get(self, merchant: str) -> Credential | None:
        """The merchant's credential, or None where there is none. Raises `BadCredential`."""
        try:
            box = b64decode(self._file(merchant).read_bytes().strip(), validate=True)
            plain = open_box(self._secret(), box[:_NONCE_BYTES], box[_NONCE_BYTES:], _aad(merchant))
            return _ANY.validate_json(plain)
        except FileNotFoundError:
            return None
        except (Base64Error, CipherRefused, ValueError):
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

    def book(self, merchant: str) -> Path:
        """Where a back-end that has to keep its own list of a merchant's requests keeps it; it outlives a credential,
        since what was shown may still be paid."""
        return self._folder / f"{merchant}{_BOOK_SUFFIX}"

    def seed(self, merchant: str) -> bytes:
        """What a merchant's ecash is derived from and sealed with: 32 bytes of the home's own key, never lost with a
        credential, since what was locked to it may still come."""
        return derive(self._secret(), "ncc/cashu/seed/1", merchant)

    def _file(self, merchant: str) -> Path:
        return self._folder / f"{merchant}{_SUFFIX}"

    def _secret(self) -> bytes:
        """The home's own key for wallets, made at first use."""
        if not self._secret_file.exists():
            write_private(self._secret_file, secrets.token_hex(32) + "\n")
        return bytes.fromhex(self._secret_file.read_text().strip())


def _in_plain(credential: Credential) -> dict[str, Any]:
    """A credential's words with its secrets, for the box alone."""
    return {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in credential}


def _aad(merchant: str) -> bytes:
    return f"ncc/wallet/1:{merchant}".encode()
