"""What a simulated history replaces in the tree's modules while it runs: the clock, the log lines, and, in most
histories, bytes and cryptography by something cheaper that was shown to mean the same.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel

import services.ingest
import services.metrics.role
import services.payments.chain_request
import services.payments.invoice_request
import services.payments.role
import services.publisher
import streams.checkpoint
import streams.decider
import streams.follower
import streams.intake
import streams.partition
import streams.reading
import streams.views
from schemas import codec
from schemas.nostr import nip01
from tests.simulation.chain import networks_of
from tests.simulation.clock import Clock
from tests.simulation.processes import SimPool
from tests.simulation.signers import cheap_check_sig
from tests.simulation.wallet import cheap_decode


class Quiet:
    """A logger that says nothing."""

    def info(self, *_: Any, **__: Any) -> None: ...

    warning = error = critical = debug = info


def shared_decode(contract: type[Any], data: Any) -> Any:
    """A value that never became bytes is the value; anything else is read."""
    return data if isinstance(data, BaseModel) else codec.decode(contract, data)


def shared_encode(value: BaseModel) -> Any:
    """The value itself."""
    return value


def cheap_read_event(text: bytes | str) -> nip01.Event:
    """The three gates, with the cheap world's signatures."""
    event = nip01.parse_event(text)
    nip01.check_id(event)
    cheap_check_sig(event)
    return event


Patch = tuple[Any, str, Any]

SAVE_EVERY_S = 0.2
"""Checkpoints as often as a history of a few minutes needs them."""

_OURS = [module for name, module in sorted(sys.modules.items()) if name.startswith(("streams.", "services."))]
_CLOCKED = [module for module in _OURS if getattr(module, "time", None) is time]
"""Every module of ours that asks the time, so that none asks the machine's: a history must not depend on it."""
_LOGGED = [module for module in _OURS if hasattr(module, "log")]
_DECODING = [module for module in _OURS if getattr(module, "decode", None) is codec.decode]


def _patches(clock: Clock, as_bytes: bool, is_real: bool) -> list[Patch]:
    quiet = Quiet()
    made: list[Patch] = [(module, "time", clock) for module in _CLOCKED]
    made += [(module, "log", quiet) for module in _LOGGED]
    made.append((services.ingest, "RelayPool", SimPool))
    made.append((services.payments.chain_request, "networks_of", networks_of))
    made.append((streams.checkpoint, "SAVE_EVERY_S", SAVE_EVERY_S))
    if not as_bytes:
        made += [(module, "decode", shared_decode) for module in _DECODING]
        made.append((streams.views, "encode", shared_encode))
    if not is_real:
        made.append((streams.reading, "check_sig", cheap_check_sig))
        made.append((services.ingest, "read_event", cheap_read_event))
        made.append((services.payments.invoice_request, "decode", cheap_decode))
    return made


@contextmanager
def installed(clock: Clock, as_bytes: bool, is_real: bool) -> Iterator[None]:
    """Replace, run, put back."""
    patches = _patches(clock, as_bytes, is_real)
    before = [(module, name, getattr(module, name)) for module, name, _ in patches]
    try:
        # A killed process leaves work behind that nobody awaits any more.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        for module, name, value in patches:
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
