"""The generated models, and their generator."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fineract_gateway import OperationEvent, UnreadableAnswer, models
from fineract_gateway._answer import read

PROJECT = Path(__file__).parents[1]
OPENAPI = PROJECT.parents[1] / "docs" / "openapi.json"
MODELS = PROJECT / "src" / "fineract_gateway" / "models.py"

sys.path.insert(0, str(PROJECT / "scripts"))
import generate_models  # noqa: E402


def test_the_models_are_those_of_the_api() -> None:
    if not OPENAPI.exists():
        pytest.skip("docs/openapi.json is not there")
    document = json.loads(OPENAPI.read_text(encoding="utf-8"))
    assert generate_models.Generator(document).generate() == MODELS.read_text(encoding="utf-8")


class Small(generate_models.Generator):
    """A generator of the answer of track only."""

    answers = {"Operation": "GET /track/{id} 200"}  # noqa: RUF012


def generate(schemas: dict[str, Any], track: dict[str, Any]) -> str:
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Every~1Request"}}}}
    answer = {"content": {"application/json; charset=utf-8": {"schema": track}}}
    document = {
        "paths": {
            "/fineract/operate/": {"post": {"requestBody": body}},
            "/track/{tracking-id}": {"get": {"responses": {"200": answer}}},
        },
        "components": {"schemas": schemas},
    }
    return Small(document).generate()


def test_names_follow_from_types_and_routes_and_not_from_schemas() -> None:
    text = generate(
        {
            "Every/Request": {
                "oneOf": [{"$ref": "#/components/schemas/odd.name-1"}, {"$ref": "#/components/schemas/Odd2"}],
                "discriminator": {"mapping": {"LOAN_DELETE": "#/components/schemas/Odd2"}},
            },
            "odd.name-1": {
                "description": "Repays.\n\nMore about it.",
                "allOf": [
                    {"properties": {"status": {"const": "LOAN_REPAYMENT"}}},
                    {"properties": {"data": {"$ref": "#/components/schemas/Data"}}},
                ],
            },
            "Odd2": {
                "properties": {
                    "status": {"type": "string"},
                    "data": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
                }
            },
            "Data": {
                "required": ["amount"],
                "properties": {
                    "amount": {"type": "number", "description": "How   much."},
                    "day": {"type": ["string", "null"], "pattern": "^.. (January|February) ....$"},
                    "until": {"$ref": "#/components/schemas/Time", "description": "Until when."},
                    "kind": {"enum": ["a", "b", None]},
                    "parts": {"type": "array", "items": {"properties": {"count": {"type": "integer"}}}},
                },
                "anyOf": [
                    {"required": ["day"], "properties": {"day": {"not": {"type": "null"}}}},
                    {"required": ["until"], "properties": {"until": {"not": {"type": "null"}}}},
                ],
            },
            "Time": {"type": "string", "format": "date-time", "description": "A time."},
            "Base": {"required": ["id"], "properties": {"id": {"type": "string"}}},
            "Ended": {
                "$ref": "#/components/schemas/Base",
                "required": ["state", "money"],
                "properties": {
                    "state": {"enum": ["done"]},
                    "money": {"oneOf": [{"type": "null"}, {"type": "number"}]},
                    "free": True,
                    "parts": {"type": "array", "items": {"type": "object"}},
                },
            },
        },
        {
            "oneOf": [
                {"$ref": "#/components/schemas/Ended"},
                {"required": ["id", "state"], "properties": {"id": {"type": "string"}, "state": {"const": "open"}}},
            ]
        },
    )
    classes = text.split("\n\n\n", 1)[1]
    assert classes == (
        'OperationType = Literal[\n    "LOAN_REPAYMENT",\n    "LOAN_DELETE",\n]\n\n\n'
        'class LoanRepayment(TypedDict):\n    """Repays."""\n\n    # How much.\n    amount: Decimal | int\n'
        "    day: NotRequired[str | date | None]\n    # Until when.\n    until: NotRequired[str | datetime]\n"
        '    kind: NotRequired[Literal["a", "b"] | None]\n'
        "    parts: NotRequired[list[LoanRepaymentParts]]\n\n\n"
        "class LoanRepaymentParts(TypedDict):\n    count: NotRequired[int]\n\n\n"
        "class LoanDelete(TypedDict):\n    id: str\n\n\n"
        "@dataclass(frozen=True, kw_only=True, repr=False)\nclass Operation(Answer):\n    id: str\n"
        '    state: Literal["done", "open"]\n'
        "    money: Decimal | None = None\n    free: Any = None\n    parts: list[Any] | None = None\n"
    )


def test_an_answer_may_have_more_than_is_known_but_not_less() -> None:
    account = {
        "loan_id": 1,
        "account_no": None,
        "external_id": "L-1",
        "status": "Active",
        "currency": "INR",
        "principal_disbursed": 100,
        "principal_outstanding": Decimal("99.50"),
        "total_outstanding": None,
    }
    found = read(models.Account, {**account, "new": 1})
    assert isinstance(found.principal_disbursed, Decimal)
    assert found.principal_disbursed == 100
    assert str(found.principal_outstanding) == "99.50"
    del account["currency"]
    with pytest.raises(UnreadableAnswer, match="Account lacks currency"):
        read(models.Account, account)


def test_the_text_of_an_answer_shows_ids_and_states_only() -> None:
    operation = models.Operation(tracking_id="LOAN_DELETE|1", status="failed", failure_response={"name": "Asha"})
    assert repr(operation) == "Operation(tracking_id='LOAN_DELETE|1', status='failed')"
    event = OperationEvent(type="operation.failed", timestamp="t", data={"name": "Asha"}, number=7, operation=operation)
    assert repr(event) == f"OperationEvent(type='operation.failed', number=7, operation={operation!r})"
