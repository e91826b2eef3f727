"""Compares `verify_webhook` with the official library of Standard Webhooks."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook

from fineract_gateway import Event, InvalidSignature, OperationEvent, verify_webhook

SECRET = "whsec_" + b64encode(bytes(range(32))).decode()
OLD_SECRET = "whsec_" + b64encode(bytes(range(32, 64))).decode()
NOW = datetime.now(timezone.utc)
BODY = json.dumps(
    {
        "type": "operation.failed",
        "timestamp": "2026-11-28T23:34:34.839368Z",
        "data": {"tracking_id": "LOAN_DELETE|1", "status": "failed", "error_message": "Cancelled: ₹100.10"},
    },
    ensure_ascii=False,
)


def signed(body: str = BODY, at: datetime = NOW, secret: str = SECRET) -> dict[str, str]:
    """The headers, with a signature of the official library."""
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", at, body),
    }


def test_what_the_official_library_signs_is_accepted() -> None:
    payloads: list[bytes | str] = [BODY, BODY.encode()]
    for payload in payloads:
        event = verify_webhook(payload, signed(), SECRET)
        assert isinstance(event, OperationEvent)
        assert (event.id, event.type, event.number) == ("msg_1", "operation.failed", None)
        assert event.operation is not None
        assert event.operation.error_message == "Cancelled: ₹100.10"
    Webhook(SECRET).verify(BODY, signed())


def test_ids_only_and_unknown_types_are_events_too() -> None:
    thin = json.dumps({"type": "operation.parked", "timestamp": "t", "data": {"tracking_id": "LOAN_DELETE|1"}})
    event = verify_webhook(thin, signed(thin), SECRET)
    assert isinstance(event, OperationEvent)
    assert event.operation is None
    assert event.data == {"tracking_id": "LOAN_DELETE|1"}
    other = json.dumps({"type": "webhook.disabled", "timestamp": "t", "data": {}})
    assert type(verify_webhook(other, signed(other), SECRET)) is Event


def test_names_of_headers_are_case_insensitive() -> None:
    verify_webhook(BODY, {name.title(): value for name, value in signed().items()}, SECRET)


def test_one_of_several_secrets_and_signatures_is_enough() -> None:
    verify_webhook(BODY, signed(secret=OLD_SECRET), [SECRET, OLD_SECRET])
    both = f"{signed()['webhook-signature']} v1a,other {signed(secret=OLD_SECRET)['webhook-signature']}"
    verify_webhook(BODY, {**signed(), "webhook-signature": both}, OLD_SECRET)
    verify_webhook(BODY, signed(), SECRET.removeprefix("whsec_"))


@pytest.mark.parametrize(("seconds", "is_accepted"), [(-310, False), (-290, True), (290, True), (310, False)])
def test_clocks_may_differ_by_five_minutes(seconds: int, is_accepted: bool) -> None:
    headers = signed(at=datetime.now(timezone.utc) + timedelta(seconds=seconds))
    if is_accepted:
        verify_webhook(BODY, headers, SECRET)
    else:
        with pytest.raises(InvalidSignature, match="webhook-timestamp"):
            verify_webhook(BODY, headers, SECRET)


SIGNATURE = signed()["webhook-signature"]


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-id": "\udcff"},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
        {"webhook-timestamp": f"{int(NOW.timestamp())}.0"},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "²"},
        {"webhook-timestamp": "٣" * 10},
        {"webhook-timestamp": "9" * 5000},
        {"webhook-signature": ""},
        {"webhook-signature": SIGNATURE[:-1]},
        {"webhook-signature": SIGNATURE.removeprefix("v1,")},
        {"webhook-signature": SIGNATURE.replace("v1,", "v2,")},
        {"webhook-signature": SIGNATURE.replace(",", " ")},
        {"webhook-signature": "v1,é\udcff"},
        {"webhook-signature": signed(secret=OLD_SECRET)["webhook-signature"]},
        {"webhook-signature": signed(BODY + " ")["webhook-signature"]},
    ],
)
def test_anything_else_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(InvalidSignature):
        verify_webhook(BODY, {**signed(), **change}, SECRET)


def test_missing_headers_are_refused() -> None:
    for name in signed():
        with pytest.raises(InvalidSignature):
            verify_webhook(BODY, {key: value for key, value in signed().items() if key != name}, SECRET)
    with pytest.raises(InvalidSignature):
        verify_webhook(BODY, signed(), [])


def test_a_signed_body_that_is_not_json_is_refused() -> None:
    with pytest.raises(InvalidSignature, match="not JSON"):
        verify_webhook("?", signed("?"), SECRET)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%%", "whsec_secret-with-dashes"])
def test_a_malformed_secret_is_a_mistake_of_the_receiver(secret: str) -> None:
    with pytest.raises(ValueError, match=r"^a secret must be whsec_ and base64$"):
        verify_webhook(BODY, signed(), secret)
