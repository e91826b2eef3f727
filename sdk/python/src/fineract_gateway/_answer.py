"""Reads JSON into the dataclasses of `models`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import UnreadableAnswer

A = TypeVar("A", bound="Answer")

_hints: Callable[[type], dict[str, Any]] = cache(get_type_hints)


def read(kind: type[A], json: object) -> A:
    """Makes an answer of a JSON object. Ignores the keys that it does not know: a newer gateway may send more."""
    if not isinstance(json, Mapping):
        raise UnreadableAnswer(f"{kind.__name__} is not an object")
    values = {name: _convert(hint, json[name]) for name, hint in _hints(kind).items() if name in json}
    missing = {field.name for field in fields(kind) if field.default is MISSING} - values.keys()
    if missing:
        raise UnreadableAnswer(f"{kind.__name__} lacks {', '.join(sorted(missing))}")
    return kind(**values)


def _convert(hint: Any, value: object) -> object:
    if value is None:
        return None
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for kind in kinds:
        if _is_answer(kind) and isinstance(value, Mapping):
            return read(kind, value)
        if get_origin(kind) is list and isinstance(value, list):
            return [_convert(get_args(kind)[0], item) for item in value]
        if kind is Decimal and type(value) is int:
            return Decimal(value)
    if all(_is_answer(kind) or get_origin(kind) is list for kind in kinds if kind is not NoneType):
        raise UnreadableAnswer("a value is neither an object nor a list")
    return value


def _is_answer(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Answer)


@dataclass(frozen=True, repr=False)
class Answer:
    """The base of every answer. Its `repr` shows ids and states only, so that no personal data gets into a log."""

    def __repr__(self) -> str:
        shown = {field.name: getattr(self, field.name) for field in fields(self) if field.name in _SHOWN}
        values = ", ".join(f"{name}={value!r}" for name, value in shown.items() if value is not None)
        return f"{type(self).__name__}({values})"


# Ids, numbers and states. Everything else may be personal data, or Fineract's own.
_SHOWN = frozenset(
    [
        "batch",
        "batch_id",
        "batch_status",
        "has_more",
        "id",
        "next",
        "number",
        "operation",
        "operation_type",
        "reference_id",
        "retry_eligible",
        "status",
        "tracking_id",
        "type",
    ]
)
