"""What is remembered and told: seen texts are bounded, foreign words are made harmless."""

from services.relays.reports import SeenTexts, plain


def test_only_exactly_the_same_text_is_a_repeat() -> None:
    """One blank more makes another text: intake decides what it means."""
    seen = SeenTexts()
    seen.add('{"id":1}')
    assert seen.has('{"id":1}')
    assert not seen.has('{"id": 1}')


def test_the_least_recently_seen_is_forgotten_first() -> None:
    """Memory has an end, and what still comes in stays."""
    seen = SeenTexts(entries_max=2)
    seen.add("a")
    seen.add("b")
    assert seen.has("a")
    seen.add("c")
    assert [seen.has(text) for text in "abc"] == [True, False, True]


def test_a_relays_words_are_cut_and_cleaned() -> None:
    """No control characters, no endless lines."""
    assert plain("a\x1b[31m\nb") == "a [31m b"
    assert len(plain("x" * 5_000)) == 200
