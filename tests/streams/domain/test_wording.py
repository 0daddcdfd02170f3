"""Checks the sentences buyers read: whole, without codes, in their language, and never too long to be sent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas import limits
from schemas.catalogue import RecordListing, RecordShippingOption
from schemas.orders import Finding, ShippingStatus
from schemas.shops import OpenShop, ShopSettings
from schemas.texts import Text
from schemas.texts.phrases import Language, Phrase
from schemas.values import Refusal, Waiting
from streams.domain.wording import Voice, parcel, rejected, voice_of, waiting
from tests.support.builders import a_key, a_listing, an_option, an_order, post
from tests.support.steps import cancelled, moved, paid, requested
from tests.support.steps import parcel as sent
from tests.support.story import Story, given

ENGLISH = voice_of(ShopSettings(), None)
VASE = RecordListing(listing=a_listing("vase", "100.5", weight_g="400", shipping=((post(), "2"),)))
POST = RecordShippingOption(option=an_option(price="5", per_kg="7.5"))


@pytest.mark.parametrize("refusal", [refusal for refusal in Refusal if refusal is not Refusal.SHOP_CLOSED])
def test_every_refusal_has_a_sentence(refusal: Refusal) -> None:
    """No reason reaches a buyer as a code, and braces in a title do no harm."""
    text = rejected(ENGLISH, (Finding(refusal=refusal, subject="Tea {0} {subject}"),))

    assert text.startswith("Your order cannot be accepted: ")
    assert "_" not in text


@pytest.mark.parametrize("reason", [reason for reason in Waiting if reason is not Waiting.HOLD])
def test_every_wait_says_what_for(reason: Waiting) -> None:
    """The detail stands in the sentence."""
    text = waiting(ENGLISH, reason, "Tea {detail}")

    assert "Tea {detail}" in text
    assert text.endswith(".")


@pytest.mark.parametrize("status", list(ShippingStatus))
def test_every_parcel_state_has_a_sentence_with_its_tracking_if_there_is_one(status: ShippingStatus) -> None:
    """What is not known is not mentioned."""
    assert "Tracking" not in parcel(ENGLISH, status, None, None)
    assert "Carrier" not in parcel(ENGLISH, status, None, None)
    assert parcel(ENGLISH, status, "T1", "Post").endswith("Carrier: Post. Tracking: T1.")


@pytest.mark.parametrize("voice", [ENGLISH, Voice(Language.GERMAN, {Phrase.REJECTED: "x" * 900 + "{reasons}" * 9})])
def test_no_sentence_is_too_long_to_be_sent(voice: Voice) -> None:
    """A hundred unknown addresses, each as long as a message can carry, still make an answer that can be wrapped."""
    findings = tuple(Finding(refusal=Refusal.UNKNOWN_ITEM, subject=f"30402:{'é' * 500}{n}") for n in range(100))

    for text in (rejected(voice, findings), waiting(voice, Waiting.SHIPPING_CHOICE, "ü" * 50_000)):
        assert len(text) <= limits.REPLY_TEXT.most
        assert text.endswith((".", "…", "…."))


def speaking(**settings: object) -> Story:
    """A shop with a vase, and these settings."""
    return given(OpenShop(settings=ShopSettings.model_validate(settings)), VASE, POST)


@pytest.mark.req("C-36")
def test_a_shop_speaks_its_language_and_says_some_things_its_own_way() -> None:
    """Its texts stand in place of the built-in ones; sums are written as the language writes them."""
    story = speaking(language="de", texts={"completed": "Danke, bis bald!"})
    story.when(an_order(("vase", 1), country="DE", claimed_sats=5), requested(111))
    assert story.reply().text == (
        "Bitte zahle 111 Sats. 1 × Vase: 100,5 SATS; Post: 5 SATS; Post, Zuschlag für Vase: 2 SATS; "
        "Post, nach Gewicht: 3 SATS. "
        "In deiner Bestellung standen 5 Sats; nach den Preisen des Shops sind es 111."
    )
    assert story.when(paid(111)).told()[1] == "Deine Zahlung ist angekommen und deine Bestellung bestätigt."
    assert story.when(sent(ShippingStatus.SHIPPED, tracking="T1")).reply().text == (
        "Dein Paket ist unterwegs. Sendungsnummer: T1."
    )
    assert story.when(moved(story.order().status.__class__.COMPLETED)).told()[1] == "Danke, bis bald!"


def test_an_order_that_names_a_language_is_answered_in_it() -> None:
    """The buyer's goes before the shop's, for this order and to its end; the shop's own texts are in the shop's."""
    story = speaking(language="de", texts={"cancelled_by_buyer": "Schade!"})
    spanish = an_order(("vase", 1), country="DE").model_copy(update={"language": Language.SPANISH})
    story.when(spanish, requested(111)).when(cancelled())
    assert story.told()[1] == "Tu pedido está cancelado, como pediste."

    story.when(an_order(("vase", 1), key=a_key("2"), rumor="2", country="DE"), requested(111, a_key("2")))
    assert story.when(cancelled(key=a_key("2"))).told()[1] == "Schade!"


def test_a_refusal_is_in_the_buyers_language_the_first_time_already() -> None:
    """Nothing is known of the order yet but what it says itself."""
    order = an_order(("unicorn", 1)).model_copy(update={"language": Language.SPANISH})

    assert speaking().when(order).told()[1].startswith("Tu pedido no se puede aceptar: no existe el artículo 30402:")


@pytest.mark.parametrize(
    ("part", "german"),
    [
        ("the country to ship to", "das Land, in das geliefert wird"),
        ("Coupon SPRING, 10 %", "Gutschein SPRING, 10 %"),
        ("Coupon GIFT", "Gutschein GIFT"),
        ("Post, free from 50 EUR on", "Post, kostenlos ab 50 EUR"),
        ("2 × Tea, first period (P1M)", "2 × Tea, erster Zeitraum (P1M)"),
        ("Post: the weight of Tea, Cup is missing", "Post: das Gewicht von Tea, Cup fehlt"),
        ("Post takes 5 g at most, and this is 7 g: Tea", "Post nimmt höchstens 5 g, und dies sind 7 g: Tea"),
        ("Tea (2 more)", "Tea (noch 2)"),
        ("a merchant's own {words}", "a merchant's own {words}"),
    ],
)
def test_parts_are_put_in_the_buyers_words_round_the_merchants_own(part: str, german: str) -> None:
    """The journal has them in English; what is none of ours stays as it is."""
    assert voice_of(ShopSettings(language=Language.GERMAN), None).part(part) == german
    assert ENGLISH.part(part) == part


def test_an_amount_is_written_as_the_language_writes_it() -> None:
    """A comma or a point, and neither zeros nor exponents."""
    german = voice_of(ShopSettings(), Language.GERMAN)

    assert [german.number(Decimal(text)) for text in ("1.50", "1E+3", "7")] == ["1,5", "1000", "7"]
    assert ENGLISH.number(Decimal("1.50")) == "1.5"


def test_a_shops_own_part_is_said_too() -> None:
    """Even where the language is the one that parts are kept in."""
    own = ShopSettings(texts=(Text(phrase=Phrase.PART_COUNTRY, text="your country"),))

    assert waiting(voice_of(own, None), Waiting.ADDRESS, "the country to ship to") == (
        "Please send the order again with your country."
    )
