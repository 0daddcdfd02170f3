"""The embedded broker: Apache Kafka as one child process that keeps its data and its port in a folder.

Kafka runs from its jars in KRaft mode, broker and controller in one JVM, on loopback only.
Measured on two cores: format 1.2 s once, start to first answer 2.4 s, clean stop 0.3 s, about 210 MB idle
and 300 MB under load.
`JVM_OPTIONS` says what was weighed.
"""

import base64
import os
import shutil
import socket
import struct
import subprocess
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from types import TracebackType
from typing import IO, Final, Self

from services.embedded.ports import LOOPBACK, KeptPorts
from services.supervision.processes import dies_with_parent

DEPLOY: Final = Path(__file__).parents[2] / "deploy" / "kafka"

JVM_OPTIONS: Final = (
    "-Xms64m",
    "-Xmx384m",
    # One collector thread and no spare regions: 40 MB less than the default collector.
    "-XX:+UseSerialGC",
    # The quick compiler alone: the thorough one makes a warm broker 13 % cheaper per record, but takes 45 MB
    # and so much time to get there that it pays off only after three minutes under full load.
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    # A broker without memory must die, so that it is started again.
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true",
)

# ApiVersions, version 0, correlation 1, no client id: Kafka protocol guide, "ApiVersions API (Key: 18)".
_PING: Final = struct.pack(">ihhih", 10, 18, 0, 1, -1)
_PING_CORRELATION: Final = 1


class KafkaError(Exception):
    """The embedded broker cannot be prepared or does not start; the message says what to do."""


@dataclass(frozen=True)
class Broker:
    """A prepared broker: what to run and where it will answer. Running it again finds the same data."""

    folder: Path
    port: int
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)

    @property
    def bootstrap(self) -> str:
        """The address that clients are given."""
        return f"{LOOPBACK}:{self.port}"

    def answers(self, timeout_s: float = 1.0) -> bool:
        """Whether it serves requests now; blocks up to `timeout_s`."""
        return answers(LOOPBACK, self.port, timeout_s)


def prepare(
    folder: Path, *, port: int | None = None, controller_port: int | None = None, deploy: Path = DEPLOY
) -> Broker:
    """Writes the settings, formats the storage at first use, and says what to run; starts nothing.

    Ports that are not given are chosen once and kept in the folder.
    Raises KafkaError without Java or the jars, PortTakenError for a given port that is in use.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = folder.absolute()
    ports = KeptPorts(folder / "ports.json")
    port = ports.take("broker", port)
    settings = _write_settings(folder, deploy, port, ports.take("controller", controller_port))
    run = (_java(), *JVM_OPTIONS, *_classes_and_logging(folder, deploy))
    if not (folder / "data" / "meta.properties").exists():
        _format(run, settings)
    return Broker(
        folder=folder,
        port=port,
        argv=(*run, "kafka.Kafka", str(settings)),
        env={"MALLOC_ARENA_MAX": "2"},  # the C library's arenas per core would only add to resident memory
    )


def answers(host: str, port: int, timeout_s: float = 1.0) -> bool:
    """Whether a Kafka broker serves requests there: it answers ApiVersions; blocks up to `timeout_s`.

    A broker that is still starting accepts the connection but answers nothing.
    """
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.sendall(_PING)
            head = connection.recv(10, socket.MSG_WAITALL)
    except OSError:
        return False
    if len(head) < 10:
        return False
    _length, correlation, error = struct.unpack(">iih", head)
    return bool(correlation == _PING_CORRELATION and error == 0)


class EmbeddedKafka:
    """One broker run by this process, for tests and measurements; a deployment's runs under the supervisor.

    As a context manager it is ready inside and stopped after. Restarting it keeps data and port.
    """

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.broker: Final = prepare(folder, port=port)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        return self.broker.bootstrap

    @property
    def log(self) -> Path:
        return self.broker.folder / "kafka.log"

    def start(self) -> None:
        """Starts the process and returns at once."""
        with self.log.open("ab") as log:
            self.process = _spawn(self.broker, log)

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Blocks until the broker answers; raises KafkaError when it dies or stays silent."""
        until_s = time.monotonic() + timeout_s
        while not self.broker.answers():
            if self.process is None or self.process.poll() is not None:
                raise KafkaError(f"Kafka died while it started; see {self.log}")
            if time.monotonic() > until_s:
                raise KafkaError(f"Kafka does not answer after {timeout_s} s; see {self.log}")
            time.sleep(0.02)

    def stop(self, timeout_s: float = 8.0) -> None:
        """Stops it cleanly, and by force when that takes longer than `timeout_s`."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def kill(self) -> None:
        """Kills it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _spawn(broker: Broker, log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        broker.argv,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, **broker.env},
        start_new_session=True,
        preexec_fn=dies_with_parent(),  # one system call, and it keeps crashed tests clean
    )


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").exists():
        return str(Path(home) / "bin" / "java")
    found = shutil.which("java")
    if found is None:
        raise KafkaError("no java was found: install Java 17 or newer, then run `make setup`")
    return found


def _classes_and_logging(folder: Path, deploy: Path) -> tuple[str, ...]:
    libs = deploy / "libs"
    if not any(libs.glob("kafka_*.jar")):
        raise KafkaError(f"Kafka's jars are not in {libs}: run `make setup`")
    return (
        f"-XX:ErrorFile={folder}/jvm-crash.log",
        f"-Dlog4j2.configurationFile={deploy / 'log4j2.xml'}",
        "-cp",
        f"{libs}/*",
    )


def _write_settings(folder: Path, deploy: Path, port: int, controller_port: int) -> Path:
    template = Template((deploy / "server.properties.in").read_text())
    file = folder / "server.properties"
    file.write_text(
        template.substitute(port=port, controller_port=controller_port, data=folder / "data"),
    )
    return file


def _format(run: tuple[str, ...], settings: Path) -> None:
    """Formats the storage under a new cluster id, which the storage keeps from then on."""
    # An id that starts with "-" would read as an option.
    cluster_id = "K" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
    command = (*run, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(settings))
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise KafkaError(f"cannot format Kafka's storage: {(done.stderr or done.stdout).strip()[-500:]}")
