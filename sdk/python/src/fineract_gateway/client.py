"""The client of programs without `asyncio`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import TypeVar

import httpx

from . import _operations
from ._flow import DEFAULT_RETRY, Call, Flow, Outcome, Pause, Retry
from ._settings import BulkCredentials, Settings
from .bulk import Bulk
from .events import Event, EventPage
from .models import Operation, OperationType, Tracked, Transaction

T = TypeVar("T")


class Client:
    """Sends operations to the gateway, and reads what became of them. Threads may share a client.

    - `base_url`: the address of the API with its prefix, such as `https://gateway.example.org/api/v1`.
    - `token`: for operations and their events (`X-Internal-Token`).
    - `bulk_credentials`: for `client.bulk`.
    - `api_key`: for transactions.
    - `timeout`: how many seconds the gateway may take to answer, besides a wait that you ask for.
    - `retry`: how often a request is repeated.
    - `http`: an `httpx.Client` of your own, for example with a proxy or a private CA. It is not closed.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        bulk_credentials: BulkCredentials | None = None,
        api_key: str | None = None,
        timeout: float = 15.0,
        retry: Retry = DEFAULT_RETRY,
        http: httpx.Client | None = None,
    ) -> None:
        self._settings = Settings(base_url, token, bulk_credentials, api_key, timeout, retry)
        self._owns_http = http is None
        self._http = http or httpx.Client()
        self.bulk = Bulk(self._settings, self._run)

    def submit(
        self,
        operation_type: OperationType,
        data: Mapping[str, object],
        *,
        idempotency_key: str | None = None,
        expires_at: datetime | None = None,
        wait: int | None = None,
    ) -> Operation:
        """Submits an operation. When this returns, the gateway has stored it and will run it.

        Every submit has an `Idempotency-Key`, the same in each try, so it is accepted once although it may be sent
        several times. Without `idempotency_key`, each call has a new one. Choose your own, such as the id of the row
        in your database, if you want to repeat a submit after a crash of your program: the same key with the same data
        returns the first operation.

        - `data`: the fields of docs/API.md. Amounts are `Decimal` or `int`; days are texts or `date`.
        - `expires_at`: the operation is not sent to Fineract after this time.
        - `wait`: for how many seconds (at most 50) the answer is delayed, until the operation has ended.

        A `GatewayError` has the `idempotency_key`. After `NoAnswer` or `Unavailable`, the operation may have been
        accepted: submit it again with that key.
        """
        key = _operations.key_of(idempotency_key)
        return self._run(
            _operations.submit(self._settings, operation_type, data, key=key, expires_at=expires_at, wait=wait)
        )

    def submit_and_wait(
        self,
        operation_type: OperationType,
        data: Mapping[str, object],
        *,
        idempotency_key: str | None = None,
        expires_at: datetime | None = None,
        timeout: float = 300.0,
    ) -> Operation:
        """Submits an operation and waits until it has succeeded.

        Raises `OperationFailed` if it has failed, with Fineract's own answer; `Timeout` if it has not ended after
        `timeout` seconds. It continues then: `wait_for` or an event tells how it ends.
        """
        key = _operations.key_of(idempotency_key)
        return self._run(
            _operations.submit_and_wait(
                self._settings,
                operation_type,
                data,
                key=key,
                expires_at=expires_at,
                timeout=timeout,
            )
        )

    def wait_for(self, tracking_id: str, *, timeout: float = 300.0) -> Operation:
        """Waits until an operation has succeeded. Raises `OperationFailed` or `Timeout`."""
        return self._run(_operations.wait_for(self._settings, tracking_id, timeout))

    def track(self, tracking_id: str, *, wait: int | None = None) -> Operation:
        """Reads the state of an operation. With `wait`, the answer is delayed for up to 50 seconds, until it has
        ended. Raises `NotFound` if there is no such operation."""
        return self._run(_operations.track(self._settings, tracking_id, wait))

    def track_many(self, tracking_ids: Iterable[str]) -> Tracked:
        """Reads the states of many operations, with one request for each 500."""
        return self._run(_operations.track_many(self._settings, tracking_ids))

    def transaction(self, transaction_id: str) -> Transaction:
        """Reads a disbursement or a repayment as a transaction, by its UUID or tracking id."""
        return self._run(_operations.transaction(self._settings, transaction_id))

    def events(self, after: int | None = None, *, wait: int = 25, limit: int = 100) -> Iterator[Event]:
        """Yields the events of your operations, waits for new ones, and never ends.

        Store the `number` of an event after you have processed it, and begin with it as `after` the next time: then
        you miss nothing, but may get an event twice. Without `after`, the oldest events come first. Raises
        `EventsDeleted` if events after the cursor were deleted because of their age.
        """
        while True:
            page = self.read_events(after, wait=wait, limit=limit)
            yield from page.events
            after = page.next

    def read_events(self, after: int | None = None, *, wait: int = 0, limit: int = 100) -> EventPage:
        """Reads up to 500 events, and waits up to 50 seconds if there is none. Store `next` of the page."""
        headers = self._settings.token_headers()
        return self._run(_operations.read_events(self._settings, headers, after, wait, limit))

    def close(self) -> None:
        """Closes the connections."""
        if self._owns_http:
            self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._settings.base_url!r})"

    def _run(self, flow: Flow[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as stop:
                result: T = stop.value
                return result
            outcome = self._perform(step)

    def _perform(self, step: Call | Pause) -> Outcome:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        settings = self._settings
        try:
            return self._http.request(**step.arguments(settings.base_url, settings.timeout))
        except httpx.RequestError as error:
            return error
