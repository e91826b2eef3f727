"""Both clients against a scripted server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from fineract_gateway import (
    BatchEvent,
    Client,
    Event,
    EventsDeleted,
    KeyReused,
    NoAnswer,
    OperationEvent,
    OperationFailed,
    Problem,
    Retry,
    Timeout,
    Unavailable,
    UnreadableAnswer,
    models,
)

from .conftest import BULK, TOKEN, Connect
from .scripted import DROP, Reply, ScriptedServer

ID = "LOAN_DISBURSE|01a1fdee-e493-720d-b85c-5d15dd1f0355"
PATH = "/api/v1/fineract/track/LOAN_DISBURSE%7C01a1fdee-e493-720d-b85c-5d15dd1f0355"
PROCESSING = {"tracking_id": ID, "status": "processing"}
UNAVAILABLE = Reply(503, {"code": "database_unavailable"}, {"Retry-After": "0"})
DATA: models.LoanDisburse = {
    "external_loan_id": "LOAN-123",
    "actualDisbursementDate": date(2026, 1, 11),
    "transactionAmount": Decimal("100000.10"),
}


def ended(status: str, **more: Any) -> dict[str, Any]:
    nothing = {"success_response": None, "failure_response": None, "error_message": None}
    return {**PROCESSING, "operation_type": "LOAN_DISBURSE", "status": status, **nothing, **more}


def test_each_try_of_a_submit_has_the_same_key_and_body(client: Client, server: ScriptedServer) -> None:
    server.script(UNAVAILABLE, DROP, Reply(429), Reply(202, PROCESSING))
    operation = client.submit("LOAN_DISBURSE", DATA, expires_at=datetime(2026, 2, 1, tzinfo=timezone.utc))
    assert operation.tracking_id == ID
    assert operation.status == "processing"
    assert len(server.asked) == 4
    first = server.asked[0]
    assert (first.method, first.path) == ("POST", "/api/v1/fineract/operate")
    assert first.headers["x-internal-token"] == TOKEN
    assert first.body == (
        b'{"status":"LOAN_DISBURSE","data":{"external_loan_id":"LOAN-123","actualDisbursementDate":"11 January 2026",'
        b'"transactionAmount":100000.10},"expires_at":"2026-02-01T00:00:00+00:00"}'
    )
    for other in server.asked[1:]:
        assert other.body == first.body
        assert other.headers["idempotency-key"] == first.headers["idempotency-key"]
    client.submit("LOAN_DISBURSE", DATA)
    assert server.asked[-1].headers["idempotency-key"] != first.headers["idempotency-key"]


def test_a_caller_may_choose_the_key(client: Client, server: ScriptedServer) -> None:
    server.script(Reply(200, ended("success", success_response={"loanId": 7})))
    operation = client.submit("LOAN_DISBURSE", DATA, idempotency_key="order-1", wait=100)
    assert operation.success_response == {"loanId": 7}
    assert server.asked[0].headers["idempotency-key"] == "order-1"
    # No more than the gateway waits.
    assert server.asked[0].headers["prefer"] == "wait=50"
    for key in ["", "a b", "schlüssel", "k" * 256, "a\nb"]:
        with pytest.raises(ValueError, match="idempotency_key") as caught:
            client.submit("LOAN_DISBURSE", DATA, idempotency_key=key)
        assert not key or key not in str(caught.value)


def test_a_submit_that_fails_tells_its_key(connect: Connect, server: ScriptedServer) -> None:
    impatient = connect(server.url, token=TOKEN, retry=Retry(total=0))
    server.script(UNAVAILABLE)
    with pytest.raises(Unavailable) as unavailable:
        impatient.submit("LOAN_DISBURSE", DATA)
    assert unavailable.value.idempotency_key == server.asked[0].headers["idempotency-key"]
    server.script(DROP)
    with pytest.raises(NoAnswer) as lost:
        impatient.submit("LOAN_DISBURSE", DATA, idempotency_key="mine")
    assert lost.value.idempotency_key == "mine"
    server.script(Reply(422, {"code": "idempotency_key_reused"}))
    with pytest.raises(KeyReused):
        impatient.submit("LOAN_DISBURSE", DATA, idempotency_key="mine")


def test_a_wait_ends_with_the_operation(client: Client, server: ScriptedServer) -> None:
    # Track answers in this form while the database is unavailable.
    unavailable = Reply(503, PROCESSING, {"Retry-After": "0"})
    server.script(Reply(202, PROCESSING), unavailable, Reply(200, ended("success")))
    assert client.submit_and_wait("LOAN_DISBURSE", DATA).status == "success"
    assert [asked.path for asked in server.asked[1:]] == [PATH, PATH]
    assert [asked.headers["prefer"] for asked in server.asked] == ["wait=25"] * 3


def test_a_failed_operation_is_an_error_with_the_answer_of_fineract(client: Client, server: ScriptedServer) -> None:
    answer = {"httpStatusCode": "403", "errors": [{"defaultUserMessage": "exceeds 100000.10"}]}
    failed = ended("failed", failure_response=answer, error_message="Fineract returned 403")
    server.script(Reply(202, failed))
    with pytest.raises(OperationFailed) as caught:
        client.submit_and_wait("LOAN_DISBURSE", DATA)
    assert caught.value.failure_response == answer
    assert str(caught.value) == f"{ID} failed: Fineract returned 403"
    with pytest.raises(OperationFailed):
        client.wait_for(ID)
    # Track only reports it.
    assert client.track(ID).failure_response == answer


def test_a_wait_ends_after_its_timeout(client: Client, server: ScriptedServer) -> None:
    server.script(Reply(202, PROCESSING))
    with pytest.raises(Timeout) as caught:
        client.submit_and_wait("LOAN_DISBURSE", DATA, timeout=0.05)
    assert caught.value.name == ID
    server.script(Reply(503, PROCESSING, {"Retry-After": "1"}))
    with pytest.raises(Timeout) as caught:
        client.wait_for(ID, timeout=0.05)
    assert isinstance(caught.value.__cause__, Unavailable)


def test_many_operations_are_tracked_in_parts(client: Client, server: ScriptedServer) -> None:
    def part(name: str) -> Reply:
        return Reply(200, {"operations": [{**PROCESSING, "tracking_id": name}], "unknown": [f"not {name}"]})

    server.script(part("a"), part("b"), part("c"))
    found = client.track_many(f"{ID}{number}" for number in range(1001))
    assert [len(asked.json()["tracking_ids"]) for asked in server.asked] == [500, 500, 1]
    assert [operation.tracking_id for operation in found.operations] == ["a", "b", "c"]
    assert found.unknown == ["not a", "not b", "not c"]
    server.script(Reply(500))
    assert client.track_many([]).operations == []
    assert server.asked == []


def test_events_are_read_page_by_page(client: Client, server: ScriptedServer) -> None:
    def written(number: int, kind: str, data: object) -> dict[str, object]:
        return {"number": number, "type": kind, "timestamp": "2026-11-28T23:34:34.839368Z", "data": data}

    summary = {"total": 1, "ready": 0, "in_progress": 0, "completed": 1, "failed": 0}
    batch = {"reference_id": "r", "batch_id": "b", "batch_status": "COMPLETED", "summary": summary, "metadata": {}}
    first = [written(3, "operation.succeeded", ended("success")), written(5, "operation.failed", None)]
    second = [written(8, "batch.completed", batch), written(9, "loan.exploded", {"new": True})]
    server.script(
        Reply(200, {"events": first, "next": 5, "has_more": True}),
        Reply(200, {"events": [], "next": 7, "has_more": False}),
        Reply(200, {"events": second, "next": 9, "has_more": False}),
        Reply(410, {"code": "events_deleted", "detail": "deleted", "oldest": 1795908874840819}),
    )
    found: list[Event] = []
    with pytest.raises(EventsDeleted) as caught:
        found.extend(client.events(after=1, wait=0))
    assert caught.value.oldest == 1795908874840819
    succeeded, failed, completed, unknown = found
    assert isinstance(succeeded, OperationEvent)
    assert succeeded.operation is not None
    assert succeeded.operation.status == "success"
    assert isinstance(failed, OperationEvent)
    assert failed.operation is None
    assert isinstance(completed, BatchEvent)
    assert completed.batch is not None
    assert completed.batch.summary.completed == 1
    assert type(unknown) is Event
    assert unknown.data == {"new": True}
    assert [each.number for each in found] == [3, 5, 8, 9]
    afters = [asked.path.split("after=")[1] for asked in server.asked]
    assert afters == ["1", "5", "7", "9"]


def test_a_retry_of_a_batch_is_not_repeated(client: Client, server: ScriptedServer) -> None:
    for lost in [DROP, UNAVAILABLE]:
        server.script(lost)
        with pytest.raises((NoAnswer, Unavailable)):
            client.bulk.retry("r")
        assert len(server.asked) == 1
    assert server.asked[0].headers["client_secret"] == BULK.client_secret
    assert server.asked[0].headers["organisationid"] == BULK.organisation_id


def test_an_upload_is_repeated(client: Client, server: ScriptedServer) -> None:
    summary = {"total": 1, "ready": 1, "in_progress": 0, "completed": 0, "failed": 0}
    batch = {"reference_id": "r", "batch_id": "b", "batch_status": "READY", "summary": summary}
    server.script(DROP, UNAVAILABLE, Reply(202, batch))
    found = client.bulk.submit("r", [{"status": "LOAN_DISBURSE", "data": DATA}], accept_valid=True)
    assert found.summary.ready == 1
    assert server.asked[0].body == server.asked[2].body
    assert server.asked[2].json()["accept"] == "valid"
    server.script(DROP, Reply(202, batch))
    client.bulk.submit_csv("r 1", "status,externalId\n", file_name="ä.csv")
    assert server.asked[1].path == "/api/v1/bulk/schedule?reference_id=r+1&file_name=%C3%A4.csv"
    assert server.asked[1].headers["content-type"] == "text/csv; charset=utf-8"
    assert server.asked[1].body == b"status,externalId\n"


def page_of_batch(number: int, has_next: bool, status: str = "READY") -> Reply:
    """A page of a batch with two rows."""
    config = {"fiDataRangeFrom": None, "fiDataRangeTo": None, "configId": None}
    times = {"submitted_at": "t", "last_updated_at": "t"}
    row = {"id": number, "consent_id": None, "status": status, "session_id": None, "error": None}
    place = {"page": number, "limit": 1000, "total": 2, "total_pages": 2, "has_next": has_next, "has_prev": False}
    data = {
        "reference_id": "r",
        "batch_id": "b",
        "batch_status": status,
        "summary": {"total": 2, "ready": 2, "in_progress": 0, "completed": 0, "failed": 0, "archived": 0},
        "metadata": {"file_name": None, "progress_percentage": 0, "global_config": config, **times},
        "pagination": place,
        "records": [{**row, "retry_eligible": None}],
    }
    return Reply(200, {"data": data})


def test_a_batch_whose_data_was_dropped_has_ended(client: Client, server: ScriptedServer) -> None:
    server.script(page_of_batch(1, False), page_of_batch(1, False, "ARCHIVED"))
    assert client.bulk.wait_for("r", timeout=5.0).batch_status == "ARCHIVED"


def test_all_rows_of_a_batch_are_read_page_by_page(client: Client, server: ScriptedServer) -> None:
    server.script(page_of_batch(1, True), page_of_batch(2, False))
    assert [record.id for record in client.bulk.records("r", status=["READY"])] == [1, 2]
    assert [asked.json()["page"] for asked in server.asked] == [1, 2]
    assert server.asked[1].json()["filters"] == {"status": ["READY"]}


def test_a_redirect_is_not_followed(client: Client, server: ScriptedServer) -> None:
    server.script(Reply(302, {}, {"Location": "http://127.0.0.1:1/"}))
    with pytest.raises(Problem, match="302 http_302"):
        client.track(ID)
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", [b"<html>", [], {"status": "success"}, {"tracking_id": 1}])
def test_an_answer_of_something_else_is_an_error(client: Client, server: ScriptedServer, body: object) -> None:
    server.script(Reply(200, body))
    with pytest.raises(UnreadableAnswer):
        client.track(ID)
    with pytest.raises(UnreadableAnswer):
        client.bulk.status("r")
    with pytest.raises(UnreadableAnswer):
        client.read_events()


def test_a_call_without_its_credentials_is_refused(connect: Connect, server: ScriptedServer) -> None:
    nobody = connect(server.url)
    calls: list[Callable[[], object]] = [
        lambda: nobody.track(ID),
        lambda: nobody.bulk.status("r"),
        lambda: nobody.transaction(ID),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="this call needs"):
            call()
    assert server.asked == []
