"""What people write: kinds 14 and 15 of NIP-17, plain kind 4 and nutzaps, as drafts for the inbox (market spec §4).

Words alone never trigger a checkout, and a checkout never lands among words: a message with a checkout's tags, or
whose content is a JSON object, is some client's order message and is set aside (MSG-04).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import orjson

from schemas import limits
from schemas.cashu.faults import TokenRefused
from schemas.dialects.contract import Draft, MessageFault, MessageRefused, Said
from schemas.dialects.shown_invoices import invoice_in_text
from schemas.dialects.shown_tokens import ShownToken, token_in_nutzap, token_in_text
from schemas.inbox import AnswerPromised, DeleteMessages, MessageKind
from schemas.nostr.kinds import Kind
from schemas.payouts import OfferedInvoice
from schemas.replies import ReplyPromised
from schemas.values import Actor, EventId, OrderKey, PublicKey

CHECKOUT_TAGS = frozenset({"item", "type", "payment", "amount", "tracking", "carrier", "shipping", "address"})
"""Tags that only order messages carry. What else a client puts beside words says nothing to a shop: `order` and
`subject` what they are about, a former draft's `status` and `date` not even that (T14-01)."""
COMPANION = "companion"
"""The tag of a message that says again, for people's clients, what an order message said (MSG-11)."""
FILE_TAGS = frozenset({"file-type", "encryption-algorithm", "decryption-key", "decryption-nonce", "x"})
"""NIP-17, kind 15: how the file at the address is opened, and the digest it has. Nothing is ever fetched (T15-02)."""
ORDER_TAGS = frozenset(
    {"item", "shipping", "amount", "address", "email", "phone", "contact", "pickup", "size", "volume", "weight", "bulk"}
    | {"status", "tracking", "carrier", "eta"}
)
"""What an order message says in tags, as far as a person can use it."""
_ROUND_WORDS = "#.,;:!?()[]\"'"
"""What people write round an order's id in a sentence."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A person's message as read, its text still open. `order_refs` are the orders it may be about.

    `token` where it is nothing but ecash; `invoice` is the one that a buyer's words of kind 14 show.
    """

    buyer: PublicKey
    kind: MessageKind
    text: str = field(repr=False)
    subject: str | None = field(repr=False)
    order_refs: tuple[str, ...]
    answers: EventId | None
    is_room: bool
    token: ShownToken | None = None
    invoice: OfferedInvoice | None = None


def is_human(kind: int) -> bool:
    """Whether people's clients write messages of this kind; kind 15 was an order's in a former draft of the spec."""
    return kind in (Kind.CHAT_MESSAGE, Kind.FILE_MESSAGE, Kind.ENCRYPTED_DIRECT_MESSAGE, Kind.NUTZAP)


def is_companion(said: Said) -> bool:
    """Whether it only says again what an order message said."""
    return said.actor is Actor.MERCHANT and any(tag[0] == COMPANION for tag in said.tags)


def read_letter(said: Said) -> Letter:
    """A message of kind 14, 15, 4 or 9321 for the inbox. Raises `MessageRefused`.

    Of kind 4 the nip15 dialect took what is its own before, so that JSON in it is somebody's words.
    What a wallet sends for a payment request is JSON too (NUT-18); its text is then the token alone.
    """
    if said.kind == Kind.NUTZAP:
        return _nutzap(said)
    names = {tag[0] for tag in said.tags}
    is_file = said.kind == Kind.FILE_MESSAGE
    token = None if is_file or said.actor is Actor.MERCHANT else token_in_text(said.content)
    is_json = token is None and said.kind != Kind.ENCRYPTED_DIRECT_MESSAGE and _is_json(said.content)
    if names & CHECKOUT_TAGS or (is_file and not names & FILE_TAGS) or is_json:
        raise MessageRefused(MessageFault.KNOWN_FOREIGN_DIALECT, "an order message of another client's kind")
    if not said.content.strip():
        raise MessageRefused(MessageFault.EMPTY_MESSAGE)
    letter = _letter(said, MessageKind.FILE if is_file else MessageKind.TEXT, FILE_TAGS if is_file else frozenset())
    if token is not None:
        return replace(letter, text=_cut(token.text or "", limits.MESSAGE_TEXT.most), token=token)
    is_buyers = said.kind == Kind.CHAT_MESSAGE and said.actor is Actor.BUYER
    return replace(letter, invoice=invoice_in_text(said.content)) if is_buyers else letter


def _nutzap(said: Said) -> Letter:
    """Ecash that is its own message (NIP-61); its text is the token, and below it what the sender says of it.

    It names an order by its id, in a tag or among its words.
    """
    if said.actor is Actor.MERCHANT:
        raise MessageRefused(MessageFault.NOT_ALLOWED, "the merchant's own nutzap")
    try:
        token = token_in_nutzap(said.tags)
    except TokenRefused as refused:
        raise MessageRefused(MessageFault.BAD_NUTZAP, refused.reason.value) from None
    letter = _letter(said, MessageKind.TEXT, frozenset())
    words = [word.strip(_ROUND_WORDS) for word in said.content.split()]
    ids = filter(_is_order_id, (said.content.strip(), *sorted(words, key=len, reverse=True)[: limits.MENTIONS.most]))
    named = (OrderKey(merchant=said.merchant, buyer=said.author, order_id=one).ref for one in ids)
    return replace(
        letter,
        text=_cut(f"{token.text}\n{said.content}".strip(), limits.MESSAGE_TEXT.most),
        order_refs=tuple(dict.fromkeys((*letter.order_refs, *named)))[: limits.MENTIONS.most],
        token=token,
    )


def read_as_words(said: Said) -> Letter:
    """An order message for the inbox of a shop that does not listen to its dialect. Raises `MessageRefused`.

    What it says in tags is written out under its text, except how it was paid: a token is money.
    """
    return _letter(said, MessageKind.TEXT, ORDER_TAGS)


def _letter(said: Said, kind: MessageKind, shown: frozenset[str]) -> Letter:
    buyer, is_room = _other_side(said)
    subject = next((tag[1] for tag in said.tags if tag[0] == "subject" and len(tag) > 1), "")
    lines = (f"{tag[0]}: {' '.join(tag[1:])}" for tag in said.tags if tag[0] in shown and tag[1:])
    text = "\n".join((*([said.content] if said.content else ()), *lines))
    return Letter(
        buyer=buyer,
        kind=kind,
        text=_cut(text, limits.MESSAGE_TEXT.most),
        subject=_cut(subject, limits.TITLE.most) or None,
        order_refs=_mentions(said, buyer),
        answers=next((tag[1] for tag in said.tags if tag[0] == "e" and len(tag) > 1 and _is_hex64(tag[1])), None),
        is_room=is_room,
    )


def read_deletion(said: Said) -> DeleteMessages:
    """A wrapped kind 5: which of the author's own messages are taken back. Raises `MessageRefused`."""
    ids = tuple(dict.fromkeys(tag[1] for tag in said.tags if tag[0] == "e" and len(tag) > 1 and _is_hex64(tag[1])))
    if not ids:
        raise MessageRefused(MessageFault.BAD_SHAPE, "a deletion that names no message")
    buyer, _ = _other_side(said)
    return DeleteMessages(buyer=buyer, actor=said.actor, rumor_ids=ids[: limits.PRIVATE_DELETIONS.most])


def write_answer(promised: AnswerPromised, text: str) -> Draft:
    """An answer as kind 14; its subject is the order's id where it is about one (market spec §4).

    As kind 4, whose tags everybody reads, it names nothing but its recipient.
    """
    if promised.is_direct:
        return Draft(kind=Kind.ENCRYPTED_DIRECT_MESSAGE, tags=(("p", promised.buyer),), content=text)
    about = (("subject", promised.order.order_id),) if promised.order else ()
    answers = (("e", promised.answers),) if promised.answers else ()
    return Draft(kind=Kind.CHAT_MESSAGE, tags=(("p", promised.buyer), *about, *answers), content=text)


def write_companion(promised: ReplyPromised) -> Draft:
    """What a reply says, once more as kind 14 and marked, so that nobody who runs this shop reads it back."""
    order = promised.order
    tags = (("p", order.buyer), ("subject", order.order_id), (COMPANION, str(promised.number)))
    return Draft(kind=Kind.CHAT_MESSAGE, tags=tags, content=promised.reply.text)


def _other_side(said: Said) -> tuple[PublicKey, bool]:
    """The buyer of the thread, and whether more people than these two were addressed (MSG-02)."""
    people = {tag[1] for tag in said.tags if tag[0] == "p" and len(tag) > 1}
    if said.actor is Actor.BUYER:
        if said.merchant not in people:
            raise MessageRefused(MessageFault.RECIPIENT_MISMATCH, "the message is for somebody else")
        return said.author, bool(people - {said.merchant, said.author})
    others = sorted(people - {said.merchant})
    if len(others) != 1 or not _is_hex64(others[0]):
        raise MessageRefused(MessageFault.RECIPIENT_MISMATCH, "the merchant's own message names no single buyer")
    return others[0], False


def _mentions(said: Said, buyer: PublicKey) -> tuple[str, ...]:
    """References of the orders that `order` and `subject` tags would name, hashed: a subject may be anything."""
    refs: dict[str, None] = {}
    for name in ("order", "subject"):
        for tag in said.tags:
            if tag[0] != name or len(tag) < 2 or not _is_order_id(tag[1]):
                continue
            refs[OrderKey(merchant=said.merchant, buyer=buyer, order_id=tag[1]).ref] = None
    return tuple(refs)[: limits.MENTIONS.most]


def _is_json(text: str) -> bool:
    """Whether a text is a JSON object or a list of them, as clients' order messages are."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(said, dict) or (isinstance(said, list) and any(isinstance(one, dict) for one in said))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _is_order_id(text: str) -> bool:
    return 1 <= len(text) <= limits.ORDER_ID.most and text.isascii() and text.isprintable()


def _is_hex64(text: str) -> bool:
    return len(text) == 64 and all(c in "0123456789abcdef" for c in text)
