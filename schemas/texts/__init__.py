"""What buyers are told: built-in texts by language, and a shop's own, checked when they are set (C-36)."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Annotated, Final, Self

import orjson
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from schemas import limits
from schemas.texts import english, german, spanish
from schemas.texts.phrases import Language, Phrase
from schemas.values import Value

BUILT_IN: Final[Mapping[Language, Mapping[Phrase, str]]] = {
    Language.ENGLISH: english.TEXTS,
    Language.GERMAN: german.TEXTS,
    Language.SPANISH: spanish.TEXTS,
}


def placeholders(text: str) -> frozenset[str]:
    """The names in braces. Raises ValueError with a sentence where braces hold anything else than a plain name."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        raise ValueError("its braces do not match; a brace of its own is written twice") from None
    names = [(name, form, conversion) for _, name, form, conversion in parts if name is not None]
    odd = [name for name, form, conversion in names if form or conversion or not name.isidentifier()]
    if odd:
        raise ValueError(f"{{{odd[0][:32]}}} is no placeholder: a plain name stands between braces")
    return frozenset(name for name, _, _ in names)


class Text(Value):
    """A shop's own text in place of a built-in one, in the shop's language."""

    phrase: Phrase
    text: str = Field(min_length=1, max_length=limits.SHOP_TEXT.most)

    @model_validator(mode="after")
    def _knows_its_placeholders(self) -> Self:
        known = placeholders(BUILT_IN[Language.ENGLISH][self.phrase])
        try:
            unknown = sorted(placeholders(self.text) - known)
        except ValueError as error:
            raise ValueError(f"{self.phrase}: {error}") from None
        if unknown:
            may = ", ".join(f"{{{name}}}" for name in sorted(known)) or "no placeholder"
            raise ValueError(f"{self.phrase} knows no {{{unknown[0][:32]}}}: it may use {may}")
        return self


def _as_typed(value: object) -> object:
    """Texts as a person types them: a JSON object from phrase to text; nothing at all is none."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value or "{}")
        except orjson.JSONDecodeError:
            raise ValueError('texts are written in JSON, like {"completed": "Thank you!"}') from None
    if isinstance(value, dict):
        return tuple({"phrase": phrase, "text": text} for phrase, text in value.items())
    return value


def _once_each(texts: tuple[Text, ...]) -> tuple[Text, ...]:
    if len({text.phrase for text in texts}) < len(texts):
        raise ValueError("a phrase has two texts: say no phrase twice")
    return texts


Texts = Annotated[
    tuple[Text, ...], BeforeValidator(_as_typed), AfterValidator(_once_each), Field(max_length=len(Phrase))
]
