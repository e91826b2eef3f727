"""What happened to operations and batches, as the event feed and webhooks tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ._answer import Answer, read
from .errors import UnreadableAnswer
from .models import Batch, Operation


@dataclass(frozen=True, kw_only=True, repr=False)
class Event(Answer):
    """An event. One that is neither about an operation nor about a batch is of a newer gateway, or a test."""

    type: str
    """Such as `operation.succeeded`."""
    timestamp: str
    """When it became true (RFC 3339)."""
    data: Any
    """What the event is about, as JSON."""
    number: int | None = None
    """In the feed: the cursor after this event. Store it after you have processed the event."""
    id: str | None = None
    """Of a webhook: `webhook-id`, the same in each delivery of the event."""


@dataclass(frozen=True, kw_only=True, repr=False)
class OperationEvent(Event):
    """`operation.succeeded`, `operation.failed`, `operation.parked` or `operation.resumed`."""

    operation: Operation | None
    """What track answers now. `None`: ask track later, or the event contains ids only (`data`)."""


@dataclass(frozen=True, kw_only=True, repr=False)
class BatchEvent(Event):
    """`batch.completed` or `batch.failed`."""

    batch: Batch | None
    """The state of the batch now, without its rows."""


@dataclass(frozen=True, kw_only=True, repr=False)
class EventPage(Answer):
    """Events after a cursor."""

    events: list[Event]
    next: int
    """The cursor of the next request. It also grows while nothing happens to your operations, so that it does not
    become too old."""
    has_more: bool


def read_event(json: object, webhook_id: str | None = None) -> Event:
    """Makes an event of the right class."""
    if not isinstance(json, Mapping):
        raise UnreadableAnswer("an event is not an object")
    event = read(Event, {**json, "id": webhook_id})
    subject = event.data if isinstance(event.data, Mapping) else {}
    if event.type.startswith("operation."):
        operation = read(Operation, subject) if "status" in subject else None
        return OperationEvent(**vars(event), operation=operation)
    if event.type.startswith("batch."):
        batch = read(Batch, subject) if "batch_status" in subject else None
        return BatchEvent(**vars(event), batch=batch)
    return event


def read_page(json: object) -> EventPage:
    """Makes a page of the answer of the feed."""
    if not isinstance(json, Mapping) or not json.keys() >= {"events", "next", "has_more"}:
        raise UnreadableAnswer("the answer is not a page of events")
    events = [read_event(event) for event in json["events"]]
    return EventPage(events=events, next=json["next"], has_more=json["has_more"])
