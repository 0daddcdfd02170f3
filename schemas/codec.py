"""Contracts to bytes and back, with the seam where old versions are brought up to today's shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns a decoded record of one version into the next; pure, and never fails on what that version could write."""

UPCASTERS: dict[str, tuple[Upcaster, ...]] = {}
"""Contract name → the steps from version 1 to 2, 2 to 3, …; kept for ever, because the journal is never migrated.

A contract that is not named here has one version, and pays nothing for the seam.
"""


class NotOurContract(ValueError):
    """Bytes that are not the contract they should be; the message names the contract and the first fault, no input."""


def encode(value: BaseModel) -> bytes:
    """One contract as compact UTF-8 JSON. Fields at their default are written too: records explain themselves."""
    return value.__pydantic_serializer__.to_json(value)


def decode[M: BaseModel](contract: type[M], data: bytes) -> M:
    """Bytes as a contract of today's shape. Raises `NotOurContract`."""
    try:
        steps = UPCASTERS.get(contract.__name__)
        if steps is None:
            return contract.model_validate_json(data)
        return contract.model_validate(_today(contract.__name__, orjson.loads(data), steps), strict=False)
    except orjson.JSONDecodeError:
        raise NotOurContract(f"cannot decode {contract.__name__}: not JSON") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        # Of all the library's sentences this one alone repeats what was read.
        what = "its type is unknown" if first["type"] == "union_tag_invalid" else first["msg"]
        raise NotOurContract(f"cannot decode {contract.__name__}: {where}: {what}") from None


def _today(name: str, raw: Any, steps: tuple[Upcaster, ...]) -> Any:
    """A decoded record after every step from its own version on."""
    if not isinstance(raw, dict):
        return raw
    version = raw.get("v", 1)
    done = version - 1 if isinstance(version, int) and version >= 1 else 0
    try:
        for step in steps[done:]:
            raw = step(raw)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        # A step trusts what its version could write; these bytes only say that they are of that version.
        raise NotOurContract(f"cannot decode {name}: not of the version that it says") from None
    return {**raw, "v": len(steps) + 1}
