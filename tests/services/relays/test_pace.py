"""Waits: back-off grows, is jittered and has an end; the bucket delays and never drops."""

from services.relays.pace import Backoff, TokenBucket


def test_back_off_doubles_up_to_its_end() -> None:
    """Undisturbed by jitter, the waits are 1, 2, 4, 8, 8, … seconds."""
    backoff = Backoff(first_s=1.0, most_s=8.0)
    assert [backoff.delay_s(attempt, draw=1.0) for attempt in (0, 1, 2, 3, 4, 10_000)] == [1, 2, 4, 8, 8, 8]


def test_jitter_takes_off_up_to_one_half() -> None:
    """A thousand clients do not come back in the same moment."""
    backoff = Backoff(first_s=2.0, most_s=8.0)
    assert [backoff.delay_s(0, draw) for draw in (0.0, 0.5)] == [1.0, 1.5]


def test_a_burst_is_free_and_the_excess_waits() -> None:
    """Three at once pass, the fourth waits a tenth of a second, the fifth two."""
    bucket = TokenBucket(rate_per_s=10.0, burst=3)
    assert [round(bucket.take(5.0), 6) for _ in range(5)] == [0, 0, 0, 0.1, 0.2]


def test_rest_refills_the_bucket_no_further_than_its_brim() -> None:
    """An hour of silence earns one burst, not an hour's worth."""
    bucket = TokenBucket(rate_per_s=10.0, burst=2)
    bucket.take(0.0)
    assert [bucket.take(3_600.0) > 0 for _ in range(3)] == [False, False, True]


def test_asking_how_long_to_wait_takes_nothing() -> None:
    """As often as one asks."""
    bucket = TokenBucket(rate_per_s=10.0, burst=1)
    assert [bucket.wait_s(5.0) for _ in range(3)] == [0, 0, 0]
    bucket.take(5.0)
    assert [round(bucket.wait_s(at_s), 6) for at_s in (5.0, 5.05, 5.1, 9.0)] == [0.1, 0.05, 0, 0]
