"""The only list of event kinds the coordinator knows, and the rules for their ranges (NIP-01)."""

from enum import IntEnum
from typing import Final

KIND_MAX: Final = 65_535


class Kind(IntEnum):
    """An event kind by the name its NIP or the market spec gives it."""

    METADATA = 0  # NIP-01
    CONTACTS = 3  # NIP-02
    ENCRYPTED_DIRECT_MESSAGE = 4  # NIP-04, only the NIP-15 dialect
    DELETION = 5  # NIP-09
    REACTION = 7  # NIP-25
    SEAL = 13  # NIP-59
    CHAT_MESSAGE = 14  # NIP-17, and the market spec's communication
    FILE_MESSAGE = 15  # NIP-17
    ORDER = 16  # market spec: order, payment request, status, shipping
    PAYMENT_RECEIPT = 17  # market spec
    BID = 1021  # NIP-15
    BID_CONFIRMATION = 1022  # NIP-15
    GIFT_WRAP = 1059  # NIP-59
    NUTZAP = 9321  # NIP-61
    ZAP_REQUEST = 9734  # NIP-57
    ZAP_RECEIPT = 9735  # NIP-57
    RELAY_LIST = 10_002  # NIP-65
    DRAFT_RELAYS = 10_013  # NIP-37
    NUTZAP_INFO = 10_019  # NIP-61, and the market spec's payment preference
    INBOX_RELAYS = 10_050  # NIP-17
    WALLET_INFO = 13_194  # NIP-47
    EPHEMERAL_GIFT_WRAP = 21_059  # NIP-59, refused for orders
    CLIENT_AUTH = 22_242  # NIP-42
    WALLET_REQUEST = 23_194  # NIP-47
    WALLET_RESPONSE = 23_195  # NIP-47
    WALLET_NOTIFICATION_NIP04 = 23_196  # NIP-47
    WALLET_NOTIFICATION = 23_197  # NIP-47
    REMOTE_SIGNING = 24_133  # NIP-46
    HTTP_AUTH = 27_235  # NIP-98
    STALL = 30_017  # NIP-15
    STALL_PRODUCT = 30_018  # NIP-15
    MARKETPLACE_UI = 30_019  # NIP-15
    AUCTION = 30_020  # NIP-15
    APP_DATA = 30_078  # NIP-78
    PRODUCT = 30_402  # NIP-99, market spec
    PRODUCT_DRAFT = 30_403  # NIP-99
    COLLECTION = 30_405  # market spec
    SHIPPING_OPTION = 30_406  # market spec
    DRAFT_WRAP = 31_234  # NIP-37
    REVIEW = 31_555  # market spec
    APP_RECOMMENDATION = 31_989  # NIP-89
    APP_HANDLER = 31_990  # NIP-89


def is_replaceable(kind: int) -> bool:
    """Tell whether only the newest event of a kind and author counts."""
    return 10_000 <= kind < 20_000 or kind in (Kind.METADATA, Kind.CONTACTS)


def is_ephemeral(kind: int) -> bool:
    """Tell whether relays are not expected to keep the event."""
    return 20_000 <= kind < 30_000


def is_addressable(kind: int) -> bool:
    """Tell whether only the newest event of a kind, author and `d` tag counts."""
    return 30_000 <= kind < 40_000
