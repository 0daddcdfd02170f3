"""The metrics tests' ClickHouse, here as well."""

from tests.services.metrics.conftest import store, writer

__all__ = ["store", "writer"]
