"""Checks what buyers are told: complete in every language, and a shop's own texts refused in a sentence when wrong."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from schemas.orders import ShippingStatus
from schemas.shops import ShopSettings
from schemas.texts import BUILT_IN, Text, placeholders
from schemas.texts.phrases import Language, Phrase
from schemas.values import Refusal, Waiting
from services.api.app import changed_settings


@pytest.mark.parametrize("language", Language)
def test_every_language_has_every_phrase_with_the_same_placeholders(language: Language) -> None:
    """A buyer never reads half a sentence in another language, nor misses a sum."""
    texts = BUILT_IN[language]

    assert list(texts) == list(Phrase)
    for phrase, text in texts.items():
        assert placeholders(text) == placeholders(BUILT_IN[Language.ENGLISH][phrase]), phrase
        assert text.strip() == text
        assert text


@pytest.mark.parametrize("language", [language for language in Language if language is not Language.ENGLISH])
def test_a_translation_is_one(language: Language) -> None:
    """Nothing was left in English; what is only a placeholder needs no words."""
    same = {phrase for phrase, text in BUILT_IN[language].items() if text == BUILT_IN[Language.ENGLISH][phrase]}

    assert same <= {Phrase.REFUSAL_ORPHAN_VARIATION}


def test_every_state_refusal_and_wait_has_its_phrase() -> None:
    """A new one without words would be found here and not by a buyer."""
    wanted = {f"refusal_{one}" for one in Refusal} | {f"waiting_{one}" for one in Waiting}
    wanted |= {f"parcel_{one}" for one in ShippingStatus}

    assert wanted <= set(Phrase)


@pytest.mark.parametrize(
    ("phrase", "text", "said"),
    [
        ("collect", "At {street}", "collect knows no {street}: it may use {place}"),
        ("completed", "Bye {name}", "completed knows no {name}: it may use no placeholder"),
        ("pay", "Pay {sats", "pay: its braces do not match"),
        ("pay", "Pay {sats.__class__}", "pay: {sats.__class__} is no placeholder"),
        ("pay", "Pay {sats:>99999999}", "pay: {sats} is no placeholder"),
        ("pay", "Pay {sats!r}", "pay: {sats} is no placeholder"),
        ("pay", "Pay {}", "pay: {} is no placeholder"),
        ("hello", "Hello", "Input should be"),
        ("pay", "", "at least 1 character"),
    ],
)
def test_a_text_that_cannot_be_said_is_refused_in_a_sentence_when_it_is_set(phrase: str, text: str, said: str) -> None:
    """Not when a buyer waits for it; and no text reaches into the program."""
    with pytest.raises(ValueError, match=r"^texts: ") as refused:
        changed_settings(ShopSettings(), {"texts": {phrase: text}})

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_texts_are_set_as_a_person_types_them() -> None:
    """A JSON object from phrase to text; nothing takes them back."""
    settings = changed_settings(ShopSettings(), {"texts": '{"completed": "Bye {{you}}!"}', "language": "de"})
    assert settings.texts == (Text(phrase=Phrase.COMPLETED, text="Bye {{you}}!"),)
    assert settings.language is Language.GERMAN

    assert changed_settings(settings, {"texts": ""}).texts == ()
    with pytest.raises(ValueError, match="texts are written in JSON"):
        changed_settings(settings, {"texts": "{"})
    with pytest.raises(ValueError, match="language"):
        changed_settings(settings, {"language": "tlh"})


def test_a_phrase_has_one_text() -> None:
    """Two would leave it open which is said."""
    with pytest.raises(ValidationError, match="twice"):
        ShopSettings(texts=(Text(phrase=Phrase.PAY, text="a"), Text(phrase=Phrase.PAY, text="b")))
