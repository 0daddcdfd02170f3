"""Back-off, the verdict "failing", and the order of starts, all without a process."""

import pytest

from services.supervision.child import Child, Deaths, Timing, start_waves


def test_the_pause_doubles_up_to_its_limit() -> None:
    """A child that dies again and again, but rarely enough, waits 0.2 s, 0.4 s … and at most 10 s."""
    deaths = Deaths(Timing(failing_window_s=1.0))
    pauses = [deaths.note(now_s=100.0 * number, lived_s=1.0) for number in range(8)]

    assert pauses == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0])


def test_a_long_life_starts_the_pauses_anew() -> None:
    """A child that lived for 30 s is started again at once, as if it had never died."""
    deaths = Deaths(Timing())
    deaths.note(now_s=0.0, lived_s=1.0)
    deaths.note(now_s=1.0, lived_s=1.0)

    assert deaths.note(now_s=40.0, lived_s=30.0) == 0.2


def test_the_fifth_death_within_a_minute_makes_a_child_failing() -> None:
    """Four deaths are bad luck; the fifth in 60 s is a failing child, which is tried slowly."""
    deaths = Deaths(Timing())
    for now_s in (0.0, 10.0, 20.0, 30.0):
        deaths.note(now_s, lived_s=1.0)

    assert not deaths.is_failing(30.0)
    assert deaths.note(60.0, lived_s=1.0) == 10.0
    assert deaths.is_failing(60.0)


def test_a_failing_child_that_stays_alive_is_forgiven() -> None:
    """Deaths older than the window do not count."""
    deaths = Deaths(Timing())
    for now_s in (0.0, 1.0, 2.0, 3.0, 4.0):
        deaths.note(now_s, lived_s=0.1)

    assert deaths.is_failing(60.0)
    assert not deaths.is_failing(60.1)


def test_children_start_in_waves_of_what_they_need() -> None:
    """What nothing is needed for starts first; each wave needs only the waves before it."""
    children = [
        Child("kafka", ["k"]),
        Child("relay", ["r"]),
        Child("topics", ["t"], depends=["kafka"]),
        Child("ingest", ["i"], depends=["topics", "relay"]),
    ]

    assert start_waves(children) == [["kafka", "relay"], ["topics"], ["ingest"]]


@pytest.mark.parametrize(
    ("children", "complaint"),
    [
        ([Child("a", ["x"]), Child("a", ["y"])], "two children have one name"),
        ([Child("a", ["x"], depends=["b"])], "unknown one: a"),
        ([Child("a", ["x"], depends=["b"]), Child("b", ["x"], depends=["a"])], "wait for each other"),
    ],
)
def test_needs_that_cannot_be_met_are_refused(children: list[Child], complaint: str) -> None:
    """A wrong list is refused before anything is started."""
    with pytest.raises(ValueError, match=complaint):
        start_waves(children)


def test_a_childs_environment_is_never_shown() -> None:
    """The environment may hold secrets, so it is not part of the repr."""
    assert "s3cret" not in repr(Child("a", ["x"], env={"PASSWORD": "s3cret"}))
