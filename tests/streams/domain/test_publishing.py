"""Publishing for a merchant in words: what goes out, over which version, and what never does."""

from __future__ import annotations

import pytest

from schemas import limits
from schemas.catalogue import (
    ListingRecorded,
    ListingRevised,
    RecordDeletion,
    RecordListing,
    RecordShippingOption,
    ReviseListing,
    Withdrawn,
)
from schemas.market.documents import ListingDocument
from schemas.market.listing import read_listing
from schemas.market.writing import groups_of, tags_of
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import event_id
from schemas.preferences import PreferenceFlaw, PreferenceRecorded
from schemas.publishing import (
    EVERY_TAG,
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
    RelayNames,
    RelaysRecorded,
    WithdrawOffer,
)
from schemas.shops import OpenShop
from schemas.stock import SetStock, StockSet
from tests.support.builders import (
    MERCHANT,
    NOW_MS,
    NOW_S,
    OTHER_MERCHANT,
    an_event,
    an_id,
    an_option,
    an_order,
    post,
    product,
)
from tests.support.preferences import APP
from tests.support.steps import paid, requested
from tests.support.story import Story, given

TEA = {"id": "tea", "title": "Tea", "price": "10 SATS", "stock": 5, "description": "Green."}
ANOTHER_CLIENTS = an_event(
    30402, ("d", "tea"), ("x-foo", "1"), ("title", "Tea"), ("price", "10", "SATS"), ("stock", "5"), at=NOW_S - 50
)
DRAFT = f"31234:{MERCHANT}:tea"


def wish(
    *fields: str, expects: str | None = None, draft: str | None = None, cause: str = "operator 1", **said: object
) -> PublishOffer:
    """A tea listing to publish; where `fields` are named, nothing else of it is meant."""
    document = ListingDocument.model_validate({**TEA, **said})
    return PublishOffer(
        coordinate=product(document.id),
        tags=tags_of(document, MERCHANT),
        rules=groups_of(Kind.PRODUCT, fields or None),
        content=document.description if not fields or "description" in fields else None,
        expects=expects,
        draft=draft,
        cause=cause,
    )


def promised(story: Story) -> PublicationPromised:
    """The one event that goes out, whose id is the one its template has."""
    found = story.one(PublicationPromised)
    made = found.template
    assert found.event_id == event_id(MERCHANT, made.created_at, made.kind, made.tags, made.content)
    return found


@pytest.mark.req("CAT-08")
def test_a_new_listing_is_fixed_signed_as_it_stands_and_sells_at_once() -> None:
    """The journal holds the very event; what is read from it is what an order meets."""
    story = given(wish())
    made = promised(story)
    assert made.template.tags[:3] == (("d", "tea"), ("title", "Tea"), ("price", "10", "SATS"))
    assert (made.template.content, made.template.created_at) == ("Green.", NOW_S)
    assert story.one(ListingRecorded).listing.event_id == made.event_id
    assert story.shop.on_hand(product()) == 5
    story.when(wish()).then_nothing()


@pytest.mark.req("CAT-09")
def test_a_change_goes_over_the_newest_version_whoever_wrote_it() -> None:
    """A title that another client changed stays, and so do its own tags, while we change the price."""
    tags = (*ANOTHER_CLIENTS.tags[:2], ("title", "Fine tea"), *ANOTHER_CLIENTS.tags[3:])
    edited = ANOTHER_CLIENTS.model_copy(update={"tags": tags, "created_at": NOW_S + 5})
    story = given(wish(), RecordListing(listing=read_listing(edited)))
    story.when(wish("price", price="12 SATS", cause="operator 2"))
    assert promised(story).template.tags == (
        ("d", "tea"),
        ("x-foo", "1"),
        ("title", "Fine tea"),
        ("price", "12", "SATS"),
        ("stock", "5"),
    )
    assert promised(story).template.created_at == NOW_S + 6


@pytest.mark.req("CAT-09")
def test_an_edit_that_says_nothing_of_the_stock_takes_over_what_was_sold_meanwhile() -> None:
    """Three of five were sold and not published yet; the new title goes out with two, and nothing is revised after."""
    story = given(wish(), an_order(("tea", 3)), requested(30), paid(30))
    story.when(wish("title", title="Leaf", cause="operator 2"))
    assert ("stock", "2") in promised(story).template.tags
    assert story.none(StockSet)
    story.when(ReviseListing(coordinate=product())).then_nothing()


def test_a_stock_the_merchant_names_is_the_new_count() -> None:
    """Even one that an older version said: the merchant counted."""
    story = given(wish(), an_order(("tea", 3)), requested(30), paid(30), ReviseListing(coordinate=product()))
    story.when(wish("stock", "title", stock=5, title="Leaf", cause="operator 2"))
    assert story.one(StockSet).on_hand == 5


def test_where_a_system_keeps_the_count_no_listing_changes_it() -> None:
    """The published number is the system's, whatever the document says."""
    story = given(wish(), SetStock(coordinate=product(), on_hand=9, source="erp", version=1, cause="erp 1"))
    story.when(wish("stock", stock=1, cause="operator 2"))
    assert ("stock", "9") in promised(story).template.tags
    assert story.none(StockSet)


@pytest.mark.req("EVT-08")
def test_two_changes_of_one_second_are_a_second_apart() -> None:
    """The later one wins on every relay; and one over a listing dated ahead is dated after it."""
    story = given(wish())
    first = promised(story).template.created_at
    story.when(wish("price", price="11 SATS", cause="2"))
    second = promised(story).template.created_at
    story.when(wish("price", price="12 SATS", cause="3"))
    assert [first, second, promised(story).template.created_at] == [NOW_S, NOW_S + 1, NOW_S + 2]


def test_a_wish_made_from_an_older_version_is_refused_and_changes_nothing() -> None:
    """Who looked at a version before another edit decides anew; the same wish again is not heard twice."""
    story = given(wish())
    seen = story.shop.listings[product()].event_id
    story.when(wish("title", title="Leaf", cause="2"), wish("price", price="12 SATS", expects=seen, cause="3"))
    refused = story.one(PublicationRefused)
    assert (refused.reason, refused.cause) == ("changed_meanwhile", "3")
    story.when(wish(title="Other", expects="", cause="4")).one(PublicationRefused)
    story.when(wish(id="cup", expects=an_id("x"), cause="5"))
    assert story.one(PublicationRefused).reason == "not_there"


@pytest.mark.req("CAT-08")
def test_a_deletion_names_the_address_and_its_kind_and_takes_the_listing_off_sale() -> None:
    """Published again, it wins over its own deletion."""
    story = given(wish(), WithdrawOffer(coordinate=product(), cause="2"))
    gone = promised(story)
    assert (gone.template.kind, gone.template.tags) == (5, (("a", product()), ("k", "30402")))
    assert story.one(Withdrawn).deleted_at == gone.template.created_at
    assert product() not in story.shop.listings
    story.when(wish(cause="3"))
    assert promised(story).template.created_at > gone.template.created_at
    assert product() in story.shop.listings


def test_what_is_not_there_cannot_be_deleted() -> None:
    """The refusal says so once."""
    assert given(WithdrawOffer(coordinate=product("ghost"), cause="2")).one(PublicationRefused).reason == "not_there"


@pytest.mark.req("NCC-04")
@pytest.mark.parametrize("kind", [0, 1, 3, 7, 16, 1059, 30017, 30023])
def test_no_note_no_follow_and_no_reaction_is_ever_published(kind: int) -> None:
    """Only what a shop is made of has a way out; the rest is refused by name."""
    said = PublishOffer(coordinate=f"{kind}:{MERCHANT}:x", tags=(("title", "x"),), rules=(EVERY_TAG,), cause="1")
    refused = given(said).one(PublicationRefused)
    assert (refused.reason, refused.detail) == ("kind_not_published", f"kind {kind}")
    gone = given(WithdrawOffer(coordinate=f"{kind}:{MERCHANT}:x", cause="1"))
    assert gone.one(PublicationRefused).reason == "kind_not_published"
    relays = given(PublishRelays(kind=kind, relays=("wss://r.example",), cause="1"))
    assert relays.one(PublicationRefused).reason == "kind_not_published"


def test_nothing_is_published_in_another_merchants_name_or_without_a_name_of_its_own() -> None:
    """Each refusal has its reason."""
    foreign = wish().model_copy(update={"coordinate": f"30402:{OTHER_MERCHANT}:tea"})
    assert given(foreign).one(PublicationRefused).reason == "foreign_author"
    nameless = wish().model_copy(update={"coordinate": f"30402:{MERCHANT}:"})
    assert given(nameless).one(PublicationRefused).detail == "no_d"
    for tags, detail in (((("title", "x"),), "no_price"), (((),), "ValidationError")):
        said = PublishOffer(coordinate=product(), tags=tags, rules=(EVERY_TAG,), cause="1")
        refused = given(said).one(PublicationRefused)
        assert (refused.reason, refused.detail.split(":")[0]) == ("unreadable", detail)


def test_an_event_that_no_relay_would_take_is_refused_at_its_limit() -> None:
    """A byte more than the figure is too many, and nothing is changed by it."""
    spare = limits.PUBLISHED.most - 400
    assert given(wish(description="x" * spare)).one(PublicationPromised)
    refused = given(wish(description="x" * (spare + 500))).one(PublicationRefused)
    assert refused.reason == "too_big"
    draft = KeepDraft(coordinate=DRAFT, of_kind=30402, content="x" * (limits.PUBLISHED.most + 1), cause="1")
    assert given(draft).one(PublicationRefused).reason == limits.PUBLISHED.refused


def test_an_option_of_ours_is_published_like_a_listing() -> None:
    """Its new version is quoted from then on."""
    story = given(RecordShippingOption(option=an_option()))
    story.when(
        PublishOffer(
            coordinate=post(),
            tags=(("title", "Post"), ("price", "7", "SATS"), ("service", "standard")),
            rules=(EVERY_TAG,),
            content="",
            cause="1",
        )
    )
    assert promised(story).template.kind == Kind.SHIPPING_OPTION
    assert str(story.shop.options[post()].base.amount) == "7"


def keep(content: str, cause: str = "1", expires_at: int | None = None) -> KeepDraft:
    """A draft of a listing, encrypted already."""
    return KeepDraft(coordinate=DRAFT, of_kind=30402, content=content, expires_at=expires_at, cause=cause)


@pytest.mark.req("T37-01")
def test_a_draft_goes_out_with_its_kind_and_ninety_days_and_never_into_the_catalogue() -> None:
    """It is kept as the ciphertext it came as; the same once more is nothing new."""
    story = given(keep("AgK1"))
    made = promised(story).template
    assert (made.kind, made.content) == (31234, "AgK1")
    assert made.tags == (("d", "tea"), ("k", "30402"), ("expiration", str(NOW_S + 90 * 86_400)))
    assert story.shop.listings == {}
    story.when(keep("AgK1", cause="2")).then_nothing()
    story.when(keep("AgK2", cause="3"))
    assert promised(story).template.created_at == NOW_S + 1


def test_a_draft_that_is_discarded_is_emptied_and_does_not_come_back() -> None:
    """NIP-37: an empty content says it is gone; what a relay brings late is older."""
    story = given(keep("AgK1"))
    old = story.one(DraftRecorded).draft
    story.when(keep("", cause="2"))
    made = promised(story).template
    assert (made.content, made.tags) == ("", (("d", "tea"), ("k", "30402")))
    story.when(RecordDraft(draft=old), keep("", cause="3")).then_nothing()


def test_publishing_a_draft_empties_it_in_the_same_decision() -> None:
    """The listing appears and the draft goes, both or neither."""
    story = given(keep("AgK1"), wish(draft=DRAFT, cause="2"))
    sent = [event.template for event in story.events if isinstance(event, PublicationPromised)]
    assert [(made.kind, made.content) for made in sent] == [(30402, "Green."), (31234, "")]
    assert product() in story.shop.listings
    assert story.shop.drafts[DRAFT].content == ""
    story.when(wish(draft=DRAFT, cause="3")).then_nothing()


@pytest.mark.req("T37-02")
def test_drafts_go_only_where_the_merchants_list_of_draft_relays_says() -> None:
    """Ours or another client's, the newest list counts; without one they go to the shop's own relays."""
    assert promised(given(keep("AgK1"))).relays == ()
    names = RelayNames(kind=10013, event_id=an_id("list"), created_at=NOW_S - 9, relays=("wss://r3.example",))
    assert promised(given(RecordRelays(names=names), keep("AgK1"))).relays == ("wss://r3.example",)


def test_a_draft_of_another_client_is_kept_until_its_author_deletes_it() -> None:
    """A deletion by address takes it like a listing."""
    draft = Draft(coordinate=DRAFT, event_id=an_id("d"), created_at=NOW_S - 9, of_kind=30402, content="AgK9")
    story = given(RecordDraft(draft=draft))
    assert story.shop.drafts[DRAFT] == draft
    story.when(RecordDraft(draft=draft)).then_nothing()
    story.when(RecordDeletion(author=MERCHANT, created_at=NOW_S, coordinates=(DRAFT,)))
    assert DRAFT not in story.shop.drafts
    story.when(RecordDraft(draft=draft)).then_nothing()


def test_a_merchant_without_an_inbox_list_has_one_published_and_anothers_is_left_alone() -> None:
    """Over one that says something else, only when told so; the same list is nothing new."""
    story = given(PublishRelays(kind=10050, relays=("wss://a.example", "wss://b.example"), cause="1"))
    made = promised(story).template
    assert (made.kind, made.tags) == (10050, (("relay", "wss://a.example"), ("relay", "wss://b.example")))
    story.when(PublishRelays(kind=10050, relays=("wss://a.example", "wss://b.example"), cause="2")).then_nothing()
    story.when(PublishRelays(kind=10050, relays=("wss://c.example",), cause="3"))
    assert story.one(PublicationRefused).reason == "already_there"
    story.when(PublishRelays(kind=10050, relays=("wss://c.example",), replaces=True, cause="4"))
    assert promised(story).template.created_at == NOW_S + 1
    assert story.one(RelaysRecorded).names.relays == ("wss://c.example",)


def test_a_list_of_draft_relays_names_none_of_them_in_the_open() -> None:
    """Its tags are empty; what it says is in the ciphertext."""
    story = given(PublishRelays(kind=10013, relays=("wss://r3.example",), content="AgL1", cause="1"))
    made = promised(story).template
    assert (made.tags, made.content) == ((), "AgL1")


def test_an_older_relay_list_never_wins() -> None:
    """Of one second the lower id does."""

    def named(at: int, name: str) -> RecordRelays:
        return RecordRelays(
            names=RelayNames(kind=10050, event_id=name * 64, created_at=at, relays=(f"wss://{name}.ex",))
        )

    story = given(named(5, "b"), named(4, "a"))
    assert story.shop.relay_lists[10050].relays == ("wss://b.ex",)
    story.when(named(5, "c")).then_nothing()
    story.when(named(5, "a"))
    assert story.shop.relay_lists[10050].relays == ("wss://a.ex",)


def test_the_echo_of_what_we_published_is_no_news() -> None:
    """Relays bring our own event back; it is the version we have."""
    story = given(wish())
    made = promised(story).template
    echo = an_event(30402, *made.tags, at=made.created_at, content=made.content)
    assert echo.id == promised(story).event_id
    story.when(RecordListing(listing=read_listing(echo)), at_ms=NOW_MS + 500).then_nothing()
    assert story.none(ListingRevised)


def a_recommendation(*apps: str, kind: int = 30402, cause: str = "1") -> PublishApp:
    """A wish that buyers order by these applications."""
    tags = (("d", str(kind)), *(("a", app, "wss://r.example", "web") for app in apps))
    return PublishApp(coordinate=f"31989:{MERCHANT}:{kind}", tags=tags, cause=cause)


def a_description(*kinds: int, cause: str = "1") -> PublishApp:
    """An application's own words, under the key that the story is of."""
    tags = (("d", "till"), *(("k", str(kind)) for kind in kinds), ("web", "https://till.example/<bech32>"))
    return PublishApp(coordinate=f"31990:{MERCHANT}:till", tags=tags, content='{"name": "Till"}', cause=cause)


def test_a_recommendation_goes_out_as_it_is_signed_and_counts_at_once() -> None:
    """The same once more is nothing new; another one wins over it, and none takes it back."""
    story = given(OpenShop(), a_recommendation(APP))
    assert promised(story).template.tags == (("d", "30402"), ("a", APP, "wss://r.example", "web"))
    assert story.one(PreferenceRecorded).preference.event_id == promised(story).event_id
    assert story.shop.payment_choice.flaws == (PreferenceFlaw.RECOMMENDED_APP_MISSING,)
    story.when(a_recommendation(APP, cause="2")).then_nothing()
    story.when(a_recommendation(cause="3"))
    assert promised(story).template.created_at == NOW_S + 1
    assert story.shop.payment_choice.flaws == ()


def test_no_shop_describes_an_application_and_no_application_recommends_one() -> None:
    """Each key has the one kind; a recommendation is for shopping, in the own name, and can be read."""
    assert promised(given(a_description(30402, 16))).template.kind == Kind.APP_HANDLER
    for opened, said, reason in (
        (True, a_description(30402), "kind_not_published"),
        (False, a_recommendation(APP), "kind_not_published"),
        (True, a_recommendation(APP, kind=1), "kind_not_published"),
        (True, a_recommendation("31990:nobody"), "unreadable"),
        (False, a_description(), "unreadable"),
        (True, a_recommendation(APP).model_copy(update={"coordinate": f"31989:{MERCHANT}:16"}), "unreadable"),
        (True, a_recommendation(APP).model_copy(update={"tags": ((),)}), "unreadable"),
        (True, a_recommendation(APP).model_copy(update={"coordinate": f"31989:{OTHER_MERCHANT}:16"}), "foreign_author"),
        (False, a_description(16).model_copy(update={"content": "x" * 70_000}), "too_big"),
    ):
        story = given(OpenShop(), said) if opened else given(said)
        assert story.one(PublicationRefused).reason == reason, said.coordinate
        assert story.none(PublicationPromised)
