"""Values of any contract, made from its own fields: what a property is tried on when no example was thought of."""

from __future__ import annotations

import types
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from schemas.lnurl_served import ServedAddress
from schemas.messages import Command, CommandBody, Event, JournalRecord
from schemas.texts import Text

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
"""Anything that has a UTF-8 form."""
HEX = "0123456789abcdef"
SERVED = get_args(ServedAddress)[1]
"""What tells a lightning address from other texts."""


def members(union: object) -> tuple[type[BaseModel], ...]:
    """The contracts of a tagged union."""
    tagged, *_ = get_args(union)
    return get_args(tagged)


def of_contract[M: BaseModel](contract: type[M]) -> st.SearchStrategy[M]:
    """Any valid value of a contract."""
    fields = {name: _of_field(field) for name, field in contract.model_fields.items()}
    return st.builds(contract, **fields)


def commands() -> st.SearchStrategy[Command]:
    """Any command."""
    return of_contract(Command)


def records(event: type[BaseModel] | None = None) -> st.SearchStrategy[JournalRecord]:
    """Any journal record, or one with a single event of a kind."""
    if event is None:
        return of_contract(JournalRecord)
    rest = {name: _of_field(field) for name, field in JournalRecord.model_fields.items() if name != "events"}
    return st.builds(JournalRecord, events=st.tuples(of_contract(event)), **rest)


def events() -> st.SearchStrategy[Any]:
    """Any fact."""
    return st.sampled_from(members(Event)).flatmap(of_contract)


def bodies() -> st.SearchStrategy[Any]:
    """Any command's body."""
    return st.sampled_from(members(CommandBody)).flatmap(of_contract)


def _of_field(field: FieldInfo) -> st.SearchStrategy[Any]:
    made = _of_type(field.annotation, tuple(field.metadata))
    return made if field.is_required() else st.one_of(made, st.just(field.get_default(call_default_factory=True)))


def _of_type(kind: Any, metadata: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """Values of an annotation within what its metadata allow."""
    origin = get_origin(kind)
    if origin is Annotated:
        inner, *more = get_args(kind)
        said = [one for m in more for one in (m.metadata if isinstance(m, FieldInfo) else (m,))]
        return _of_type(inner, (*metadata, *said))
    if origin in (Union, types.UnionType):
        return st.one_of([_of_type(member, metadata) for member in get_args(kind)])
    if origin is Literal:
        return st.sampled_from(get_args(kind))
    if origin is tuple:
        item, *_ = get_args(kind)
        most = min(3, _bound(metadata, "max_length", 3))
        if _ == [Ellipsis]:
            only_once = (lambda text: text.phrase) if item is Text else None
            return st.lists(_of_type(item), max_size=most, unique_by=only_once).map(tuple)
        return st.tuples(*(_of_type(member) for member in get_args(kind)))
    if kind is type(None):
        return st.none()
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return of_contract(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    return _of_scalar(kind, metadata)


def _of_scalar(kind: Any, metadata: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if kind is bool:
        return st.booleans()
    if kind is int:
        least = max(_bound(metadata, "ge", -(2**40)), _bound(metadata, "gt", -(2**40)) + 1)
        return st.integers(least, max(least, _bound(metadata, "le", 2**53)))
    if kind is Decimal:
        least, most = _bound(metadata, "ge", -(10**18)), _bound(metadata, "le", 10**18)
        return st.decimals(least, most, allow_nan=False, allow_infinity=False, places=8)
    if kind is str:
        return _text(metadata)
    raise NotImplementedError(f"no values for {kind}")


def _text(metadata: tuple[Any, ...]) -> st.SearchStrategy[str]:
    if SERVED in metadata:
        return st.sampled_from(["", "tea@shop.example", "a_1-b@127.0.0.1:8080"])
    pattern = next((m.pattern for m in metadata if getattr(m, "pattern", None)), None)
    if pattern == r"^[0-9a-f]{64}$":
        return st.sampled_from(["a1", "b1", "b2", "c1"]).map(lambda two: two * 32) | st.text(
            HEX, min_size=64, max_size=64
        )
    if pattern is not None:
        return st.from_regex(pattern, fullmatch=True).filter(lambda text: len(text) <= 128)
    least, most = _bound(metadata, "min_length", 0), _bound(metadata, "max_length", 12)
    return TEXT if not least else st.text("abc", min_size=least, max_size=max(least, min(most, 12)))


def _bound(metadata: tuple[Any, ...], name: str, otherwise: int) -> int:
    """One of the bounds in an annotation's metadata."""
    found = next((value for m in metadata if (value := getattr(m, name, None)) is not None), None)
    return otherwise if found is None else int(found)
