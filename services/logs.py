"""Logs: one line of JSON an event on standard error, ids only, never content (MSG-14)."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs(role: str) -> None:
    """Set both our own and the libraries' logging up for one process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=role)
    logging.basicConfig(
        level=logging.WARNING, format='{"level":"%(levelname)s","logger":"%(name)s","event":%(message)r}'
    )
    # The client says at warning level what it cures by itself, many times a second while a broker restarts.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
