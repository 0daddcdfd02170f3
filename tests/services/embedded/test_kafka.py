"""The embedded broker: prepared without a JVM here, and run for real below."""

import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError as ClientError

from services.embedded.kafka import DEPLOY, EmbeddedKafka, KafkaError, answers, prepare

FAKE_JAVA = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
[ -e "$(dirname "$0")/broken" ] && { echo 'cannot write there' >&2; exit 1; }
for last; do :; done
mkdir -p "$(dirname "$last")/data" && touch "$(dirname "$last")/data/meta.properties"
"""


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deploy folder with our own settings, no real jars, and a Java that only takes notes."""
    folder = tmp_path / "deploy"
    (folder / "libs").mkdir(parents=True)
    (folder / "libs" / "kafka_2.13-4.1.0.jar").touch()
    (folder / "server.properties.in").write_text((DEPLOY / "server.properties.in").read_text())
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(FAKE_JAVA)
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    return folder


def settings_of(folder: Path) -> dict[str, str]:
    lines = (folder / "server.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_storage_is_formatted_once(deploy: Path, tmp_path: Path) -> None:
    """The second preparation finds the storage, its cluster id and its ports as they were."""
    first = prepare(tmp_path / "kafka", deploy=deploy)
    again = prepare(tmp_path / "kafka", deploy=deploy)
    calls = (tmp_path / "jdk" / "bin" / "calls").read_text().splitlines()

    assert len(calls) == 1
    assert "kafka.tools.StorageTool format -t K" in calls[0]
    assert again == first


def test_every_listener_is_on_loopback(deploy: Path, tmp_path: Path) -> None:
    """Nobody but this machine reaches the broker or its controller."""
    broker = prepare(tmp_path / "kafka", deploy=deploy)
    settings = settings_of(broker.folder)
    controller = settings["controller.quorum.voters"].removeprefix("1@")

    assert settings["listeners"] == f"PLAINTEXT://{broker.bootstrap},CONTROLLER://{controller}"
    assert settings["advertised.listeners"] == f"PLAINTEXT://{broker.bootstrap}"
    assert controller.startswith("127.0.0.1:")
    assert controller != broker.bootstrap
    assert "$" not in "".join(settings.values())


def test_given_ports_are_used(deploy: Path, tmp_path: Path) -> None:
    """An operator who names ports gets those."""
    free = [socket.socket() for _ in range(2)]
    for one in free:
        one.bind(("127.0.0.1", 0))
    port, controller_port = (one.getsockname()[1] for one in free)
    for one in free:
        one.close()
    broker = prepare(tmp_path / "kafka", port=port, controller_port=controller_port, deploy=deploy)

    assert broker.bootstrap == f"127.0.0.1:{port}"
    assert settings_of(broker.folder)["controller.quorum.voters"] == f"1@127.0.0.1:{controller_port}"


def test_missing_jars_say_what_to_do(deploy: Path, tmp_path: Path) -> None:
    """A clone without set-up gets a sentence, not a Java error."""
    (deploy / "libs" / "kafka_2.13-4.1.0.jar").unlink()

    with pytest.raises(KafkaError, match="run `make setup`"):
        prepare(tmp_path / "kafka", deploy=deploy)


def test_missing_java_says_what_to_do(deploy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Java gets a sentence."""
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(KafkaError, match="install Java 17"):
        prepare(tmp_path / "kafka", deploy=deploy)


def test_a_failed_format_is_tried_again_the_next_time(deploy: Path, tmp_path: Path) -> None:
    """The reason is Kafka's own, and nothing half-made is taken for storage."""
    broken = tmp_path / "jdk" / "bin" / "broken"
    broken.touch()
    with pytest.raises(KafkaError, match="cannot format Kafka's storage: cannot write there"):
        prepare(tmp_path / "kafka", deploy=deploy)
    broken.unlink()

    assert prepare(tmp_path / "kafka", deploy=deploy).folder == tmp_path / "kafka"


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (struct.pack(">iih", 6, 1, 0) + b"more", True),
        (struct.pack(">iih", 6, 1, 35), False),
        (struct.pack(">iih", 6, 2, 0), False),
        (b"HTTP/1.1 400 Bad Request\r\n", False),
        (b"", False),
    ],
)
def test_only_a_brokers_answer_counts(reply: bytes, answer: bool) -> None:
    """ApiVersions without an error is a yes; an error, a stranger and a silent close are not."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def respond() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(64)
                connection.sendall(reply)

        thread = threading.Thread(target=respond)
        thread.start()

        assert answers("127.0.0.1", server.getsockname()[1]) is answer
        thread.join()


def test_a_port_without_a_listener_does_not_answer() -> None:
    """Before the broker listens the probe says no instead of failing."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))

        assert not answers("127.0.0.1", bound.getsockname()[1], timeout_s=0.2)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """One real broker for the tests below."""
    with EmbeddedKafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


async def make_topic(kafka: EmbeddedKafka, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    await admin.close()


async def read_first(kafka: EmbeddedKafka, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, isolation_level="read_committed")
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    await consumer.seek_to_beginning()
    record = await consumer.getone()
    await consumer.stop()
    value: bytes | None = record.value
    return value


@pytest.mark.real
async def test_a_transaction_survives_kill_9_of_the_broker(kafka: EmbeddedKafka) -> None:
    """What was committed is read after a crash, on the same port."""
    await make_topic(kafka, "survives")
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id="test")
    await producer.start()
    async with producer.transaction():
        await producer.send("survives", b"committed")
    await producer.stop()
    bootstrap = kafka.bootstrap
    kafka.kill()
    kafka.start()
    kafka.wait_ready()

    assert kafka.bootstrap == bootstrap
    assert await read_first(kafka, "survives") == b"committed"


@pytest.mark.real
async def test_a_record_of_a_mebibyte_fits(kafka: EmbeddedKafka) -> None:
    """The largest journal record is stored."""
    await make_topic(kafka, "large")
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, max_request_size=2_000_000)
    await producer.start()
    await producer.send_and_wait("large", b"x" * 1_048_576)
    await producer.stop()

    assert len(await read_first(kafka, "large") or b"") == 1_048_576


@pytest.mark.real
async def test_topics_are_never_made_by_accident(kafka: EmbeddedKafka) -> None:
    """Sending to an unknown topic fails instead of making it."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, request_timeout_ms=500)
    await producer.start()
    with pytest.raises(ClientError):
        await producer.send_and_wait("no-such-topic", b"x")
    await producer.stop()


@pytest.mark.real
def test_a_clean_stop_leaves_a_readable_log_and_no_process(tmp_path: Path) -> None:
    """The broker says when it started and when it ended, one line each."""
    kafka = EmbeddedKafka(tmp_path)
    with kafka:
        process = kafka.process
        assert process is not None
        pid = process.pid
    log = kafka.log.read_text()

    assert process.returncode is not None
    assert not os.path.exists(f"/proc/{pid}")
    assert "Kafka Server started" in log
    assert "SLF4J" not in log
