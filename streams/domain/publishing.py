"""What goes out in a merchant's name because the merchant wants it: the very event that is signed is decided here."""

from __future__ import annotations

from collections.abc import Callable

from schemas import limits
from schemas.catalogue import (
    CollectionRecorded,
    Listing,
    ListingRecorded,
    RecordDeletion,
    ShippingOption,
    ShippingOptionRecorded,
    Template,
)
from schemas.market.describing import READERS, Offer, written
from schemas.market.handlers import SHOPPING_KINDS, read_handler, read_recommendation
from schemas.market.listing import with_stock
from schemas.market.reading import MarketRefused
from schemas.market.writing import rebase
from schemas.nostr.coordinates import Coordinate, CoordinateRefused
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, event_id, serialise
from schemas.nostr.nip17 import inbox_relay_tags
from schemas.preferences import AppRecommendation, Preference, PreferenceRecorded
from schemas.publishing import (
    APP_KINDS,
    EVERY_TAG,
    OFFER_KINDS,
    Draft,
    DraftRecorded,
    KeepDraft,
    PublicationPromised,
    PublicationRefused,
    PublishApp,
    PublishOffer,
    PublishRelays,
    RecordDraft,
    RecordRelays,
    Refused,
    RelayNames,
    RelaysRecorded,
    Tags,
    WithdrawOffer,
    address,
)
from schemas.stock import StockSet
from streams.domain import catalogue, stocktaking
from streams.domain.decision import Decision
from streams.domain.shop import Shop

DRAFT_LASTS_S = 90 * 86_400
"""How long relays keep a draft that nobody touches (NIP-37)."""
UNSIGNED = "0" * 128
"""Stands where the signer will sign: the id does not depend on it, and nothing here reads it."""

Wish = PublishOffer | WithdrawOffer | KeepDraft | PublishRelays | PublishApp


def publish(decision: Decision, command: PublishOffer) -> None:
    """A new version over the newest one known, whichever client wrote that (CAT-08, CAT-09)."""
    shop = decision.shop
    if command.cause in shop.publish_causes or not _is_own(decision, command, OFFER_KINDS):
        return
    known = known_offer(shop, command.coordinate)
    try:
        offer = _new_version(decision, command, known)
    except MarketRefused as refused:
        _refuse(decision, command, "unreadable", str(refused))
        return
    except ValueError as error:  # more tags than an event may have, say
        _refuse(decision, command, "unreadable", type(error).__name__)
        return
    assert offer.template is not None
    is_new = known is None or _said(offer.template) != _said(known.template)
    if is_new and command.expects is not None and command.expects != (known.event_id if known else ""):
        if known is None:
            _refuse(decision, command, "not_there", "there is none to change")
        elif command.expects == "":
            _refuse(decision, command, "already_there", "there is one of this id")
        else:
            _refuse(decision, command, "changed_meanwhile", "another version came in between")
        return
    if is_new and _bytes(shop, offer.template) > limits.PUBLISHED.most:
        _refuse(decision, command, "too_big", f"more than {limits.PUBLISHED.most} bytes")
        return
    if is_new:
        _promise(decision, command, offer.template)
        _record(decision, command, offer)
    if command.draft is not None and (draft := shop.drafts.get(command.draft)) and draft.content:
        _keep(decision, command, draft.coordinate, draft.of_kind, "", None)


def known_offer(shop: Shop, coordinate: str) -> Offer | None:
    """The merchant's own listing, option or collection of this address, as it counts now."""
    return shop.listings.get(coordinate) or shop.options.get(coordinate) or shop.collections.get(coordinate)


def withdraw(decision: Decision, command: WithdrawOffer) -> None:
    """A deletion of every version there is (NIP-09); the address may be used again by a newer one."""
    shop, coordinate = decision.shop, command.coordinate
    if command.cause in shop.publish_causes or not _is_own(decision, command, OFFER_KINDS):
        return
    known = known_offer(shop, coordinate)
    if known is None:
        _refuse(decision, command, "not_there", "nothing of this id is published")
        return
    deleted_at = max(_now_s(decision), known.created_at)
    kind = Coordinate.parse(coordinate).kind
    tags: Tags = (("a", coordinate), ("k", str(kind)))
    _promise(decision, command, Template(kind=Kind.DELETION, created_at=deleted_at, tags=tags, content=""))
    catalogue.record_deletion(
        decision, RecordDeletion(author=shop.merchant, created_at=deleted_at, coordinates=(coordinate,))
    )


def keep_draft(decision: Decision, command: KeepDraft) -> None:
    """A new version of a draft; the same once more is nothing new, nor is discarding what is not there."""
    shop = decision.shop
    if command.cause in shop.publish_causes or not _is_own(decision, command, frozenset({Kind.DRAFT_WRAP})):
        return
    known = shop.drafts.get(command.coordinate)
    if (known.content if known else "") == command.content:
        return
    if len(command.content) > limits.PUBLISHED.most:
        _refuse(decision, command, "too_big", f"more than {limits.PUBLISHED.most} bytes")
        return
    _keep(decision, command, command.coordinate, command.of_kind, command.content, command.expires_at)


def record_draft(decision: Decision, command: RecordDraft) -> None:
    """A draft of another client, or our own as relays bring it back."""
    shop, draft = decision.shop, command.draft
    known = shop.drafts.get(draft.coordinate)
    if draft.created_at <= shop.withdrawn.get(draft.coordinate, -1) or draft.event_id in shop.deleted_ids:
        return
    if known is None or (draft.created_at, known.event_id) > (known.created_at, draft.event_id):
        decision.emit(DraftRecorded(draft=draft))


def record_relays(decision: Decision, command: RecordRelays) -> None:
    """A newer relay list of the merchant's."""
    known, names = decision.shop.relay_lists.get(command.names.kind), command.names
    if known is None or (names.created_at, known.event_id) > (known.created_at, names.event_id):
        decision.emit(RelaysRecorded(names=names))


def publish_relays(decision: Decision, command: PublishRelays) -> None:
    """A relay list; one that says something else was perhaps written by another client, and is not simply replaced."""
    shop = decision.shop
    if command.cause in shop.publish_causes:
        return
    coordinate = address(command.kind, shop.merchant)
    if command.kind not in (Kind.INBOX_RELAYS, Kind.DRAFT_RELAYS):
        _refuse(decision, command, "kind_not_published", f"kind {command.kind}", coordinate)
        return
    known = shop.relay_lists.get(command.kind)
    if known is not None and known.relays == command.relays:
        return
    if known is not None and not command.replaces:
        _refuse(decision, command, "already_there", f"it names {', '.join(known.relays) or 'none'}", coordinate)
        return
    template = Template(
        kind=command.kind,
        created_at=max(_now_s(decision), known.created_at + 1 if known else 0),
        tags=inbox_relay_tags(command.relays) if command.kind == Kind.INBOX_RELAYS else (),
        content=command.content if command.kind == Kind.DRAFT_RELAYS else "",
    )
    made = _promise(decision, command, template, coordinate=coordinate)
    names = RelayNames(kind=command.kind, event_id=made, created_at=template.created_at, relays=command.relays)
    decision.emit(RelaysRecorded(names=names))


def publish_app(decision: Decision, command: PublishApp) -> None:
    """A recommendation of the shop's (31989), or an application's own description (31990): never both of one key."""
    shop = decision.shop
    if command.cause in shop.publish_causes or not _is_own(decision, command, APP_KINDS):
        return
    kind = Coordinate.parse(command.coordinate).kind
    if (kind == Kind.APP_HANDLER) is shop.is_open:
        _refuse(decision, command, "kind_not_published", f"kind {kind} by {'a shop' if shop.is_open else 'no shop'}")
        return
    known = shop.preferences.get(command.coordinate)
    created_at = _after_all(decision, command.coordinate, known)
    template = Template(kind=kind, created_at=created_at, tags=command.tags, content=command.content)
    if known is not None and known.event_id == _id(shop, template, known.created_at):
        return
    if _bytes(shop, template) > limits.PUBLISHED.most:
        _refuse(decision, command, "too_big", f"more than {limits.PUBLISHED.most} bytes")
        return
    read: Callable[[Event], Preference] = read_handler if kind == Kind.APP_HANDLER else read_recommendation
    try:
        preference = read(_event(shop, kind, command.tags, command.content, created_at))
    except MarketRefused as refused:
        _refuse(decision, command, "unreadable", str(refused))
        return
    except ValueError as error:
        _refuse(decision, command, "unreadable", type(error).__name__)
        return
    if preference.coordinate != command.coordinate or preference.warnings:
        _refuse(decision, command, "unreadable", ", ".join(preference.warnings) or "another d")
    elif isinstance(preference, AppRecommendation) and preference.kind not in SHOPPING_KINDS:
        _refuse(decision, command, "kind_not_published", f"a recommendation for kind {preference.kind}")
    else:
        _promise(decision, command, template)
        decision.emit(PreferenceRecorded(preference=preference))


def _event(shop: Shop, kind: int, tags: Tags, content: str, created_at: int) -> Event:
    """An event of the merchant's as it will stand, but for its signature."""
    return Event(
        pubkey=shop.merchant,
        created_at=created_at,
        kind=kind,
        tags=tags,
        content=content,
        id=event_id(shop.merchant, created_at, kind, tags, content),
        sig=UNSIGNED,
    )


def _is_own(
    decision: Decision, command: PublishOffer | WithdrawOffer | KeepDraft | PublishApp, kinds: frozenset[Kind]
) -> bool:
    """Whether this may be published at all: of one of these kinds, and the merchant's own (NCC-04)."""
    try:
        target = Coordinate.parse(command.coordinate)
    except CoordinateRefused as refused:
        _refuse(decision, command, "kind_not_published", str(refused))
        return False
    if target.kind not in kinds:
        _refuse(decision, command, "kind_not_published", f"kind {target.kind}")
    elif target.pubkey != decision.shop.merchant:
        _refuse(decision, command, "foreign_author", "another key's")
    elif not target.d:
        _refuse(decision, command, "unreadable", "no_d")
    else:
        return True
    return False


def _new_version(decision: Decision, command: PublishOffer, known: Offer | None) -> Offer:
    """What would be published: what the wish rules, over the newest version. Raises `MarketRefused`, ValueError."""
    shop, target = decision.shop, Coordinate.parse(command.coordinate)
    old = known.template if known is not None else None
    if EVERY_TAG in command.rules:
        tags: Tags = (("d", target.d), *(tag for tag in command.tags if tag[:1] != ("d",)))
    else:
        before = old.tags if old else (("d", target.d),)
        stands = written(known) if known is not None and old is not None else None
        tags = rebase(target.kind, before, stands, command.tags, command.rules)
    content = command.content if command.content is not None else old.content if old else ""
    created_at = _after_all(decision, command.coordinate, known)
    event = _event(shop, target.kind, tags, content, created_at)
    offer, on_hand = READERS[target.kind](event), shop.on_hand(command.coordinate)
    if isinstance(offer, Listing) and on_hand not in (None, offer.stock) and not _rules_stock(shop, command):
        return with_stock(offer, shop.merchant, on_hand, created_at)
    return offer


def _rules_stock(shop: Shop, command: PublishOffer) -> bool:
    """Whether the wish says how many there are; where a system keeps the count, no listing does."""
    says = "stock" in command.rules or EVERY_TAG in command.rules
    return says and not stocktaking.is_mastered(shop, command.coordinate)


def _record(decision: Decision, command: PublishOffer, offer: Offer) -> None:
    """The new version counts from now on, as if it had been seen."""
    match offer:
        case Listing():
            decision.emit(ListingRecorded(listing=offer))
            stock = decision.shop.stock.get(offer.coordinate)
            is_said = _rules_stock(decision.shop, command)
            if (stock is None or (is_said and stock.on_hand != offer.stock)) and not stocktaking.is_mastered(
                decision.shop, offer.coordinate
            ):
                decision.emit(StockSet(coordinate=offer.coordinate, on_hand=offer.stock, cause=offer.event_id))
        case ShippingOption():
            decision.emit(ShippingOptionRecorded(option=offer))
        case _:
            decision.emit(CollectionRecorded(collection=offer))


def _keep(
    decision: Decision, command: Wish, coordinate: str, of_kind: int, content: str, expires_at: int | None
) -> None:
    """One version of a draft, where the merchant's drafts are kept."""
    shop, now_s = decision.shop, _now_s(decision)
    known, target = shop.drafts.get(coordinate), Coordinate.parse(coordinate)
    expires_at = (expires_at or now_s + DRAFT_LASTS_S) if content else None
    tags: Tags = (("d", target.d), ("k", str(of_kind)))
    if expires_at is not None:
        tags = (*tags, ("expiration", str(expires_at)))
    created_at = max(now_s, known.created_at + 1 if known else 0, shop.withdrawn.get(coordinate, -1) + 1)
    template = Template(kind=Kind.DRAFT_WRAP, created_at=created_at, tags=tags, content=content)
    own = shop.relay_lists.get(Kind.DRAFT_RELAYS)
    made = _promise(decision, command, template, coordinate=coordinate, relays=own.relays if own else ())
    draft = Draft(
        coordinate=coordinate,
        event_id=made,
        created_at=created_at,
        of_kind=of_kind,
        content=content,
        expires_at=expires_at,
    )
    decision.emit(DraftRecorded(draft=draft))


def _id(shop: Shop, template: Template, created_at: int) -> str:
    return event_id(shop.merchant, created_at, template.kind, template.tags, template.content)


def _promise(
    decision: Decision, command: Wish, template: Template, coordinate: str = "", relays: tuple[str, ...] = ()
) -> str:
    """Promise that this event is published; gives its id."""
    made = _id(decision.shop, template, template.created_at)
    about = coordinate or (command.coordinate if not isinstance(command, PublishRelays) else "")
    decision.emit(
        PublicationPromised(coordinate=about, event_id=made, template=template, relays=relays, cause=command.cause)
    )
    return made


def _refuse(decision: Decision, command: Wish, reason: Refused, detail: str, coordinate: str = "") -> None:
    about = coordinate or (command.coordinate if not isinstance(command, PublishRelays) else "")
    decision.emit(PublicationRefused(coordinate=about[:1_024], reason=reason, detail=detail[:200], cause=command.cause))


def _after_all(decision: Decision, coordinate: str, known: Offer | Preference | None) -> int:
    """Now, or a second after whatever it has to win over: the version known, and every deletion (EVT-08)."""
    shop = decision.shop
    deleted_at, _ = shop.retired.get(coordinate, (-1, ""))
    known_at = known.created_at if known else -1
    return max(_now_s(decision), known_at + 1, shop.withdrawn.get(coordinate, -1) + 1, deleted_at + 1)


def _said(template: Template | None) -> tuple[Tags, str] | None:
    return None if template is None else (template.tags, template.content)


def _bytes(shop: Shop, template: Template) -> int:
    return len(serialise(shop.merchant, template.created_at, template.kind, template.tags, template.content))


def _now_s(decision: Decision) -> int:
    return decision.at_ms // 1_000
