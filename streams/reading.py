"""From one raw relay event to commands, a quarantine record, or nothing new: a pure function of the record (D4).

The gates come in the order of their cost: shape, known sender, id, signature, decryption, meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from schemas import limits
from schemas.catalogue import RecordCollection, RecordDeletion, RecordListing, RecordShippingOption
from schemas.dialects import human
from schemas.dialects.contract import Dialect, MessageFault, MessageRefused, OrderDraft, PersonalDetails, Said
from schemas.hearing import HearMessage
from schemas.inbox import ReceiveMessage, conversation_ref
from schemas.market.collection import read_collection
from schemas.market.handlers import SHOPPING_KINDS, read_handler, read_recommendation
from schemas.market.listing import read_listing
from schemas.market.mints import read_mints
from schemas.market.profile import read_profile
from schemas.market.reading import MarketFault, MarketRefused, TagReader, identifier, time, whole_number
from schemas.market.review import read_review
from schemas.market.shipping_option import read_shipping_option
from schemas.messages import CommandBody
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import KIND_MAX, Kind
from schemas.nostr.nip01 import Event, EventRefused, UnsignedEvent, check_id, check_sig, parse_event, tag_values
from schemas.nostr.nip09 import read_deletion
from schemas.nostr.nip17 import read_inbox_relays
from schemas.nostr.nip37 import DraftRefused, read_private_relays
from schemas.nostr.nip44 import PayloadRefused
from schemas.nostr.nip59 import OpenedWrap, WrapFault, WrapRefused
from schemas.orders import LEAKY, MoveOrder, MoveShipping, PlaceOrder
from schemas.past import RecordPast
from schemas.payments import AnnouncePayment, ReportPayment, ReportUnnamedPayment
from schemas.preferences import RecordPreference
from schemas.publishing import Draft, RecordDraft, RecordRelays, RelayNames, address
from schemas.reviews import RecordReview
from schemas.shops import Switchable
from schemas.values import Actor, Destination, OrderKey
from streams.bursts import Bursts
from streams.direct import dialect_of, said_directly
from streams.raw import Commands, Known, Raw, Reading, Refused, command, quarantined
from streams.sealing import Vault, seal_tokens, with_tokens

FUTURE_MAX_S = limits.FUTURE.most
"""How far ahead of our clock an event may be dated; a later one could pin a replaceable's slot (attack 41)."""

_LISTS = frozenset({Kind.RELAY_LIST})
"""Kinds that ingest and the publisher read from relays themselves; here they are only counted."""


class Signer(Protocol):
    """What reading asks of the keeper of keys (D8)."""

    def is_own_copy(self, wrap: Event, merchant: str) -> bool:
        """Whether this wrap is our own copy of a message we sent."""

    def open_wrap(self, wrap: Event, merchant: str) -> OpenedWrap:
        """The message inside. Raises `WrapRefused`."""

    def open_direct(self, message: Event, merchant: str) -> str:
        """The text of a kind 4 to the merchant. Raises `ContentRefused`."""

    def open_private(self, event: UnsignedEvent) -> str:
        """The text a merchant wrote for itself (NIP-37). Raises `PayloadRefused`."""


HostedSince = Callable[[str], int | None]
"""Since when a merchant is run here (unix seconds), or None for a stranger."""

LOOK_BACK_S = 2 * 86_400 + 3_600
"""An order from so shortly before the merchant came here is answered, where nobody else has (REL-11)."""


class Reader:
    """Reads for all merchants of this deployment."""

    def __init__(
        self,
        hosted_since: HostedSince,
        signer: Signer,
        vault: Vault,
        bursts: Bursts | None = None,
        takes_nip15: Callable[[str], bool] = lambda _merchant: False,
    ) -> None:
        """Without `bursts` every message of a sender is read, however many there are.

        `takes_nip15` says of a merchant here whether kind 4 is read.
        """
        self._takes_nip15 = takes_nip15
        self._hosted_since = hosted_since
        self._signer = signer
        self._vault = vault
        self._bursts = bursts

    def read(self, raw: Raw) -> Reading:
        """One raw record as what it leads to. The same record always gives the same answer."""
        try:
            return self._read(raw)
        except (EventRefused, MarketRefused, WrapRefused) as refused:
            return quarantined(raw, refused.reason.value, refused.detail, None)
        except (PayloadRefused, DraftRefused) as refused:
            return quarantined(raw, refused.reason.value, "", None)
        except Refused as refused:
            return quarantined(raw, refused.reason, refused.detail, refused.merchant)

    def _is_hosted(self, public_key: str) -> bool:
        return self._hosted_since(public_key) is not None

    def _read(self, raw: Raw) -> Commands | Known:
        event = parse_event(raw.text)
        if event.kind == Kind.GIFT_WRAP:
            return self._read_wrap(raw, event)
        check_id(event)
        check_sig(event)
        if event.created_at > raw.at_ms // 1_000 + FUTURE_MAX_S:
            raise Refused("future_dated", f"{event.created_at - raw.at_ms // 1_000} s ahead")
        return self._read_public(raw, event)

    def _read_public(self, raw: Raw, event: Event) -> Commands | Known:
        match event.kind:
            case Kind.PRODUCT:
                return self._of_merchant(raw, event, RecordListing(listing=read_listing(event)))
            case Kind.SHIPPING_OPTION:
                return self._of_anybody(raw, event, RecordShippingOption(option=read_shipping_option(event)))
            case Kind.COLLECTION:
                return self._of_anybody(raw, event, RecordCollection(collection=read_collection(event)))
            case Kind.METADATA | Kind.NUTZAP_INFO | Kind.APP_RECOMMENDATION:
                return self._read_preference(raw, event)
            case Kind.APP_HANDLER:
                return self._of_anybody(raw, event, RecordPreference(preference=read_handler(event)))
            case Kind.PRODUCT_DRAFT:
                return self._unpublished(event, "inactive_listing")
            case Kind.DRAFT_WRAP:
                return self._of_merchant(raw, event, RecordDraft(draft=_draft(event)))
            case Kind.INBOX_RELAYS | Kind.DRAFT_RELAYS if self._is_hosted(event.pubkey):
                return self._of_merchant(raw, event, RecordRelays(names=self._relay_names(event)))
            case Kind.INBOX_RELAYS | Kind.DRAFT_RELAYS:
                return Known("relay_list")
            case Kind.REVIEW:
                review = read_review(event)
                merchant = Coordinate.parse(review.product).pubkey
                if not self._is_hosted(merchant):
                    raise Refused(MarketFault.FOREIGN_REVIEW, "a product of nobody here")
                return Commands((command(raw, event.id, merchant, RecordReview(review=review)),))
            case Kind.DELETION:
                return self._read_deletion(raw, event)
            case Kind.ENCRYPTED_DIRECT_MESSAGE:
                return self._read_direct(raw, event)
            case Kind.NUTZAP:
                return self._read_for_all(raw, event)
            case Kind.CHAT_MESSAGE | Kind.ORDER | Kind.PAYMENT_RECEIPT:
                return self._read_open(raw, event)
            case kind if kind in _LISTS:
                return Known("relay_list")
            case _:
                raise Refused("unknown_kind", f"kind {event.kind}")

    def _read_open(self, raw: Raw, event: Event) -> Commands | Known:
        """An order message that everybody can read, as some clients write them; answered in a wrap (MSG-07).

        The same kinds are reposts (NIP-18), reactions to pages (NIP-25) and notes, which carry no `type` and `order`.
        """
        if not {"type", "order"} <= {tag[0] for tag in event.tags if len(tag) > 1}:
            return Known("public_message")
        return self._read_for_all(raw, event, warnings=(LEAKY,))

    def _read_for_all(self, raw: Raw, event: Event, warnings: tuple[str, ...] = ()) -> Commands | Known:
        hosted = {key for key in tag_values(event, "p") if self._is_hosted(key)}
        if len(hosted) != 1:
            raise Refused(WrapFault.WRONG_RECIPIENT, "no single merchant here is named")
        (merchant,) = hosted
        if event.pubkey == merchant:
            return Known("own_public_message")
        self._check_age(raw, merchant, event.created_at)
        said = Said(event.id, event.pubkey, merchant, event.kind, event.tags, event.content)
        return self._hear(raw, event.id, said, event.created_at, warnings)

    def _read_direct(self, raw: Raw, event: Event) -> Commands | Known:
        said = said_directly(event, self._is_hosted, self._takes_nip15, self._signer)
        if isinstance(said, Known):
            return said
        self._check_age(raw, said.merchant, event.created_at)
        return self._hear(raw, event.id, said, event.created_at)

    def _of_merchant(self, raw: Raw, event: Event, body: CommandBody) -> Commands:
        if not self._is_hosted(event.pubkey):
            raise Refused("foreign_author", "the author is no merchant here")
        return Commands((command(raw, event.id, event.pubkey, body),))

    def _read_preference(self, raw: Raw, event: Event) -> Commands | Known:
        """How a merchant wants to be paid; of others', and what is recommended for other things, nothing is kept."""
        if not self._is_hosted(event.pubkey):
            return Known("foreign_profile")
        match event.kind:
            case Kind.METADATA:
                return self._of_merchant(raw, event, RecordPreference(preference=read_profile(event)))
            case Kind.NUTZAP_INFO:
                return self._of_merchant(raw, event, RecordPreference(preference=read_mints(event)))
            case _:
                recommendation = read_recommendation(event)
                if recommendation.kind not in SHOPPING_KINDS:
                    return Known("other_recommendation")
                return self._of_merchant(raw, event, RecordPreference(preference=recommendation))

    def _of_anybody(self, raw: Raw, event: Event, body: CommandBody) -> Commands:
        """To the author's own shop, and to those that asked for it because a listing points there (SHP-12)."""
        merchants = sorted(key for key in {event.pubkey, *raw.tenants} if self._is_hosted(key))
        if not merchants:
            raise Refused("foreign_author", "the author is no merchant here, and nobody asked for it")
        return Commands(tuple(command(raw, event.id, merchant, body) for merchant in merchants))

    def _unpublished(self, event: Event, what: str) -> Known:
        """A merchant's inactive copy: seen, never sold (T403-01)."""
        if not self._is_hosted(event.pubkey):
            raise Refused("foreign_author", "the author is no merchant here")
        return Known(what)

    def _relay_names(self, event: Event) -> RelayNames:
        """A merchant's own list: where messages reach it (10050), or where its drafts are kept (10013)."""
        if event.kind == Kind.INBOX_RELAYS:
            relays = read_inbox_relays(event)
        else:
            text = self._signer.open_private(event) if event.content else ""
            relays = read_private_relays(text) if text else ()
        return RelayNames(kind=event.kind, event_id=event.id, created_at=event.created_at, relays=relays)

    def _read_deletion(self, raw: Raw, event: Event) -> Commands:
        """To the author's own shop, and to shops whose products the author may have reviewed."""
        deletion = read_deletion(event)
        body = RecordDeletion(
            author=event.pubkey,
            created_at=event.created_at,
            event_ids=tuple(sorted(deletion.ids)),
            coordinates=tuple(sorted(str(c) for c in deletion.coordinates)),
        )
        reviewed = {_reviewed_merchant(c) for c in deletion.coordinates if c.kind == Kind.REVIEW}
        concerned = {event.pubkey, *raw.tenants, *reviewed}
        merchants = sorted(m for m in concerned if m and self._is_hosted(m))
        if not merchants:
            raise Refused("foreign_author", "a deletion that concerns nobody here")
        return Commands(tuple(command(raw, event.id, merchant, body) for merchant in merchants))

    def _read_wrap(self, raw: Raw, wrap: Event) -> Commands | Known:
        hosted = [key for key in tag_values(wrap, "p") if self._is_hosted(key)]
        if len(hosted) != 1:
            raise Refused(WrapFault.WRONG_RECIPIENT, "no single merchant here is named")
        merchant = hosted[0]
        started_s = self._hosted_since(merchant) or 0
        is_own = self._signer.is_own_copy(wrap, merchant)
        if is_own and wrap.created_at >= started_s:
            return Known("own_copy")
        check_id(wrap)
        check_sig(wrap)
        try:
            opened = self._signer.open_wrap(wrap, merchant)
        except WrapRefused as refused:
            raise Refused(refused.reason.value, refused.detail, merchant) from None
        rumor = opened.rumor
        if rumor.kind == Kind.ENCRYPTED_DIRECT_MESSAGE:
            raise Refused(MessageFault.UNKNOWN_KIND, "a kind 4 inside a wrap is none", merchant)
        if is_own and rumor.created_at >= started_s:
            return Known("own_copy")
        self._check_age(raw, merchant, rumor.created_at)
        said = Said(rumor.id, opened.sender, merchant, rumor.kind, rumor.tags, rumor.content)
        if why := _ignored(said):
            return Known(why)
        return self._hear(raw, wrap.id, said, rumor.created_at)

    def _check_age(self, raw: Raw, merchant: str, said_s: int) -> None:
        """A message's own time, unix seconds: not ahead of us, and not too old unless the shop is younger still."""
        if said_s > raw.at_ms // 1_000 + FUTURE_MAX_S:
            raise Refused("future_dated", "the message inside", merchant)
        is_old = said_s < raw.received_ms // 1_000 - limits.RUMOR_AGE.most
        if raw.replayed_ms is None and is_old and said_s >= (self._hosted_since(merchant) or 0):
            raise Refused("too_old", "the message inside", merchant)

    def _hear(
        self, raw: Raw, event_id: str, said: Said, said_s: int, warnings: tuple[str, ...] = ()
    ) -> Commands | Known:
        """What somebody whose key is proven said to a merchant, as a command."""
        started_s = self._hosted_since(said.merchant) or 0
        is_past, is_recent = said_s < started_s, said_s >= started_s - LOOK_BACK_S
        dialect = dialect_of(said)
        if dialect is None and not human.is_human(said.kind) and said.kind != Kind.DELETION:
            raise Refused(MessageFault.UNKNOWN_KIND, f"a message of kind {said.kind}", said.merchant)
        if dialect is None and not is_recent:
            return Known("past_letter")  # the merchant has read it elsewhere
        if not is_past and self._is_burst(raw, said):
            raise Refused("sender_flood", f"more than {limits.SENDER_BURST.most} in a minute", said.merchant)
        try:
            body = self._meaning(dialect, said, said_s, warnings)
            if is_past and isinstance(body, AnnouncePayment | ReportUnnamedPayment):
                return Known("past_payment")
            if is_past and isinstance(body, PlaceOrder | MoveOrder | MoveShipping | ReportPayment):
                body = RecordPast(order=body.order, said=body, said_at=said_s, is_recent=is_recent)
            if dialect is not None and dialect.name in Switchable:
                words = self._letter(said, said_s, human.read_as_words(said)) if is_recent else None
                body = HearMessage.model_validate({"dialect": dialect.name, "said": body, "words": words})
        except MessageRefused as refused:
            raise Refused(refused.reason.value, refused.detail, said.merchant) from None
        return Commands((command(raw, event_id, said.merchant, body),))

    def _is_burst(self, raw: Raw, said: Said) -> bool:
        """Whether a buyer says too much at once; the merchant's own copies and what is replayed are never counted."""
        if self._bursts is None or raw.replayed_ms is not None or said.actor is Actor.MERCHANT:
            return False
        return self._bursts.is_one_too_many(said.merchant, said.author, said.rumor_id, raw.received_ms)

    def _meaning(self, dialect: Dialect | None, said: Said, said_s: int, warnings: tuple[str, ...]) -> CommandBody:
        """By a dialect, or as a person's. Raises `MessageRefused`."""
        if dialect is not None:
            return self._understand(dialect, said, warnings)
        if said.kind == Kind.DELETION:
            return human.read_deletion(said)
        return self._letter(said, said_s, human.read_letter(said))

    def _letter(self, said: Said, said_s: int, letter: human.Letter) -> ReceiveMessage:
        """A person's message, its text sealed."""
        conversation = conversation_ref(said.merchant, letter.buyer)
        words = PersonalDetails(note=letter.text, subject=letter.subject)
        return ReceiveMessage(
            buyer=letter.buyer,
            author=said.actor,
            rumor_id=said.rumor_id,
            said_s=said_s,
            kind=letter.kind,
            text=self._vault.seal(said.merchant, conversation, said.rumor_id, words),
            order_refs=letter.order_refs,
            answers=letter.answers,
            is_room=letter.is_room,
            is_direct=said.kind == Kind.ENCRYPTED_DIRECT_MESSAGE,
            tokens=seal_tokens(self._vault, said, (letter.token,)) if letter.token else (),
            invoice=letter.invoice,
        )

    def _understand(self, dialect: Dialect, said: Said, warnings: tuple[str, ...]) -> CommandBody:
        reading = dialect.read(said)
        if not isinstance(reading, OrderDraft):
            return with_tokens(self._vault, said, reading)
        key = OrderKey(merchant=said.merchant, buyer=said.author, order_id=reading.order_id)
        details = None
        if not reading.personal.is_empty:
            details = self._vault.seal(said.merchant, key.ref, said.rumor_id, reading.personal)
        return PlaceOrder(
            order=key,
            dialect=dialect.name,
            rumor_id=said.rumor_id,
            lines=reading.lines,
            shipping=reading.shipping,
            destination=Destination(country=reading.country, region=reading.region, geohash=reading.geohash),
            details=details,
            claimed_sats=reading.claimed_sats,
            coupon=reading.coupon,
            language=reading.language,
            has_contact=bool(reading.personal.email or reading.personal.phone),
            warnings=(*reading.warnings, *warnings),
        )


def _ignored(said: Said) -> str | None:
    """Why a private message is only counted: nothing a shop acts on, and nothing anybody did wrong (MSG-01, MSG-02)."""
    people = {tag[1] for tag in said.tags if tag[0] == "p" and len(tag) > 1}
    if said.kind == Kind.REACTION:
        return "reaction"
    if said.actor is Actor.MERCHANT and people == {said.merchant}:
        return "note_to_self"
    return "companion" if human.is_companion(said) else None


def _draft(event: Event) -> Draft:
    """A draft as it is kept, unopened (T37-01). Raises `Refused`, `MarketRefused`."""
    tags = TagReader(event)
    of_kind = whole_number(tags.text("k") or "", KIND_MAX)
    if of_kind is None:
        raise Refused(MarketFault.NO_KIND, "a draft that does not say of what")
    return Draft(
        coordinate=address(Kind.DRAFT_WRAP, event.pubkey, identifier(tags)),
        event_id=event.id,
        created_at=event.created_at,
        of_kind=of_kind,
        content=event.content,
        expires_at=time(tags, "expiration"),
    )


def _reviewed_merchant(coordinate: Coordinate) -> str | None:
    """The merchant of a review's address, `31555:<author>:a:30402:<merchant>:<d>`."""
    prefix, _, product = coordinate.d.partition(":")
    try:
        return Coordinate.parse(product).pubkey if prefix == "a" else None
    except ValueError:
        return None
