"""Errors of each part of the API, and that nothing secret is in them."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Callable

import httpx
import pytest

from fineract_gateway import (
    Client,
    FieldError,
    GatewayError,
    InvalidRequest,
    KeyReused,
    NotFound,
    Operation,
    OperationFailed,
    Problem,
    Retry,
    Timeout,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from fineract_gateway._json import encode
from fineract_gateway.errors import problem_of

from .conftest import API_KEY, BULK, TOKEN, Connect
from .scripted import Reply, ScriptedServer

OPERATE = {
    "type": "urn:problem-type:fineract-gateway:invalid_request",
    "status": 422,
    "detail": "The request is not valid; errors lists all problems.",
    "code": "invalid_request",
    "request_id": "r-1",
    "errors": [{"pointer": "/data/principal", "code": "out_of_range", "message": "must be above zero"}],
}
BULK_ERROR = {
    "ver": "1.0",
    "txnid": "r-2",
    "errorCode": "InvalidRequest",
    "errorMsg": "The request is not valid; errors lists the problems.",
    "errors": [{"row": 3, "line": 5, "pointer": "/data/note", "code": "too_long", "message": "must be shorter"}],
    "errorsNotListed": 7,
}
TRANSACTION = {
    "error": {"code": "rate_limit_exceeded", "message": "Too many requests", "type": "rate_limit_error"},
    "request_id": "r-3",
}


def problem(status: int, body: object) -> Problem:
    content = body if isinstance(body, bytes) else encode(body)
    return problem_of(httpx.Response(status, headers={"x-request-id": "header"}, content=content))


def test_an_error_of_each_part_of_the_api_is_read() -> None:
    of_operate = problem(422, OPERATE)
    assert isinstance(of_operate, InvalidRequest)
    assert of_operate.errors == (FieldError("/data/principal", "out_of_range", "must be above zero"),)
    assert str(of_operate) == (
        "422 invalid_request: The request is not valid; errors lists all problems. "
        "[/data/principal: out_of_range] (request_id r-1)"
    )
    of_bulk = problem(422, BULK_ERROR)
    assert isinstance(of_bulk, InvalidRequest)
    assert (of_bulk.code, of_bulk.request_id, of_bulk.errors_not_listed) == ("InvalidRequest", "r-2", 7)
    assert of_bulk.errors == (FieldError("/data/note", "too_long", "must be shorter", row=3, line=5),)
    of_transactions = problem(429, TRANSACTION)
    assert isinstance(of_transactions, TooManyRequests)
    assert of_transactions.detail == "Too many requests"
    assert of_transactions.request_id == "r-3"


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (401, {"code": "unauthorized"}, Unauthorized, "unauthorized"),
        (404, {"errorCode": "BatchNotFound"}, NotFound, "BatchNotFound"),
        (409, {"errorCode": "ReferenceIdReused"}, KeyReused, "ReferenceIdReused"),
        (413, {"code": "body_too_large"}, Problem, "body_too_large"),
        (502, b"<html>Bad Gateway", Unavailable, "http_502"),
        (503, {"tracking_id": "x", "status": "processing"}, Unavailable, "http_503"),
        (400, [1], Problem, "http_400"),
        (422, {"code": 1, "errors": ["?", {"pointer": 2}]}, InvalidRequest, "http_422"),
    ],
)
def test_the_class_follows_from_code_and_status(status: int, body: object, kind: type[Problem], code: str) -> None:
    found = problem(status, body)
    assert type(found) is kind
    assert found.code == code
    assert found.request_id == "header"


FAILED = Operation(tracking_id="LOAN_DELETE|1", status="failed", error_message="Fineract returned 403")


@pytest.mark.parametrize("error", [problem(422, BULK_ERROR), OperationFailed(FAILED), Timeout("LOAN_DELETE|1", 2.5)])
def test_errors_can_be_sent_to_another_process(error: GatewayError) -> None:
    error.idempotency_key = "key"
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


SECRETS = [TOKEN, API_KEY, *vars(BULK).values()]
PERSONAL = ["Asha", "9966999999", "100000.10"]


def test_no_secret_and_no_payload_is_in_an_error_or_a_log(
    connect: Connect, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = connect(
        server.url, token=TOKEN, api_key=API_KEY, bulk_credentials=BULK, retry=Retry(total=0.2, first_pause=0.1)
    )
    data = {"firstname": "Asha", "mobileNo": "9966999999", "principal": "100000.10"}
    texts = [repr(client), repr(client.bulk), repr(BULK)]
    answers = [Reply(503, {**data, "detail": "no"}), Reply(422, OPERATE), Reply(200, b"<html>Asha"), None]
    for answer in answers:
        server.script(answer)
        calls: list[Callable[[], object]] = [
            lambda: client.submit("CLIENT_CREATE", data),
            lambda: client.bulk.submit("r", [{"status": "CLIENT_CREATE", "data": data}]),
            lambda: client.transaction("1"),
        ]
        for call in calls:
            with pytest.raises(GatewayError) as caught:
                call()
            texts += [*traceback.format_exception(caught.type, caught.value, caught.tb), repr(caught.value)]
    failed = {
        "tracking_id": "LOAN_DELETE|1",
        "status": "failed",
        "failure_response": data,
        "error_message": "Fineract returned 403",
    }
    server.script(Reply(200, failed))
    with pytest.raises(OperationFailed) as operation_failed:
        client.submit_and_wait("CLIENT_CREATE", data)
    texts += [str(operation_failed.value), repr(operation_failed.value)]
    assert operation_failed.value.failure_response == data
    assert "trying again" in caplog.text
    for text in [*texts, caplog.text]:
        for secret in [*SECRETS, *PERSONAL]:
            assert secret not in text


@pytest.mark.parametrize("name", ["token", "api_key"])
@pytest.mark.parametrize("value", ["", "se cret", "secret\n", "sécret", "secret\x7f"])
def test_a_credential_that_no_header_can_carry_is_refused_without_showing_it(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name) as caught:
        Client("http://localhost", **{name: value})  # type: ignore[arg-type]
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["localhost:8080", "ftp://host", "http://", "http://user:secret@host", "http://host/?a"]
)
def test_a_wrong_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base_url") as caught:
        Client(url)
    assert "secret" not in str(caught.value)
