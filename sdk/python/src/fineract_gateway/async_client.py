"""The client of programs with `asyncio`. Its methods are those of `Client`, which describes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import TypeVar

import httpx

from . import _operations
from ._flow import DEFAULT_RETRY, Call, Flow, Outcome, Pause, Retry
from ._settings import BulkCredentials, Settings
from .async_bulk import AsyncBulk
from .events import Event, EventPage
from .models import Operation, OperationType, Tracked, Transaction

T = TypeVar("T")


class AsyncClient:
    """As `Client`, for `asyncio`. `http`: an `httpx.AsyncClient` of your own, which is not closed."""

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        bulk_credentials: BulkCredentials | None = None,
        api_key: str | None = None,
        timeout: float = 15.0,
        retry: Retry = DEFAULT_RETRY,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._settings = Settings(base_url, token, bulk_credentials, api_key, timeout, retry)
        self._owns_http = http is None
        self._http = http or httpx.AsyncClient()
        self.bulk = AsyncBulk(self._settings, self._run)

    async def submit(
        self,
        operation_type: OperationType,
        data: Mapping[str, object],
        *,
        idempotency_key: str | None = None,
        expires_at: datetime | None = None,
        wait: int | None = None,
    ) -> Operation:
        """See `Client.submit`."""
        key = _operations.key_of(idempotency_key)
        return await self._run(
            _operations.submit(self._settings, operation_type, data, key=key, expires_at=expires_at, wait=wait)
        )

    async def submit_and_wait(
        self,
        operation_type: OperationType,
        data: Mapping[str, object],
        *,
        idempotency_key: str | None = None,
        expires_at: datetime | None = None,
        timeout: float = 300.0,
    ) -> Operation:
        """See `Client.submit_and_wait`."""
        key = _operations.key_of(idempotency_key)
        return await self._run(
            _operations.submit_and_wait(
                self._settings,
                operation_type,
                data,
                key=key,
                expires_at=expires_at,
                timeout=timeout,
            )
        )

    async def wait_for(self, tracking_id: str, *, timeout: float = 300.0) -> Operation:
        """See `Client.wait_for`."""
        return await self._run(_operations.wait_for(self._settings, tracking_id, timeout))

    async def track(self, tracking_id: str, *, wait: int | None = None) -> Operation:
        """See `Client.track`."""
        return await self._run(_operations.track(self._settings, tracking_id, wait))

    async def track_many(self, tracking_ids: Iterable[str]) -> Tracked:
        """See `Client.track_many`."""
        return await self._run(_operations.track_many(self._settings, tracking_ids))

    async def transaction(self, transaction_id: str) -> Transaction:
        """See `Client.transaction`."""
        return await self._run(_operations.transaction(self._settings, transaction_id))

    async def events(self, after: int | None = None, *, wait: int = 25, limit: int = 100) -> AsyncIterator[Event]:
        """See `Client.events`."""
        while True:
            page = await self.read_events(after, wait=wait, limit=limit)
            for event in page.events:
                yield event
            after = page.next

    async def read_events(self, after: int | None = None, *, wait: int = 0, limit: int = 100) -> EventPage:
        """See `Client.read_events`."""
        headers = self._settings.token_headers()
        return await self._run(_operations.read_events(self._settings, headers, after, wait, limit))

    async def close(self) -> None:
        """Closes the connections."""
        if self._owns_http:
            await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self._settings.base_url!r})"

    async def _run(self, flow: Flow[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as stop:
                result: T = stop.value
                return result
            outcome = await self._perform(step)

    async def _perform(self, step: Call | Pause) -> Outcome:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        settings = self._settings
        try:
            return await self._http.request(**step.arguments(settings.base_url, settings.timeout))
        except httpx.RequestError as error:
            return error
