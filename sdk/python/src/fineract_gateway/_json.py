"""JSON in which numbers keep their digits.

The module `json` of the standard library writes no `Decimal`, and a `float` cannot hold an amount such as `0.10`
exactly. So amounts are `Decimal` (or `int`) everywhere, and a `float` is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]

# `format` writes a Decimal without an exponent. This limit keeps `Decimal("1E+999999")` from becoming a million zeros.
_LARGEST_EXPONENT = 100


def encode(value: object) -> bytes:
    """Writes a value as JSON. Raises a `TypeError` or `ValueError` that names the place, but not the value."""
    return "".join(_pieces(value, "")).encode("ascii")


def decode(content: bytes | str) -> Any:
    """Reads JSON. Numbers with a fraction or an exponent become `Decimal`. Raises a `ValueError`."""
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError):
        # The error of `json` refers to the document, which may contain personal data.
        raise ValueError("not valid JSON") from None


def day(value: date) -> str:
    """A day as the gateway writes it, in any locale: `11 January 2026`."""
    return f"{value.day:02} {MONTHS[value.month - 1]} {value.year:04}"


def time(value: datetime, at: str) -> str:
    """A time in UTC, with its offset (RFC 3339)."""
    if value.utcoffset() is None:
        raise ValueError(f"{at} must have a time zone")
    return value.astimezone(timezone.utc).isoformat()


def _pieces(value: object, at: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _members(value, at)
    elif isinstance(value, (list, tuple)):
        separator = "["
        for index, item in enumerate(value):
            yield separator
            yield from _pieces(item, f"{at}/{index}")
            separator = ","
        yield "]" if value else "[]"
    else:
        yield _scalar(value, at)


def _members(value: Mapping[Any, object], at: str) -> Iterator[str]:
    separator = "{"
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError(f"{at or '/'}: the keys of an object must be texts")
        yield f"{separator}{json.dumps(key)}:"
        yield from _pieces(item, f"{at}/{key}")
        separator = ","
    yield "}" if value else "{}"


def _scalar(value: object, at: str) -> str:
    if value is None or isinstance(value, (bool, str)):
        return json.dumps(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, Decimal):
        return _number(value, at)
    if isinstance(value, datetime):
        return json.dumps(time(value, at))
    if isinstance(value, date):
        return json.dumps(day(value))
    if isinstance(value, float):
        raise TypeError(f'{at} is a float, which has no exact digits: use Decimal("0.10") or an int')
    raise TypeError(f"{at}: {type(value).__name__} cannot be written as JSON")


def _number(value: Decimal, at: str) -> str:
    if not value.is_finite():
        raise ValueError(f"{at} must be a finite number")
    exponent = value.as_tuple().exponent
    if abs(value.adjusted()) > _LARGEST_EXPONENT or abs(int(exponent)) > _LARGEST_EXPONENT:
        raise ValueError(f"{at} has too many digits")
    return format(value, "f")


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
