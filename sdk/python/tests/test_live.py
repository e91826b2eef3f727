"""Both clients against a real gateway, with the sandbox as Fineract."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import islice
from uuid import uuid4

import httpx
import pytest

from fineract_gateway import (
    AsyncClient,
    BatchEvent,
    BatchRow,
    Client,
    InvalidRequest,
    KeyReused,
    NotFound,
    OperationEvent,
    OperationFailed,
    OperationType,
    Timeout,
    Unauthorized,
    models,
)

from .conftest import Connect
from .live import API_KEY, BULK, TOKEN, Gateway

DAY = date(2026, 1, 11)


@pytest.fixture
def client(connect: Connect, gateway: Gateway) -> Client:
    return connect(gateway.url, token=TOKEN, api_key=API_KEY, bulk_credentials=BULK)


@pytest.fixture
def name() -> str:
    """A part of external ids that no other test uses."""
    return uuid4().hex[:12]


def client_create(name: str) -> models.ClientCreate:
    return {"externalId": f"C-{name}", "firstname": "Asha", "lastname": "ऋण", "activationDate": DAY}


def loan_create(name: str, principal: Decimal = Decimal("100000.10")) -> models.LoanCreate:
    return {
        "externalId": f"L-{name}",
        "clientId": f"C-{name}",
        "lenderConfig": "UGRO",
        "principal": principal,
        "submittedOnDate": DAY,
        "loanTermFrequency": 12,
        "numberOfRepayments": 12,
        "interestRatePerPeriod": Decimal("8.3"),
    }


def loan(name: str) -> list[tuple[OperationType, models.ClientCreate | models.LoanCreate | models.LoanApprove]]:
    approve: models.LoanApprove = {"external_loan_id": f"L-{name}", "approvedOnDate": DAY}
    return [("CLIENT_CREATE", client_create(name)), ("LOAN_CREATE", loan_create(name)), ("LOAN_APPROVE", approve)]


def disburse(name: str) -> models.LoanDisburse:
    return {
        "external_loan_id": f"L-{name}",
        "actualDisbursementDate": DAY,
        "transactionAmount": Decimal("100000.10"),
        "utr_payment_id": f"UTR-{name}",
    }


def test_a_loan_from_its_client_to_its_transaction(client: Client, gateway: Gateway, name: str) -> None:
    ids = [client.submit(kind, data).tracking_id for kind, data in loan(name)]
    paid = client.submit_and_wait("LOAN_DISBURSE", disburse(name), idempotency_key=name)
    assert paid.status == "success"
    assert paid.success_response["resourceId"] > 0
    assert ("DISBURSE", Decimal("100000.10")) in gateway.effects(f"L-{name}")
    found = client.track_many([*ids, f"LOAN_DELETE|{uuid4()}"])
    assert [operation.tracking_id for operation in found.operations] == ids
    assert {operation.status for operation in found.operations} == {"success"}
    assert len(found.unknown) == 1
    transaction = client.transaction(paid.tracking_id)
    assert (transaction.operation_type, transaction.status) == ("withdrawal", "success")
    assert str(transaction.amount) == "100000.10"
    assert transaction.completion_details is not None
    assert transaction.completion_details.reference_number == f"UTR-{name}"
    assert transaction.transfer_details is not None
    # The same key with the same data is the same operation.
    assert client.submit("LOAN_DISBURSE", disburse(name), idempotency_key=name).tracking_id == paid.tracking_id
    with pytest.raises(KeyReused):
        client.submit("LOAN_DELETE", {"external_loan_id": f"L-{name}"}, idempotency_key=name)


def test_a_refusal_of_fineract_is_an_error_with_its_answer(client: Client, name: str) -> None:
    with pytest.raises(OperationFailed) as caught:
        client.submit_and_wait("LOAN_CREATE", {**loan_create(name), "clientId": f"nobody-{name}"})
    assert caught.value.operation.error_message is not None
    for kind, data in loan(name):
        client.submit_and_wait(kind, data)
    with pytest.raises(OperationFailed, match="Fineract returned 400") as refused:
        client.submit_and_wait("LOAN_APPROVE", {"external_loan_id": f"L-{name}", "approvedOnDate": DAY})
    assert refused.value.failure_response["httpStatusCode"] == "400"


def test_invalid_requests_are_errors_with_all_problems(client: Client, connect: Connect, gateway: Gateway) -> None:
    with pytest.raises(InvalidRequest) as caught:
        client.submit("LOAN_DISBURSE", {"external_loan_id": "", "transactionAmount": Decimal("1.001")})
    assert {error.pointer for error in caught.value.errors} == {
        "/data/external_loan_id",
        "/data/actualDisbursementDate",
        "/data/transactionAmount",
    }
    assert caught.value.request_id
    with pytest.raises(NotFound):
        client.track(f"LOAN_DELETE|{uuid4()}")
    with pytest.raises(NotFound, match="transaction_not_found"):
        client.transaction(str(uuid4()))
    with pytest.raises(NotFound, match="BatchNotFound"):
        client.bulk.status("nothing")
    stranger = connect(
        gateway.url, token="wrong", api_key="wrong", bulk_credentials=replace(BULK, client_secret="wrong")
    )
    calls: list[Callable[[], object]] = [
        lambda: stranger.track("LOAN_DELETE|1"),
        lambda: stranger.transaction("1"),
        lambda: stranger.bulk.status("r"),
        lambda: stranger.bulk.read_events(),
        lambda: stranger.read_events(),
    ]
    for call in calls:
        with pytest.raises(Unauthorized):
            call()


def test_an_operation_may_expire(client: Client, name: str) -> None:
    past = datetime.now(timezone.utc) - timedelta(hours=1)
    with pytest.raises(OperationFailed):
        client.submit_and_wait("CLIENT_CREATE", client_create(name), expires_at=past)


def test_events_tell_what_has_ended(client: Client, name: str) -> None:
    cursor = None
    while (page := client.read_events(cursor, limit=500)).has_more:
        cursor = page.next
    cursor = page.next
    first = client.submit("CLIENT_CREATE", client_create(name))
    second = client.submit("LOAN_CREATE", {**loan_create(name), "lenderConfig": "DMI"})
    events = list(islice(client.events(after=cursor, wait=5), 2))
    for event, sent in zip(events, [first, second], strict=True):
        assert isinstance(event, OperationEvent)
        assert event.type == "operation.succeeded"
        assert event.operation == client.track(sent.tracking_id)
    again = next(iter(client.events(after=events[0].number)))
    assert again.number == events[1].number


def test_a_batch_is_watched_and_corrected(client: Client, name: str) -> None:
    rows: list[BatchRow] = [{"status": kind, "data": data} for kind, data in loan(name)]
    rows[1]["data"] = loan_create(name, Decimal("1.00"))
    rows.append({"status": "LOAN_DISBURSE", "data": disburse(name), "consent_id": f"pay-{name}"})
    batch = client.bulk.submit(name, rows, file_name="november.json", global_config={"configId": "c"})
    assert batch.summary.total == 4
    assert client.bulk.submit(name, rows, file_name="november.json", global_config={"configId": "c"}).batch_id == (
        batch.batch_id
    )
    with pytest.raises(KeyReused):
        client.bulk.submit(name, rows[:1])
    ended = client.bulk.wait_for(name, timeout=60)
    assert ended.batch_status == "FAILED"
    assert ended.metadata.file_name == "november.json"
    (failed,) = client.bulk.records(name, status=["FAILED"])
    assert (failed.id, failed.consent_id) == (4, f"pay-{name}")
    assert failed.error is not None
    cancelled = client.bulk.cancel(name)
    assert cancelled.cancelled == 0
    corrected: models.LoanDisburse = {**disburse(name), "transactionAmount": Decimal("1.00")}
    retried = client.bulk.retry(name, modifications=[{"id": 4, "data": corrected}])
    assert retried.taken == [4]
    assert client.bulk.wait_for(name, timeout=60).batch_status == "COMPLETED"
    page = client.bulk.status(name, search=f"pay-{name}", include_balances=True)
    (record,) = page.records
    assert record.account_details is not None
    assert str(record.account_details[0].principal_disbursed) in ("1.00", "1.000000")
    event = next(
        event
        for event in client.bulk.events()
        if isinstance(event, BatchEvent) and event.batch and event.batch.reference_id == name
    )
    assert event.type in ("batch.failed", "batch.completed")


def test_a_csv_is_sent_and_corrected(client: Client, name: str) -> None:
    header = "status,externalId,firstname,lastname,activationDate,mobileNo\n"
    csv = f"{header}CLIENT_CREATE,C-{name},Asha,ऋण,2026-01-11,\nCLIENT_CREATE,C-{name},Asha,ऋण,2026-01-11,\n"
    with pytest.raises(InvalidRequest) as caught:
        client.bulk.submit_csv(name, csv.replace("2026-01-11", "11/01/2026"))
    assert [(error.row, error.line) for error in caught.value.errors] == [(1, 2), (2, 3)]
    assert client.bulk.submit_csv(name, csv, file_name="clients.csv").summary.total == 2
    assert client.bulk.wait_for(name, timeout=60).summary.failed == 1
    (failed,) = client.bulk.records(name, status=["FAILED"])
    corrected = f"id,{header}{failed.id},CLIENT_CREATE,C2-{name},Asha,ऋण,2026-01-11,\n"
    refused = client.bulk.retry_csv(name, corrected)
    assert [row.code for row in refused.not_taken] == ["other_id"]
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    assert client.bulk.retry_csv(name, corrected, allow_other_ids=True, expires_at=later).taken == [failed.id]
    assert client.bulk.wait_for(name, timeout=60).batch_status == "COMPLETED"


class Losing(httpx.HTTPTransport):
    """A network that delivers requests, and loses the first answer."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        self.requests.append(request)
        if len(self.requests) == 1:
            response.read()
            response.close()
            raise httpx.ReadError("lost", request=request)
        return response


def test_a_submit_whose_answer_is_lost_happens_once(gateway: Gateway, name: str) -> None:
    network = Losing()
    with httpx.Client(transport=network) as http:
        client = Client(gateway.url, token=TOKEN, http=http)
        client.submit_and_wait("CLIENT_CREATE", client_create(name))
        assert len(network.requests) >= 2
    assert gateway.effects(f"C-{name}") == [("CREATE", None)]


def test_a_wait_outlives_a_gateway_that_is_killed(gateway: Gateway, name: str) -> None:
    with Client(gateway.url, token=TOKEN) as client, ThreadPoolExecutor() as threads:
        created = client.submit_and_wait("CLIENT_CREATE", client_create(name))
        gateway.kill()
        with pytest.raises(Timeout):
            client.wait_for(created.tracking_id, timeout=0.2)
        waiting = threads.submit(client.wait_for, created.tracking_id)
        submitting = threads.submit(client.submit_and_wait, "LOAN_CREATE", loan_create(name))
        gateway.start()
        assert waiting.result(timeout=60) == created
        assert submitting.result(timeout=60).status == "success"
    assert [action for action, _ in gateway.effects(f"L-{name}")] == ["CREATE"]


def test_many_async_submits_at_once(gateway: Gateway, name: str) -> None:
    async def run() -> list[str]:
        async with AsyncClient(gateway.url, token=TOKEN) as client:
            clients = [client_create(f"{name}-{number}") for number in range(20)]
            ended = await asyncio.gather(*(client.submit_and_wait("CLIENT_CREATE", each) for each in clients))
            return [operation.status for operation in ended]

    assert asyncio.run(run()) == ["success"] * 20
