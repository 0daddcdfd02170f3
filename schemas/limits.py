"""The one table of limits on what strangers, relays and buyers send: each with its source and what refuses it.

Whoever enforces a limit takes its figure from here; `tests/schemas/test_limits.py` sends each at the limit and one
past it. "Threat model" is the list of §2.1 there; where a figure differs from it, the row says why.
A limit that a merchant may set for the own shop stands here with its default (`schemas.shops.ShopSettings`).
"""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Limit:
    """One row: at most `most` of `unit` (`least` where too few are refused too).

    `refused` is the stable code that a person finds in quarantine or in the buyer's answer, or says what happens
    where nothing is refused; `why` is there where the figure is ours or differs from its source.
    """

    what: str
    most: int
    unit: str
    source: str
    refused: str
    least: int = 0
    why: str = ""
    is_setting: bool = False


THREAT_MODEL = "threat model"

FRAME = Limit("one frame of a relay", 192 * 1024, "bytes", THREAT_MODEL, "frame_too_big")
FRAME_HARD = Limit(
    "a frame that is still read, to be dropped",
    8 * 1024 * 1024,
    "bytes",
    "REL-18",
    "the relay is closed and backs off",
    why="A socket that dies of one big frame dies again after each reconnect, and the relay is lost.",
)
FRAME_PARTS = Limit("parts of a relay's frame", 8, "parts", "NIP-01", "bad_frame", why="Frames there are have four.")
CHALLENGE = Limit("a relay's challenge to sign", 1_024, "characters", "NIP-42", "bad_frame", least=1)
EVENT = Limit("one event's text", 128 * 1024, "bytes", THREAT_MODEL, "too_big")
JSON_DEPTH = Limit(
    "levels of nesting",
    8,
    "levels",
    THREAT_MODEL,
    "bad_shape",
    why="An event needs three; fields nobody knows may use the rest.",
)
EVENT_TAGS = Limit("tags of an event", 2_000, "tags", THREAT_MODEL, "bad_shape")
TAG_ELEMENTS = Limit("elements of a tag", 32, "elements", THREAT_MODEL, "bad_shape", least=1)
WRAP_TAGS = Limit("tags of a gift wrap", 16, "tags", THREAT_MODEL, "not_a_wrap")
RUMOR_IN = Limit("a rumor that is read", 57_344, "bytes", THREAT_MODEL, "rumor_shape")
RUMOR_OUT = Limit(
    "a rumor that is written",
    28_672,
    "bytes",
    THREAT_MODEL,
    "the delivery fails and says so",
    why="Wrapped twice it has 55,121 bytes and fits the 65,536 of the relays most in use.",
)
REPLY_TEXT = Limit(
    "the sentence in a reply",
    4_000,
    "characters",
    "RUMOR_OUT",
    "cut",
    why="A hundred addresses quoted in a rejection would make a message that cannot be wrapped, and no answer at all.",
)
ORDER_ID = Limit("an order id: printable ASCII", 128, "characters", THREAT_MODEL, "no_order", least=1)
LINES = Limit("lines of an order", 100, "lines", THREAT_MODEL, "too_many_lines", least=1)
QUANTITY = Limit("units of one listing in an order", 10_000, "units", THREAT_MODEL, "bad_quantity", least=1)
RUMOR_AGE = Limit(
    "how old a message may be when it is first received",
    7 * DAY_S,
    "seconds",
    THREAT_MODEL,
    "too_old",
    why="A rumor keeps its true time; only seal and wrap are dated back, by two days at most (NIP-59). "
    "So a week covers five days of our own down-time; what is older is no order any more (REL-11), "
    "but an operator may replay it.",
)
FUTURE = Limit(
    "how far ahead of our clock a message or event may be dated", 900, "seconds", THREAT_MODEL, "future_dated"
)
FOREIGN_RELAYS = Limit(
    "relays taken from one list of somebody else",
    5,
    "addresses",
    THREAT_MODEL,
    "left out",
    why="A list of 9,025 has been seen; the first five that can be used are kept, the list itself is not refused.",
)
RELAY_URL = Limit("a relay's address", 512, "characters", "REL-18", "left out")
RELAY_DOCUMENT = Limit("a relay's description of itself", 65_536, "bytes", "NIP-11", "not read: the usual limits")
OWED = Limit(
    "messages that one relay has while others of their list are still told",
    2_000,
    "messages",
    "REL-13",
    "those relays are waited for 15 s and left",
    why="A buyer may name relays that never answer: what they are owed must not fill the memory.",
)

TRACKING = Limit("a parcel's tracking number", 256, "characters", "market spec §4", "cut")
CARRIER = Limit("a carrier's name", 128, "characters", "market spec §4", "cut")
REVIEWERS = Limit(
    "reviewers of a shop whose deletions are followed",
    500,
    "keys",
    "REL-09",
    "the least recent is forgotten",
    why="They stand in a filter, and relays take filters of so many authors and not of more.",
)

PARKED = Limit("messages that wait for one order", 32, "messages", THREAT_MODEL, "parked_too_many")
PARKED_ORDERS = Limit(
    "orders of one shop that messages wait for",
    5_000,
    "orders",
    "C-38",
    "parked_too_many",
    why="Keys cost nothing: without it a crowd of them fills the decider's memory with orders that never come.",
)
PAST_ORDERS = Limit(
    "orders of one shop from before it came here",
    100_000,
    "orders",
    "REL-11",
    "past_too_many",
    why="They are kept so that whatever relays still tell of them finds its place; a forger's keys cost nothing.",
)
PARKED_TTL = Limit(
    "how long a message waits for its order", 2 * DAY_S, "seconds", THREAT_MODEL, "orphan", is_setting=True
)
DELETED_IDS = Limit(
    "deleted events a shop remembers that it has never seen",
    1_000,
    "ids",
    "REL-16",
    "the oldest is forgotten",
    why="Relays bring a deletion before its event; only the merchant's own are kept, so nobody else can fill it.",
)

BUYER_OPEN_ORDERS = Limit(
    "a buyer's orders that are open at once", 5, "orders", THREAT_MODEL, "too_many_open", is_setting=True
)
BUYER_UNPAID_ORDERS = Limit(
    "a buyer's orders in one hour that were not paid",
    20,
    "orders",
    THREAT_MODEL,
    "too_many_orders",
    why="The first one past it is told so; those after it are only counted, since each answer is two messages of ours.",
    is_setting=True,
)
BUYER_MESSAGES = Limit(
    "a buyer's messages in one hour that changed or claimed something",
    120,
    "messages",
    "C-12",
    "too_many_messages",
    why="Six for each of twenty orders. Never answered: an answer would be an amplifier.",
    is_setting=True,
)
SENDER_BURST = Limit(
    "messages of one sender to one shop that intake reads in one minute",
    240,
    "messages",
    "C-38",
    "sender_flood",
    why="The shop's own limits decide; this only spares the vault and the command topic what they would refuse anyway.",
)
BUYER_STOCK_SHARE = Limit(
    "the part of a listing's stock that one buyer's unpaid orders may hold",
    50,
    "per cent",
    "C-13",
    "stock_share",
    why="No figure is given. A new key costs nothing, so the share only has to make one key's hoarding useless.",
    is_setting=True,
)
BUYER_STOCK_UNITS = Limit(
    "units of a listing that one buyer's unpaid orders may hold whatever the share",
    5,
    "units",
    "C-13",
    "stock_share",
    why="Half of two pieces is one, and a person may well want both.",
    is_setting=True,
)
ORDER_SATS = Limit(
    "what one order may cost",
    100_000_000,
    "sats",
    THREAT_MODEL,
    "too_expensive",
    why="Configurable there without a figure; a bitcoin is more than any wallet here is asked for at once.",
    is_setting=True,
)
DENIED = Limit(
    "buyers a shop declines",
    1_000,
    "keys",
    "C-12",
    "the settings are refused",
    why="They stand in every record of the settings; a new key costs nothing, so a longer list would not help.",
)
OPEN_INVOICES = Limit(
    "orders of one shop that wait for payment", 2_000, "orders", THREAT_MODEL, "shop_busy", is_setting=True
)

STOCK = Limit("a listing's stock", 1_000_000_000, "units", "T402-07", "read as none, with a warning")
TITLE = Limit(
    "a title as it is quoted",
    256,
    "characters",
    "C-38",
    "cut, with a warning",
    why="Titles stand in quotes: a hundred lines of them have to fit one journal record, "
    "or one shop could stop the partition it shares.",
)
PLACE = Limit(
    "a place as it is quoted",
    512,
    "characters",
    "C-38",
    "cut, with a warning",
    why="As for titles: a buyer is told where to collect an order, and the quote keeps it.",
)
PUBLISHED = Limit(
    "a merchant's event that is published",
    60_000,
    "bytes",
    "T402-01",
    "too_big",
    why="Relays take 65,536 bytes with the signature; a larger one would be refused by each of them.",
)
FOREIGN_OFFERS = Limit(
    "options and collections of others that a shop keeps though no listing of its points at them",
    200,
    "events",
    "SHP-12",
    "left out until a listing points there",
    why="A relay may bring a carrier's option before the listing that names it; it may bring anybody's, too.",
)
VARIATIONS = Limit("variations that are named to a buyer who ordered their parent", 20, "titles", "CAT-02", "left out")
DESTINATION_CELL = Limit(
    "the geohash that an order's destination is kept as",
    5,
    "characters",
    "design D9",
    "cut",
    why="A cell of 4.9 km names a town and no house: it stays readable in the journal, as the country does.",
)
COUPON = Limit("a coupon's code", 64, "characters", "C-10", "read as none, with a warning")
TAXES = Limit("a shop's tax rules", 200, "rules", "C-09", "the settings are refused")
COUPONS = Limit("a shop's coupons", 200, "coupons", "C-10", "the settings are refused")
SHOP_TEXT = Limit("a text of a shop's own for its buyers", 1_000, "characters", "C-35", "the settings are refused")
GOODS_TEXT = Limit(
    "what a listing's buyers are sent",
    8_000,
    "characters",
    "SU-06",
    "the request is refused",
    why="With the sentence round it a message that fits relays; a larger thing is sent as a link.",
)
PARCELS = Limit("parcels of an order", 20, "parcels", "SU-04", "too_many_parcels")
PARCEL_NAME = Limit("a parcel's name", 16, "characters", "SU-04", "the request is refused", least=1)
REFUND_RAIL = Limit("the way a refund went", 32, "characters", "C-01", "the request is refused", least=1)
REFUND_REFERENCE = Limit("a refund's reference", 128, "characters", "C-01", "the request is refused")
REFUND_REASON = Limit("a refund's reason", 300, "characters", "C-01", "the request is refused")
MESSAGE_TEXT = Limit(
    "a person's message",
    16_000,
    "characters",
    "C-12",
    "cut",
    why="Sealed it stands in the journal for ever; four pages are more than anybody writes to a shop.",
)
ANSWER_TEXT = Limit(
    "an answer to a person",
    6_000,
    "characters",
    "RUMOR_OUT",
    "the answer is refused",
    least=1,
    why="Four bytes a character still fit the rumor that is written.",
)
MENTIONS = Limit("orders that a message may name", 4, "orders", "MSG-05", "left out")
PRIVATE_DELETIONS = Limit(
    "messages that one private deletion takes back",
    20,
    "messages",
    "MSG-12",
    "left out",
    why="What it names may be unknown yet and is remembered all the same.",
)
WORDS = Limit(
    "messages a shop remembers by their ids, so that each is one and may be taken back",
    10_000,
    "messages",
    "MSG-05",
    "the oldest is forgotten",
    why="A row of the inbox is found by its message's id, so that one which comes again after that is still one.",
)
INBOX_MESSAGES = Limit(
    "messages of people in one hour that name no order of theirs",
    1_000,
    "messages",
    "C-12",
    "inbox_full",
    why="A new key costs nothing, so the figure for one sender does not bound a crowd; about an order one may write.",
    is_setting=True,
)
REVIEW_CATEGORIES = Limit("categories of a review", 20, "categories", "REV-03", "category_dropped (a warning)")
REVIEW_CATEGORY = Limit("the name of a review's category", 64, "characters", "REV-03", "category_dropped (a warning)")
WAITING_REVIEWS = Limit(
    "reviews of products that a shop never named",
    1_000,
    "reviews",
    "REV-08",
    "too_many_reviews",
    why="They wait for their product; anybody may review what is not there, and a replay reads what was too much.",
)
ADDRESS = Limit("the part of an address that is searched for a country", 2_000, "characters", "SHP-08", "cut")
TIME = Limit(
    "a time in a tag",
    99_999_999_999,
    "unix seconds",
    "EVT-06",
    "dropped, with a warning",
    why="Eleven digits; thirteen are milliseconds and are not divided.",
)
LIGHTNING_ADDRESS = Limit("a Lightning address", 254, "characters", "LUD-16", "bad_lud16 (a warning)")
LNURL = Limit("an lnurl", 2_000, "characters", "LUD-06", "bad_lud06 (a warning)")
PREFERENCE_ITEMS = Limit(
    "mints, recommended applications or handled kinds of one event",
    20,
    "items",
    "T10019-01",
    "cut, with a warning",
    why="A shop keeps the newest of each event for ever.",
)
FOREIGN_HANDLERS = Limit(
    "applications kept that the merchant does not recommend yet",
    20,
    "events",
    "T89-02",
    "not kept",
    why="A relay may bring an application before the recommendation that names it.",
)
PROOFS = Limit(
    "payment hashes and proofs that a shop remembers",
    5_000,
    "proofs",
    "PAY-13",
    "the oldest is forgotten",
    why="A proof is a claim and confirms nothing; but money taken back after that is not found by its request.",
)
PAYMENT_PARTS = Limit(
    "payment requests for one price of an order",
    10,
    "requests",
    "PAY-19",
    "too_many_parts",
    why="Whoever pays in so many parts gets all of it back and may order again.",
)
DOOR_MESSAGES = Limit(
    "messages in a minute for one shop through the buyers' door",
    120,
    "messages",
    "C-12",
    "too_many_messages",
    why="Who sends is hidden until a message is opened; what is past the figure goes over relays.",
)
DOOR_WAITING = Limit("callers that wait at the buyers' door at once", 200, "callers", "C-12", "too_many_messages")
ADDRESS_CALLS = Limit("calls in a minute to one shop's lightning addresses", 120, "calls", "C-12", "too_many_calls")
ADDRESS_CALLER = Limit("calls in a minute to them from one network address", 60, "calls", "C-12", "too_many_calls")
ADDRESS_INVOICES = Limit("unpaid invoices of a shop's lightning address", 50, "invoices", "C-12", "too_many_open")
ADDRESS_PAYMENTS = Limit(
    "payments over it that a shop remembers", 5_000, "payments", "PAY-19", "the oldest is forgotten"
)
HOOK_BODY = Limit("the body of a vendor's webhook", 64 * 1024, "bytes", "PAY-16", "too_big")
HOOK_CALLS = Limit("webhook calls in a minute for one shop", 600, "calls", "PAY-16", "too_many")
HOOK_REFUSED = Limit("refused webhook calls in a minute from one network address", 60, "calls", "PAY-16", "too_many")
PROOFS_SAID = Limit("payments named in one message", 8, "tags", "market spec §4", "cut")
RECORD = Limit(
    "one Kafka record", 1_048_576, "bytes", "topics", "refused by the broker", why="An event is an eighth of it."
)

LIMITS: tuple[Limit, ...] = tuple(one for one in list(globals().values()) if isinstance(one, Limit))
"""Every row, in the order they stand here."""
