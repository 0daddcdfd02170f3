"""The home folder: what is where, who may read it, and who may use it."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from services.home import Home, HomeBusyError, Ready, write_atomic

READY = Ready(relay="ws://127.0.0.1:1", api="http://127.0.0.1:2", kafka="127.0.0.1:3", token_file="t", pid=4)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_option_wins_over_the_environment_and_that_over_the_default(tmp_path: Path) -> None:
    """A home is named by the option, else by NCC_HOME, else it is .ncc in the working folder."""
    environ = {"NCC_HOME": str(tmp_path / "from-environment")}

    assert Home.find(tmp_path / "option", environ).root == tmp_path / "option"
    assert Home.find(None, environ).root == tmp_path / "from-environment"
    assert Home.find(None, {}).root == Path.cwd() / ".ncc"


def test_finding_a_home_makes_nothing(tmp_path: Path) -> None:
    """Looking for a home that was never used leaves no folder behind."""
    home = Home.find(tmp_path / "home", {})

    assert home.ready() is None
    assert not home.is_held()
    assert not home.root.exists()


@pytest.mark.parametrize("name", ["logs", "run", "kafka", "relay", "clickhouse", "wallet", "keys", "secrets"])
def test_each_folder_is_made_at_first_use_for_the_owner_alone(tmp_path: Path, name: str) -> None:
    """A folder of the home exists once it is named, and nobody else may look into it."""
    home = Home(tmp_path / "home")
    folder = getattr(home, name)

    assert folder == tmp_path / "home" / name
    assert mode(folder) == mode(home.root) == 0o700


def test_a_folder_of_the_operators_own_keeps_its_mode(tmp_path: Path) -> None:
    """Pointing at an existing folder changes nothing about that folder."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)

    assert Home(shared).keys.exists()
    assert mode(shared) == 0o755


def test_the_token_is_made_once_and_only_the_owner_reads_it(tmp_path: Path) -> None:
    """The API token is long, stays the same, and is not in the home's repr."""
    home = Home(tmp_path)
    token = home.token()

    assert token == home.token() == home.token_file.read_text()
    assert len(token) >= 40
    assert mode(home.token_file) == 0o600
    assert token not in repr(home)


def test_an_interrupted_write_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is replaced whole or not at all, and no draft stays behind."""
    path = tmp_path / "status.json"
    write_atomic(path, b"old")

    def fails(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="no space"):
        write_atomic(path, b"new")

    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]


def test_ready_is_believed_only_while_a_supervisor_holds_the_home(tmp_path: Path) -> None:
    """A ready.json that a killed supervisor left behind counts as nothing."""
    home = Home(tmp_path)
    write_atomic(home.ready_file, READY.model_dump_json().encode())

    assert home.ready() is None
    with home.hold():
        assert home.ready() == READY
    assert home.ready() is None


def test_a_second_holder_is_told_who_holds_the_home_and_what_to_do(tmp_path: Path) -> None:
    """Two supervisors cannot share a home; the refusal is one clear sentence."""
    home = Home(tmp_path)
    with home.hold(), pytest.raises(HomeBusyError) as refused, home.hold():
        pass

    assert str(refused.value) == (
        f"the home folder {tmp_path} is in use by process {os.getpid()}: stop that one first, "
        "or choose another folder with --home or NCC_HOME"
    )


def test_a_released_home_can_be_held_again(tmp_path: Path) -> None:
    """The lock ends with its holder, and the file it leaves means nothing."""
    home = Home(tmp_path)
    with home.hold():
        pass
    with home.hold():
        assert home.is_held()


def test_a_killed_holder_leaves_the_home_free(tmp_path: Path) -> None:
    """The lock is the kernel's: kill -9 releases it."""
    code = (
        "import sys,time,pathlib\nfrom services.home import Home\n"
        "with Home(pathlib.Path(sys.argv[1])).hold():\n    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        was_held = Home(tmp_path).is_held()
        holder.kill()
    with Home(tmp_path).hold():
        pass

    assert was_held
