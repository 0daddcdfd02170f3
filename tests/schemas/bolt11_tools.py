"""Makes invoices that no honest writer would, and names the fault of a reading or a writing."""

from schemas.bolt11 import (
    InvoiceFault,
    InvoiceRefused,
    Network,
    decode,
    encode,
)
from schemas.nostr.secp256k1 import recover, sign_recoverable

# BOLT-11, "Examples": the figures they share.
from tests.schemas.bolt11_examples import (
    HASH,
    NODE_SECRET,
    SECRET,
)

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def chars_of(data: bytes) -> str:
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return "".join(CHARSET[int(bits[place : place + 5], 2)] for place in range(0, len(bits), 5))


HASH_FIELD = "pp5" + chars_of(bytes.fromhex(HASH))
SECRET_FIELD = "sp5" + chars_of(bytes.fromhex(SECRET))


def checked(text: str) -> str:
    """Replace the last six characters by the right checksum."""
    prefix, _, data = text[:-6].rpartition("1")
    values = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    values += [CHARSET.index(char) for char in data] + [0] * 6
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            state ^= generator if top >> bit & 1 else 0
    return text[:-6] + "".join(CHARSET[(state ^ 1) >> shift & 31] for shift in range(25, -1, -5))


def resigned(prefix: str, fields: str = HASH_FIELD + SECRET_FIELD + "dqq") -> str:
    """Give an invoice of any prefix and fields, whose signature recovers some key and whose checksum holds."""
    signature = sign_recoverable(NODE_SECRET, b"\x05" * 32)
    return checked(f"{prefix}1pvjluez{fields}{chars_of(signature)}qqqqqq")


def an_invoice(**terms: object) -> str:
    defaults: dict[str, object] = {
        "network": Network.REGTEST,
        "amount_msat": 21_000,
        "timestamp": 1_700_000_000,
        "payment_hash": HASH,
        "payment_secret": SECRET,
        "secret": NODE_SECRET,
        "description": "coffee",
    }
    return encode(**(defaults | terms))  # type: ignore[arg-type]


def public_of(secret: bytes) -> str:
    digest = b"\x01" * 32
    return recover(digest, sign_recoverable(secret, digest)).hex()


def fault_of_reading(text: str) -> InvoiceFault | None:
    try:
        decode(text)
    except InvoiceRefused as refused:
        return refused.reason
    return None


def fault_of_writing(**terms: object) -> InvoiceFault | None:
    try:
        an_invoice(**terms)
    except InvoiceRefused as refused:
        return refused.reason
    return None
