"""The flows of operations, transactions and events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from time import monotonic
from urllib.parse import quote
from uuid import uuid4

from ._answer import read
from ._flow import Call, Flow, Pause, send
from ._json import encode
from ._settings import Settings, check_header
from .errors import GatewayError, NoAnswer, OperationFailed, Timeout, TooManyRequests, Unavailable
from .events import EventPage, read_page
from .models import Operation, OperationType, Tracked, Transaction

JSON = {"Content-Type": "application/json"}

# The longest `Prefer: wait`, by which the gateway delays an answer.
LONGEST_WAIT = 50
# How long one request of a longer wait takes. Many proxies end a request after 30 or 60 seconds.
USUAL_WAIT = 25
# How many seconds to wait before asking again if the gateway answers at once, for example because it shuts down.
POLL_PAUSE = 2.0

MOST_TRACKED = 500


def submit(
    settings: Settings,
    operation_type: OperationType,
    data: Mapping[str, object],
    *,
    key: str,
    expires_at: datetime | None = None,
    wait: int | None = None,
    deadline: float | None = None,
) -> Flow[Operation]:
    body: dict[str, object] = {"status": operation_type, "data": data}
    if expires_at is not None:
        body["expires_at"] = expires_at
    headers = {**settings.token_headers(), **JSON, "Idempotency-Key": key}
    content = encode(body)
    call = _waiting("POST", "/fineract/operate", headers, wait, content)
    try:
        return read(Operation, (yield from send(call, settings.retry, deadline)))
    except GatewayError as error:
        error.idempotency_key = key
        raise


def submit_and_wait(
    settings: Settings,
    operation_type: OperationType,
    data: Mapping[str, object],
    *,
    key: str,
    expires_at: datetime | None,
    timeout: float,
) -> Flow[Operation]:
    began_at = monotonic()
    operation = yield from submit(
        settings,
        operation_type,
        data,
        key=key,
        expires_at=expires_at,
        wait=int(min(timeout, USUAL_WAIT)),
        deadline=began_at + timeout,
    )
    if operation.status == "processing":
        operation = yield from _follow(settings, operation.tracking_id, began_at, timeout)
    return _succeeded(operation)


def wait_for(settings: Settings, tracking_id: str, timeout: float) -> Flow[Operation]:
    return _succeeded((yield from _follow(settings, tracking_id, monotonic(), timeout)))


def track(
    settings: Settings, tracking_id: str, wait: int | None = None, deadline: float | None = None
) -> Flow[Operation]:
    path = f"/fineract/track/{quote(tracking_id, safe='')}"
    call = _waiting("GET", path, settings.token_headers(), wait)
    return read(Operation, (yield from send(call, settings.retry, deadline)))


def track_many(settings: Settings, tracking_ids: Iterable[str]) -> Flow[Tracked]:
    ids = list(tracking_ids)
    found = Tracked(operations=[], unknown=[])
    for start in range(0, len(ids), MOST_TRACKED):
        content = encode({"tracking_ids": ids[start : start + MOST_TRACKED]})
        headers = {**settings.token_headers(), **JSON}
        call = Call("POST", "/fineract/track", headers, content)
        part = read(Tracked, (yield from send(call, settings.retry)))
        found.operations.extend(part.operations)
        found.unknown.extend(part.unknown)
    return found


def transaction(settings: Settings, transaction_id: str) -> Flow[Transaction]:
    path = f"/transactions/{quote(transaction_id, safe='')}/"
    call = Call("GET", path, settings.api_key_headers())
    return read(Transaction, (yield from send(call, settings.retry)))


def read_events(
    settings: Settings, headers: Mapping[str, str], after: int | None, wait: int, limit: int
) -> Flow[EventPage]:
    params = {"wait": str(wait), "limit": str(limit)}
    if after is not None:
        params["after"] = str(after)
    asked_at = monotonic()
    call = Call("GET", "/events", headers, params=params, patience=wait)
    page = read_page((yield from send(call, settings.retry)))
    if not page.events and monotonic() - asked_at < wait / 2:
        yield Pause(min(wait, POLL_PAUSE))
    return page


def key_of(idempotency_key: str | None) -> str:
    """The caller's own key, or a new one."""
    if idempotency_key is None:
        return str(uuid4())
    check_header("idempotency_key", idempotency_key)
    if len(idempotency_key) > 255:
        raise ValueError("idempotency_key must have at most 255 characters")
    return idempotency_key


def _follow(settings: Settings, tracking_id: str, began_at: float, timeout: float) -> Flow[Operation]:
    """Asks until the operation has ended."""
    deadline = began_at + timeout
    while (left := deadline - monotonic()) > 0:
        asked_at = monotonic()
        try:
            wait = int(min(left, USUAL_WAIT))
            operation = yield from track(settings, tracking_id, wait, deadline)
        except (NoAnswer, Unavailable, TooManyRequests) as error:
            raise Timeout(tracking_id, timeout) from error
        if operation.status != "processing":
            return operation
        if monotonic() - asked_at < 1:
            yield Pause(min(left, POLL_PAUSE))
    raise Timeout(tracking_id, timeout)


def _succeeded(operation: Operation) -> Operation:
    if operation.status == "failed":
        raise OperationFailed(operation)
    return operation


def _waiting(
    method: str,
    path: str,
    headers: Mapping[str, str],
    wait: int | None,
    content: bytes | None = None,
) -> Call:
    """A request whose answer the gateway delays by up to `wait` seconds, until the operation has ended."""
    if wait is None:
        return Call(method, path, headers, content)
    wait = max(0, min(wait, LONGEST_WAIT))
    return Call(method, path, {**headers, "Prefer": f"wait={wait}"}, content, patience=wait)
