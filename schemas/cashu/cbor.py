"""Reads and writes CBOR, in which tokens and payment requests are packed; the one place that imports cbor2."""

from __future__ import annotations

from typing import Any, Final, Never

import cbor2

DEPTH_MAX: Final = 8
"""A token needs five levels."""


class CborRefused(ValueError):
    """Bytes that are not plain CBOR; the message quotes nothing."""


def _refuse(*_: object) -> Never:
    raise CborRefused("a tagged value")


_TAGS: Final = dict.fromkeys(range(65_536), _refuse)
"""No tag is followed: some build patterns, numbers without end, or values that hold themselves."""


def read(packed: bytes) -> Any:
    """Maps, lists, texts, bytes and plain numbers. Raises `CborRefused`."""
    try:
        return cbor2.loads(
            packed,
            semantic_decoders=_TAGS,
            tag_hook=_refuse,
            max_depth=DEPTH_MAX,
            allow_duplicate_keys=False,
            strict_hashable_types=True,
        )
    except (cbor2.CBORDecodeError, ValueError, OverflowError, MemoryError):
        raise CborRefused("it is not CBOR, or more than is read here") from None


def write(value: Any) -> bytes:
    """A value of those kinds, in the order that its maps have."""
    return cbor2.dumps(value)
