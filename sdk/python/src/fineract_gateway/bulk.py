"""Batches: many operations in one upload."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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

    def __call__(self, flow: Flow[T]) -> T: ...


class Bulk:
    """`client.bulk`: the calls of docs/BULK.md."""

    def __init__(self, settings: Settings, run: Run) -> None:
        self._settings = settings
        self._run = run

    def submit(
        self,
        reference_id: str,
        rows: Iterable[BatchRow],
        *,
        file_name: str | None = None,
        global_config: Mapping[str, str] | None = None,
        accept_valid: bool = False,
    ) -> Batch:
        """Submits a batch. The same rows under the same `reference_id` return the first batch; other rows raise
        `KeyReused`.

        If a row is not valid, nothing is accepted, and `InvalidRequest` lists all problems. With `accept_valid`, the
        valid rows run, and the others are `FAILED`.
        """
        return self._run(_batches.submit(self._settings, reference_id, rows, file_name, global_config, accept_valid))

    def submit_csv(
        self,
        reference_id: str,
        csv: bytes | str,
        *,
        file_name: str | None = None,
        accept_valid: bool = False,
    ) -> Batch:
        """Submits the rows of a CSV file: its content, in UTF-8."""
        return self._run(_batches.submit_csv(self._settings, reference_id, csv, file_name, accept_valid))

    def status(
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
        """Reads the state of a batch, and one page of those rows that meet all conditions."""
        return self._run(
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

    def records(
        self,
        reference_id: str,
        *,
        status: Sequence[RowStatus] | None = None,
        retry_eligible: RetryEligible | None = None,
        search: str | None = None,
    ) -> Iterator[Record]:
        """Yields all rows that meet the conditions, page by page. If rows change meanwhile, one may be missed or
        repeated: read the rows of a batch after it has ended."""
        for page in count(1):
            found = self.status(
                reference_id,
                status=status,
                retry_eligible=retry_eligible,
                search=search,
                page=page,
                limit=_batches.LARGEST_PAGE,
            )
            yield from found.records
            if not found.pagination.has_next:
                return

    def wait_for(self, reference_id: str, *, timeout: float = 3600.0) -> BatchStatus:
        """Waits until every row has ended: `batch_status` is `COMPLETED`, `FAILED` (a row has failed) or `ARCHIVED`."""
        return self._run(_batches.wait_for(self._settings, reference_id, timeout))

    def retry(
        self,
        reference_id: str,
        *,
        records: Iterable[int] | None = None,
        modifications: Iterable[Modification] | None = None,
        expires_at: datetime | None = None,
    ) -> RetriedBatch:
        """Sends failed rows again: those in `records` and `modifications`, or, without `records`, all.

        This call is not idempotent, so it is repeated only if the gateway has certainly not processed it. After
        `NoAnswer` or `Unavailable`, look at `status` before you call it again.
        """
        return self._run(_batches.retry(self._settings, reference_id, records, modifications, expires_at))

    def retry_csv(
        self,
        reference_id: str,
        csv: bytes | str,
        *,
        expires_at: datetime | None = None,
        allow_other_ids: bool = False,
    ) -> RetriedBatch:
        """Sends the rows of a corrected CSV file again. Its column `id` has the number of each row."""
        return self._run(_batches.retry_csv(self._settings, reference_id, csv, expires_at, allow_other_ids))

    def cancel(self, reference_id: str) -> CancelledBatch:
        """Ends the rows for which nothing was sent to Fineract as failed. They can be sent again later."""
        return self._run(_batches.cancel(self._settings, reference_id))

    def events(self, after: int | None = None, *, wait: int = 25, limit: int = 100) -> Iterator[Event]:
        """Yields the events of your batches and their operations, as `Client.events` does."""
        while True:
            page = self.read_events(after, wait=wait, limit=limit)
            yield from page.events
            after = page.next

    def read_events(self, after: int | None = None, *, wait: int = 0, limit: int = 100) -> EventPage:
        """Reads events, as `Client.read_events` does."""
        headers = self._settings.bulk_headers()
        return self._run(read_events(self._settings, headers, after, wait, limit))
