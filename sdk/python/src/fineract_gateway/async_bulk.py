"""Batches, with `asyncio`. The methods are those of `Bulk`, which describes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Protocol, TypeVar

from . import _batches
from ._batches import BatchRow, Modification, RetryEligible, RowStatus
from ._flow import Flow
from ._operations import read_events
from ._settings import Settings
from .events import Event, EventPage
from .models import Batch, BatchStatus, CancelledBatch, Record, RetriedBatch

T = TypeVar("T")


class Run(Protocol):
    """Sends the requests of a flow, and returns its result."""

    async def __call__(self, flow: Flow[T]) -> T: ...


class AsyncBulk:
    """As `Bulk`, for `asyncio`."""

    def __init__(self, settings: Settings, run: Run) -> None:
        self._settings = settings
        self._run = run

    async def submit(
        self,
        reference_id: str,
        rows: Iterable[BatchRow],
        *,
        file_name: str | None = None,
        global_config: Mapping[str, str] | None = None,
        accept_valid: bool = False,
    ) -> Batch:
        """See `Bulk.submit`."""
        return await self._run(
            _batches.submit(self._settings, reference_id, rows, file_name, global_config, accept_valid)
        )

    async def submit_csv(
        self,
        reference_id: str,
        csv: bytes | str,
        *,
        file_name: str | None = None,
        accept_valid: bool = False,
    ) -> Batch:
        """See `Bulk.submit_csv`."""
        return await self._run(_batches.submit_csv(self._settings, reference_id, csv, file_name, accept_valid))

    async def status(
        self,
        reference_id: str,
        *,
        status: Sequence[RowStatus] | None = None,
        retry_eligible: RetryEligible | None = None,
        search: str | None = None,
        page: int = 1,
        limit: int = 100,
        include_balances: bool = False,
    ) -> BatchStatus:
        """See `Bulk.status`."""
        return await self._run(
            _batches.status(
                self._settings,
                reference_id,
                status=status,
                retry_eligible=retry_eligible,
                search=search,
                page=page,
                limit=limit,
                include_balances=include_balances,
            )
        )

    async def records(
        self,
        reference_id: str,
        *,
        status: Sequence[RowStatus] | None = None,
        retry_eligible: RetryEligible | None = None,
        search: str | None = None,
    ) -> AsyncIterator[Record]:
        """See `Bulk.records`."""
        for page in count(1):
            found = await self.status(
                reference_id,
                status=status,
                retry_eligible=retry_eligible,
                search=search,
                page=page,
                limit=_batches.LARGEST_PAGE,
            )
            for record in found.records:
                yield record
            if not found.pagination.has_next:
                return

    async def wait_for(self, reference_id: str, *, timeout: float = 3600.0) -> BatchStatus:
        """See `Bulk.wait_for`."""
        return await self._run(_batches.wait_for(self._settings, reference_id, timeout))

    async def retry(
        self,
        reference_id: str,
        *,
        records: Iterable[int] | None = None,
        modifications: Iterable[Modification] | None = None,
        expires_at: datetime | None = None,
    ) -> RetriedBatch:
        """See `Bulk.retry`."""
        return await self._run(_batches.retry(self._settings, reference_id, records, modifications, expires_at))

    async def retry_csv(
        self,
        reference_id: str,
        csv: bytes | str,
        *,
        expires_at: datetime | None = None,
        allow_other_ids: bool = False,
    ) -> RetriedBatch:
        """See `Bulk.retry_csv`."""
        return await self._run(_batches.retry_csv(self._settings, reference_id, csv, expires_at, allow_other_ids))

    async def cancel(self, reference_id: str) -> CancelledBatch:
        """See `Bulk.cancel`."""
        return await self._run(_batches.cancel(self._settings, reference_id))

    async def events(self, after: int | None = None, *, wait: int = 25, limit: int = 100) -> AsyncIterator[Event]:
        """See `Bulk.events`."""
        while True:
            page = await self.read_events(after, wait=wait, limit=limit)
            for event in page.events:
                yield event
            after = page.next

    async def read_events(self, after: int | None = None, *, wait: int = 0, limit: int = 100) -> EventPage:
        """See `Bulk.read_events`."""
        headers = self._settings.bulk_headers()
        return await self._run(read_events(self._settings, headers, after, wait, limit))
