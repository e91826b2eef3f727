from __future__ import annotations

import json
from collections import OrderedDict
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, localcontext

import pytest

from fineract_gateway import day
from fineract_gateway._json import decode, encode


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("100000.10"), "100000.10"),
        (Decimal("100000.000000"), "100000.000000"),
        (Decimal("1E+5"), "100000"),
        (Decimal("1.250E+2"), "125.0"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("-0.10"), "-0.10"),
        (Decimal("9999999999999999999.99"), "9999999999999999999.99"),
        (Decimal("0.1234567890123456789012345678901234567890"), "0.1234567890123456789012345678901234567890"),
        (12345678901234567890, "12345678901234567890"),
        (True, "true"),
        (None, "null"),
        ("00123", '"00123"'),
        ('ऋण\n"\\', json.dumps('ऋण\n"\\')),
        (date(2026, 1, 1), '"01 January 2026"'),
        (datetime(2026, 2, 12, 18, tzinfo=timezone(timedelta(hours=5.5))), '"2026-02-12T12:30:00+00:00"'),
        ([], "[]"),
        ({}, "{}"),
        ((1, [2, {"a": Decimal("3.0")}]), '[1,[2,{"a":3.0}]]'),
        (OrderedDict(b=1, a=[{}]), '{"b":1,"a":[{}]}'),
    ],
)
def test_a_value_is_written_with_exactly_its_digits(value: object, written: str) -> None:
    # The precision of the caller's context must not matter.
    with localcontext() as context:
        context.prec = 3
        assert encode(value).decode() == written


@pytest.mark.parametrize(
    ("value", "error", "place"),
    [
        (8.3, TypeError, "/data/0/amount"),
        (Decimal("NaN"), ValueError, "/data/0/amount"),
        (Decimal("Infinity"), ValueError, "/data/0/amount"),
        (Decimal("1E+999999"), ValueError, "/data/0/amount"),
        (Decimal("1E-999999"), ValueError, "/data/0/amount"),
        (datetime(2026, 1, 1), ValueError, "/data/0/amount"),
        ({"secret value"}, TypeError, "/data/0/amount"),
        (b"secret value", TypeError, "/data/0/amount"),
        ({1: "secret value"}, TypeError, "/data/0/amount"),
    ],
)
def test_what_has_no_exact_form_is_refused_with_its_place_and_without_the_value(
    value: object, error: type[Exception], place: str
) -> None:
    with pytest.raises(error) as caught:
        encode({"data": [{"amount": value}]})
    assert place in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "8.3" not in str(caught.value)


def test_numbers_are_read_with_exactly_their_digits() -> None:
    read = decode('{"a": 100000.10, "b": 1e2, "c": 12, "d": 0.1000}')
    assert str(read) == "{'a': Decimal('100000.10'), 'b': Decimal('1E+2'), 'c': 12, 'd': Decimal('0.1000')}"


@pytest.mark.parametrize("content", [b"", b"<html>secret", b"NaN", b"\xff", b"[" * 100_000, b"1e99999999999999999999"])
def test_broken_json_is_an_error_without_the_document(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not valid JSON$") as caught:
        decode(content)
    assert caught.value.__suppress_context__


def test_a_day_does_not_depend_on_the_locale() -> None:
    assert day(date(2026, 9, 3)) == "03 September 2026"
