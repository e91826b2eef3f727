"""The flows of batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from ._answer import read
from ._flow import Call, Flow, Pause, send
from ._json import encode, time
from ._operations import JSON
from ._settings import Settings
from .errors import NoAnswer, Timeout, TooManyRequests, Unavailable, UnreadableAnswer
from .models import Batch, BatchStatus, CancelledBatch, OperationType, RetriedBatch

if TYPE_CHECKING:
    from typing_extensions import NotRequired

CSV = {"Content-Type": "text/csv; charset=utf-8"}

# How long an upload may wait for others, and be checked.
UPLOAD_PATIENCE = 120.0
# How long the gateway may read balances.
BALANCES_PATIENCE = 5.0

# The pauses between two looks at a batch that has not ended.
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0
# The largest page of rows.
LARGEST_PAGE = 1_000

RowStatus = Literal["READY", "IN_PROGRESS", "COMPLETED", "FAILED", "ARCHIVED"]
RetryEligible = Literal["Yes", "YesWithModifications", "No"]


class BatchRow(TypedDict):
    """An operation of a batch."""

    status: OperationType
    data: Mapping[str, object]
    # Your own name for the row.
    consent_id: NotRequired[str]
    # The time until which the row may be sent.
    expires_at: NotRequired[datetime]


class Modification(TypedDict):
    """The complete new data of a row that is sent again."""

    id: int
    data: Mapping[str, object]
    # Only if the row had no known type.
    status: NotRequired[OperationType]
    expires_at: NotRequired[datetime]


def submit(
    settings: Settings,
    reference_id: str,
    rows: Iterable[BatchRow],
    file_name: str | None,
    global_config: Mapping[str, str] | None,
    accept_valid: bool,
) -> Flow[Batch]:
    body = {
        "reference_id": reference_id,
        "file_name": file_name,
        "global_config": global_config,
        "accept": "valid" if accept_valid else None,
        "operations": list(rows),
    }
    call = _upload(settings, "schedule", JSON, encode(_without_none(body)))
    return read(Batch, (yield from send(call, settings.retry)))


def submit_csv(
    settings: Settings,
    reference_id: str,
    csv: bytes | str,
    file_name: str | None,
    accept_valid: bool,
) -> Flow[Batch]:
    params = {
        "reference_id": reference_id,
        "file_name": file_name,
        "accept": "valid" if accept_valid else None,
    }
    call = _upload(settings, "schedule", CSV, _bytes(csv), _without_none(params))
    return read(Batch, (yield from send(call, settings.retry)))


def status(
    settings: Settings,
    reference_id: str,
    *,
    status: Sequence[RowStatus] | None = None,
    retry_eligible: RetryEligible | None = None,
    search: str | None = None,
    page: int = 1,
    limit: int = 100,
    include_balances: bool = False,
    deadline: float | None = None,
) -> Flow[BatchStatus]:
    filters: dict[str, object] = {
        "status": list(status) if status else None,
        "retry_eligible": retry_eligible,
        "search": search,
    }
    body = {
        "reference_id": reference_id,
        "filters": _without_none(filters),
        "page": page,
        "limit": limit,
        "include_balances": include_balances,
    }
    patience = BALANCES_PATIENCE if include_balances else 0.0
    headers = {**settings.bulk_headers(), **JSON}
    call = Call("POST", "/bulk/status", headers, encode(body), patience=patience)
    answer = yield from send(call, settings.retry, deadline)
    if not isinstance(answer, Mapping):
        raise UnreadableAnswer("the status of a batch is not an object")
    return read(BatchStatus, answer.get("data"))


def retry(
    settings: Settings,
    reference_id: str,
    records: Iterable[int] | None,
    modifications: Iterable[Modification] | None,
    expires_at: datetime | None,
) -> Flow[RetriedBatch]:
    body = {
        "reference_id": reference_id,
        "records": None if records is None else list(records),
        "modifications": None if modifications is None else list(modifications),
        "expires_at": expires_at,
    }
    call = _upload(settings, "retry", JSON, encode(_without_none(body)), is_idempotent=False)
    return read(RetriedBatch, (yield from send(call, settings.retry)))


def retry_csv(
    settings: Settings,
    reference_id: str,
    csv: bytes | str,
    expires_at: datetime | None,
    allow_other_ids: bool,
) -> Flow[RetriedBatch]:
    params = {
        "reference_id": reference_id,
        "expires_at": None if expires_at is None else time(expires_at, "expires_at"),
        "allow_other_ids": "true" if allow_other_ids else None,
    }
    call = _upload(settings, "retry", CSV, _bytes(csv), _without_none(params), is_idempotent=False)
    return read(RetriedBatch, (yield from send(call, settings.retry)))


def cancel(settings: Settings, reference_id: str) -> Flow[CancelledBatch]:
    headers = {**settings.bulk_headers(), **JSON}
    call = Call("POST", "/bulk/cancel", headers, encode({"reference_id": reference_id}))
    return read(CancelledBatch, (yield from send(call, settings.retry)))


def wait_for(settings: Settings, reference_id: str, timeout: float) -> Flow[BatchStatus]:
    deadline = monotonic() + timeout
    pause = FIRST_PAUSE
    while (left := deadline - monotonic()) > 0:
        try:
            found = yield from status(settings, reference_id, limit=1, deadline=deadline)
        except (NoAnswer, Unavailable, TooManyRequests) as error:
            raise Timeout(reference_id, timeout) from error
        if found.batch_status in ("COMPLETED", "FAILED", "ARCHIVED"):
            return found
        yield Pause(min(left, pause))
        pause = min(2 * pause, LONGEST_PAUSE)
    raise Timeout(reference_id, timeout)


def _upload(
    settings: Settings,
    route: str,
    content_type: Mapping[str, str],
    content: bytes,
    params: Mapping[str, str] | None = None,
    is_idempotent: bool = True,
) -> Call:
    return Call(
        "POST",
        f"/bulk/{route}",
        {**settings.bulk_headers(), **content_type},
        content,
        params or {},
        UPLOAD_PATIENCE,
        is_idempotent,
    )


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _bytes(csv: bytes | str) -> bytes:
    return csv.encode() if isinstance(csv, str) else csv
