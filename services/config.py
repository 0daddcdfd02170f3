"""Every setting in one place: what a role needs to know, from `NCC_…` variables or the command line."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.topics import PARTITIONS_DEFAULT


class Role(StrEnum):
    """The roles of the picture, each one process (design §1)."""

    INGEST = "ingest"
    INTAKE = "intake"
    DECIDER = "decider"
    VIEWS = "views"
    PAYMENTS = "payments"
    PUBLISHER = "publisher"
    METRICS = "metrics"
    API = "api"
    AUDITOR = "auditor"


class RoutePolicy(StrEnum):
    """What to do for a recipient without an inbox list (REL-15)."""

    STRICT = "strict"
    FALLBACK = "fallback"


class Settings(BaseSettings):
    """What a role is told. No secret is ever a setting: secrets are files in the home."""

    model_config = SettingsConfigDict(env_prefix="NCC_", frozen=True, extra="ignore")

    home: Path = Field(default=Path(".ncc"), description="Folder of keys, vault, wallet, token and logs.")
    kafka: str = Field(default="127.0.0.1:9092", description="Kafka bootstrap servers, comma-separated.")
    partitions: int = Field(default=PARTITIONS_DEFAULT, ge=1, le=1_000, description="Partitions of every topic.")
    replication: int = Field(default=1, ge=1, le=5, description="Replicas of every topic that is created.")
    relays: str = Field(default="", description="The operator's own relays, comma-separated.")
    discovery_relays: str = Field(
        default="", description="Relays where strangers look for inbox lists, comma-separated; those are told too."
    )
    rates: str = Field(default="", description="Pinned exchange rates, sats a unit: USD=1000,EUR=1100.")
    rate_sources: str = Field(default="", description="Live rate sources, two or more: coinbase,kraken,mempool.")
    clickhouse: str = Field(default="", description="ClickHouse DSN; empty is the embedded engine in the home.")
    metrics_url: str = Field(default="http://127.0.0.1:8124", description="Where the metrics role answers queries.")
    api_url: str = Field(default="http://127.0.0.1:8123", description="Where the api role answers.")
    service_url: str = Field(
        default="", description="Where buyers' applications may hand in sealed orders over HTTP; empty is nowhere."
    )
    instance: str = Field(
        default="", max_length=32, description="This process's name among those of its role; unique, or empty."
    )
    signer: str = Field(
        default="",
        description="Unix socket of a signer process (`ncc signer serve`); empty keeps the keys in the home.",
    )
    route_policy: RoutePolicy = Field(
        default=RoutePolicy.FALLBACK, description="What to do for a buyer without an inbox list."
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @property
    def relay_list(self) -> tuple[str, ...]:
        """The operator's own relays."""
        return _urls(self.relays)

    @property
    def discovery_list(self) -> tuple[str, ...]:
        """Where inbox lists are published besides."""
        return _urls(self.discovery_relays)

    @property
    def clickhouse_dsn(self) -> str:
        """The DSN to open."""
        return self.clickhouse or f"chdb://{self.home / 'clickhouse'}"

    def environment(self) -> dict[str, str]:
        """These settings as the variables a child process reads them from."""
        return {f"NCC_{name.upper()}": str(value) for name, value in self.model_dump(mode="json").items()}


def _urls(text: str) -> tuple[str, ...]:
    return tuple(url.strip() for url in text.split(",") if url.strip())
