"""Children's logs: they stay small, and the line that says why a child died is found."""

from pathlib import Path

import pytest

from services.supervision.logs import last_error, rotate, shed


def test_the_last_line_that_looks_like_an_error_is_the_reason(tmp_path: Path) -> None:
    """Later harmless lines do not hide the error, nor does the traceback above it."""
    log = tmp_path / "x.log"
    log.write_text(
        "starting\nTraceback (most recent call last):\n  File 'x.py', line 1\n    raise ValueError('boom')\n"
        "ValueError: Error at boom\ngoodbye\n"
    )

    assert last_error(log, 0) == "ValueError: Error at boom"


def test_without_an_error_the_last_line_is_the_reason(tmp_path: Path) -> None:
    """A child that says nothing of errors is quoted with its last words."""
    log = tmp_path / "x.log"
    log.write_text("one\ntwo\n\n")

    assert last_error(log, 0) == "two"


def test_only_the_last_life_counts(tmp_path: Path) -> None:
    """An error of an earlier life is not blamed for this death."""
    log = tmp_path / "x.log"
    log.write_text("error: old\n")
    mark = log.stat().st_size
    with log.open("a") as stream:
        stream.write("fresh words\n")

    assert last_error(log, mark) == "fresh words"
    assert last_error(log, log.stat().st_size) is None
    assert last_error(tmp_path / "none.log", 0) is None


def test_an_error_line_is_cut_to_a_readable_length(tmp_path: Path) -> None:
    """An endless line does not make an endless status file."""
    log = tmp_path / "x.log"
    log.write_text("error " + "x" * 100_000)

    assert len(last_error(log, 0) or "") <= 300


def test_a_small_log_stays(tmp_path: Path) -> None:
    """A log below its limit is appended to."""
    log = tmp_path / "x.log"
    log.write_text("small")
    rotate(log, bytes_max=5)

    assert log.read_text() == "small"


def test_a_large_log_moves_aside_and_only_three_old_ones_stay(tmp_path: Path) -> None:
    """The newest old log is .1; the oldest is dropped."""
    log = tmp_path / "x.log"
    for number in range(5):
        log.write_text(f"life {number}")
        rotate(log, bytes_max=1)

    assert {entry.name: entry.read_text() for entry in tmp_path.iterdir()} == {
        "x.log.1": "life 4",
        "x.log.2": "life 3",
        "x.log.3": "life 2",
    }


def test_a_log_in_use_is_emptied_under_its_writer(tmp_path: Path) -> None:
    """A running child goes on writing at the start of the emptied file."""
    log = tmp_path / "x.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"before")
        shed(log, bytes_max=1)
        writer.write(b"after")

    assert log.read_text() == "after"
    assert (tmp_path / "x.log.1").read_text() == "before"


def test_a_full_disk_still_empties_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the copy does not fit, the log is emptied all the same."""

    def fails(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("shutil.copyfile", fails)
    log = tmp_path / "x.log"
    log.write_text("a lot")
    shed(log, bytes_max=1)

    assert log.read_text() == ""
