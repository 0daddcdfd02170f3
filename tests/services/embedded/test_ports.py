"""Ports: free when chosen, the same after a restart, and never silently another than asked."""

import socket
from pathlib import Path

import pytest

from services.embedded.ports import KeptPorts, PortTakenError, free_port, is_free


def test_a_port_is_kept_for_the_next_start(tmp_path: Path) -> None:
    """Clients of a restarted part find it where it was."""
    port = KeptPorts(tmp_path / "ports.json").take("broker")

    assert KeptPorts(tmp_path / "ports.json").take("broker") == port


def test_each_name_has_its_own_port(tmp_path: Path) -> None:
    """Two parts of one deployment never get the same port, although neither listens yet."""
    ports = KeptPorts(tmp_path / "ports.json")

    assert len({ports.take(f"part{number}") for number in range(20)}) == 20


def test_a_kept_port_that_another_program_took_is_replaced(tmp_path: Path) -> None:
    """A start is not refused because a port chosen by ourselves is gone."""
    ports = KeptPorts(tmp_path / "ports.json")
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports.take("broker")))
        other.listen()
        replaced = ports.take("broker")

        assert replaced != other.getsockname()[1]
    assert ports.take("broker") == replaced


def test_an_asked_port_is_taken_or_refused(tmp_path: Path) -> None:
    """The operator's choice wins over the kept one, and a taken one is a sentence."""
    ports = KeptPorts(tmp_path / "ports.json")
    ports.take("api")
    asked = free_port()

    assert ports.take("api", asked) == asked == ports.take("api")
    with socket.socket() as other:
        other.bind(("127.0.0.1", asked))
        other.listen()
        with pytest.raises(PortTakenError, match=f"port {asked} for api is in use by another program"):
            ports.take("api", asked)


def test_a_broken_file_is_written_anew(tmp_path: Path) -> None:
    """Kept ports are a convenience: losing them costs a new choice, not the start."""
    file = tmp_path / "ports.json"
    file.write_text("{")

    assert is_free(KeptPorts(file).take("broker"))
