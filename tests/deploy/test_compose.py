"""Checks the multi-process form against the code, by parsing: no container engine is needed or started."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas import topics
from services.config import Role, Settings
from services.home import Ready
from services.relays import normalise_relay_url

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "compose"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
BROKERS = sorted(name for name in SERVICES if name.startswith("kafka-"))
OURS = {name: it for name, it in SERVICES.items() if it["image"].startswith("nostr-commerce-coordinator:")}
ONE_SHOT = {"topics", "operator"}
HOME = "/var/lib/ncc"
TEXTS = [path for path in sorted(FOLDER.rglob("*")) if path.is_file() and path.parent.name != "secrets"]

READS_KEYS = {"ingest", "intake", "publisher"}
"""Roles that open a key: they take `stage.signer` and act with it (services/roles)."""
NEEDS_TOKEN = {"metrics", "api"}
NEEDS_VAULT = {"intake", "publisher", "api"}


def environment(name: str) -> dict[str, str]:
    """A service's environment as Compose hands it on, with the defaults of what `.env` may change."""
    given: dict[str, str] = SERVICES[name].get("environment", {})
    return {key: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for key, value in given.items()}


def settings(name: str) -> Settings:
    """What a role of this service reads from its environment."""
    given = {key.removeprefix("NCC_").lower(): value for key, value in environment(name).items()}
    return Settings(**given)  # type: ignore[arg-type]


def secrets_of(name: str) -> dict[str, str]:
    """Target → source of the secret files a service is handed."""
    return {given["target"]: given["source"] for given in SERVICES[name].get("secrets", [])}


def volumes_of(name: str) -> dict[str, tuple[str, str]]:
    """Target → (source, mode) of a service's mounts."""
    mounts = (mount.split(":") for mount in SERVICES[name].get("volumes", []))
    return {mount[1]: (mount[0], mount[2] if len(mount) > 2 else "rw") for mount in mounts}


@pytest.mark.parametrize("role", list(Role))
def test_every_role_is_one_service_with_its_command(role: Role) -> None:
    """The same names as everywhere else, so that logs, topics and services can be told together."""
    assert SERVICES[role.value]["command"] == ["run", role.value]
    assert "entrypoint" not in SERVICES[role.value]


def test_nothing_runs_a_role_that_the_code_does_not_know() -> None:
    """Our image runs the roles, the topics once, and the operator's commands; nothing else."""
    running = {name for name, service in OURS.items() if service["command"][0] == "run"}

    assert {role.value for role in Role} == running
    assert running | ONE_SHOT == OURS.keys()
    assert SERVICES["topics"]["command"] == ["topics"]


def test_every_variable_of_ours_is_a_setting() -> None:
    """A misspelt variable would be ignored without a word."""
    known = {f"NCC_{name.upper()}" for name in Settings.model_fields}
    named = {name for path in TEXTS for name in re.findall(r"\bNCC_[A-Z_]+\b", path.read_text())}

    assert named <= known
    assert known - {"NCC_INSTANCE"} == environment("decider").keys()
    # One name for several copies of a role would make them throw each other out.
    assert "NCC_INSTANCE" not in (FOLDER / "compose.yaml").read_text()


@pytest.mark.parametrize("role", list(Role))
def test_every_role_reads_its_settings(role: Role) -> None:
    """The values are of the right shape, and the same cluster for all."""
    read = settings(role.value)

    assert str(read.home) == HOME
    assert read.kafka == ",".join(f"{broker}:9092" for broker in BROKERS)
    assert [normalise_relay_url(url) for url in read.relay_list] == ["ws://relay:8080"]


def test_the_example_environment_sets_what_the_services_take() -> None:
    """Nothing in it is ignored, and its values are read."""
    lines = [line for line in (FOLDER / ".env.example").read_text().splitlines() if line and line[0] != "#"]
    example = dict(line.split("=", 1) for line in lines)
    taken = set(re.findall(r"\$\{(\w+):-", (FOLDER / "compose.yaml").read_text()))

    Settings(**{key.removeprefix("NCC_").lower(): value for key, value in example.items()})  # type: ignore[arg-type]

    assert taken == example.keys()


def test_every_topic_named_exists() -> None:
    """In these files, comments and prose included."""
    known = {topic.name for topic in topics.TOPICS}
    named = {name for path in TEXTS for name in re.findall(r"\bncc\.(?!xml)[a-z]+\b", path.read_text())}

    assert named <= known


def test_every_record_lies_on_every_broker() -> None:
    """Replication is the number of brokers, and one of them may be missing."""
    for broker in BROKERS:
        told = environment(broker)
        factors = {int(value) for key, value in told.items() if key.endswith("REPLICATION_FACTOR")}
        minima = {int(value) for key, value in told.items() if "_MIN_ISR" in key or "_MIN_INSYNC" in key}

        assert factors == {len(BROKERS)}
        assert minima == {len(BROKERS) - 1}
    assert settings("topics").replication == len(BROKERS) == 3


def test_the_brokers_are_one_cluster() -> None:
    """Each has its own number, name and disk; all know the same voters."""
    told = [environment(broker) for broker in BROKERS]
    voters = ",".join(f"{number}@{broker}:9093" for number, broker in enumerate(BROKERS, 1))

    assert [one["KAFKA_NODE_ID"] for one in told] == ["1", "2", "3"]
    assert [one["KAFKA_ADVERTISED_LISTENERS"] for one in told] == [f"BROKER://{b}:9092" for b in BROKERS]
    assert {one["KAFKA_CONTROLLER_QUORUM_VOTERS"] for one in told} == {voters}
    assert len({one["CLUSTER_ID"] for one in told}) == 1
    assert [volumes_of(b)["/var/lib/kafka/data"] for b in BROKERS] == [(b, "rw") for b in BROKERS]


def test_the_brokers_take_the_largest_message() -> None:
    """And make no topic by themselves."""
    told = environment(BROKERS[0])

    assert int(told["KAFKA_MESSAGE_MAX_BYTES"]) >= topics.MESSAGE_BYTES_MAX
    assert told["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


@pytest.mark.parametrize("name", SERVICES)
def test_every_published_port_is_loopback(name: str) -> None:
    """What should be reachable from elsewhere is put behind a proxy by whoever decides that."""
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


def test_the_two_doors_listen_inside_and_are_found_by_name() -> None:
    """Only the service itself binds all addresses; everybody else is told its name."""
    assert settings("metrics").metrics_url == "http://0.0.0.0:8124"
    assert settings("api").api_url == "http://0.0.0.0:8123"
    assert settings("api").metrics_url == "http://metrics:8124"
    assert SERVICES["api"]["ports"] == ["127.0.0.1:8123:8123"]
    assert "ports" not in SERVICES["metrics"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_health_check_or_ends_by_itself(name: str) -> None:
    """A role is asked with its own command."""
    check = SERVICES[name]["healthcheck"]

    if name in ONE_SHOT:
        assert check == {"disable": True}
        return
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    if name in OURS:
        assert check["test"] == ["CMD", "ncc", "health", name]


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined(name: str) -> None:
    """A plain user, a read-only root, no capabilities, no new privileges, and limits."""
    service = SERVICES[name]
    user, group = service["user"].split(":")

    assert int(user) > 0
    assert int(group) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & service.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_everything_referred_to_is_there(name: str) -> None:
    """Volumes, networks, secrets, mounted files and the services that are waited for."""
    service = SERVICES[name]

    for source, _ in volumes_of(name).values():
        if source.startswith("."):
            assert (FOLDER / source).is_file()
        else:
            assert source in COMPOSE["volumes"]
    assert set(service["networks"]) <= COMPOSE["networks"].keys()
    assert set(secrets_of(name).values()) <= COMPOSE["secrets"].keys()
    for other, wait in service.get("depends_on", {}).items():
        ends = SERVICES[other]["healthcheck"] == {"disable": True}
        assert wait["condition"] == ("service_completed_successfully" if ends else "service_healthy")


def test_nothing_is_declared_in_vain() -> None:
    """A volume or network that nobody uses is a mistake in some service."""
    used = {source for name in SERVICES for source, _ in volumes_of(name).values()}
    joined = {network for service in SERVICES.values() for network in service["networks"]}
    handed = {source for name in SERVICES for source in secrets_of(name).values()}

    assert COMPOSE["volumes"].keys() <= used
    assert COMPOSE["networks"].keys() == joined
    assert COMPOSE["secrets"].keys() == handed


@pytest.mark.parametrize("role", list(Role))
def test_a_role_gets_the_files_it_needs_and_no_others(role: Role) -> None:
    """Keys can be opened by three roles; only the operator's own container may add one."""
    name = role.value
    volumes, secrets = volumes_of(name), secrets_of(name)

    assert (f"{HOME}/secrets/keystore-passphrase" in secrets) == (name in READS_KEYS)
    assert volumes.get(f"{HOME}/keys", ("", "ro"))[1] == "ro"
    assert (f"{HOME}/keys" in volumes) == (name in READS_KEYS | {"api"})
    assert (f"{HOME}/token" in secrets) == (name in NEEDS_TOKEN)
    assert (volumes.get(f"{HOME}/secrets") == ("vault", "rw")) == (name in NEEDS_VAULT)
    assert (f"{HOME}/secrets/preimage" in secrets) == (name == "payments")
    assert (f"{HOME}/secrets/wallets" in secrets) == (name == "payments")
    assert (f"{HOME}/secrets/hooks" in secrets) == (name in {"payments", "api"})
    assert (f"{HOME}/secrets/pseudonym" in secrets) == (name == "metrics")


def test_only_those_who_speak_to_relays_or_wallets_can_leave() -> None:
    """And the two whose ports are published, which Docker does for no internal network."""
    leave = {name for name, service in SERVICES.items() if "edge" in service["networks"]}

    assert leave == {"relay", "ingest", "payments", "publisher", "api", "operator"}
    assert {name for name, network in COMPOSE["networks"].items() if network.get("internal")} == {
        "core",
        "store",
    }
    assert {name for name, service in SERVICES.items() if "store" in service["networks"]} == {
        "clickhouse",
        "metrics",
    }


SECRET_LIKE = re.compile(
    r"nsec1|ncryptsec1|\b[0-9a-f]{64}\b|://[^/\s:@]+:[^/\s@]+@|(?i:passw(or)?d|secret|token)\s*[=:]\s*\S"
)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_no_file_holds_what_looks_like_a_secret(path: Path) -> None:
    """Names of secret files are not secrets, so their own lines are left out."""
    names = ("./secrets/", "source: ", "token_file")
    lines = [line for line in path.read_text().splitlines() if not any(name in line for name in names)]
    found = [line for line in lines if SECRET_LIKE.search(line)]

    assert found == []


def test_secret_files_lie_in_one_ignored_folder() -> None:
    """So that no one commits them by accident."""
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
    assert {".env", "secrets/"} <= set((FOLDER / ".gitignore").read_text().split())


def test_the_script_makes_every_secret_once(tmp_path: Path) -> None:
    """32 bytes as hex, in a folder of the operator's; a second run changes nothing."""
    script = [str(FOLDER / "make-secrets.sh"), str(tmp_path)]
    subprocess.run(script, check=True, capture_output=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    subprocess.run(script, check=True, capture_output=True)

    assert made.keys() == COMPOSE["secrets"].keys()
    assert all(len(bytes.fromhex(text.strip())) == 32 for text in made.values())
    assert made == {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700


def test_the_operator_finds_the_deployment() -> None:
    """`ready.json` names the services, and the token file that the container is handed."""
    ready = Ready.model_validate(json.loads((FOLDER / "ready.json").read_text()))

    assert ready.api == settings("operator").api_url
    assert ready.kafka == settings("operator").kafka
    assert ready.relay == settings("operator").relays
    assert ready.token_file in secrets_of("operator")
    assert volumes_of("operator")[f"{HOME}/ready.json"] == ("./ready.json", "ro")
    assert volumes_of("operator")[f"{HOME}/keys"] == ("keys", "rw")


def test_the_image_copies_what_is_there() -> None:
    """Every copied path exists and gets past the ignore file; the image belongs to the user that runs it."""
    text = (FOLDER / "Dockerfile").read_text()
    allowed = set(re.findall(r"^!(.+)$", (FOLDER / "Dockerfile.dockerignore").read_text(), re.M))
    copied = {path for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M) for path in line.split()[:-1]}

    assert copied == allowed
    assert all((ROOT / path).exists() for path in copied)
    assert f"USER {SERVICES['decider']['user']}" in text
    assert text.count("--require-hashes") == 2
    assert f"NCC_HOME={HOME}" in text


def test_new_volumes_get_their_owner_from_the_image() -> None:
    """A volume whose folder the image lacks would belong to root, and the role could not write to it."""
    made = re.findall(rf"{HOME}/\w+", (FOLDER / "Dockerfile").read_text())
    mounts = [(target, source) for name in OURS for target, (source, _) in volumes_of(name).items()]
    mounted = {target for target, source in mounts if not source.startswith(".")}

    assert mounted == set(made)
