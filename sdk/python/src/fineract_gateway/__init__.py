"""The client of fineract-gateway, a durable queue in front of Apache Fineract."""

from . import models
from ._batches import BatchRow, Modification
from ._flow import Retry
from ._json import day
from ._settings import BulkCredentials
from .async_client import AsyncClient
from .client import Client
from .errors import (
    EventsDeleted,
    FieldError,
    GatewayError,
    InvalidRequest,
    InvalidSignature,
    KeyReused,
    NoAnswer,
    NotFound,
    OperationFailed,
    Problem,
    Timeout,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnreadableAnswer,
)
from .events import BatchEvent, Event, EventPage, OperationEvent
from .models import Batch, BatchStatus, Operation, OperationType, Record, Tracked, Transaction
from .webhooks import verify_webhook

__all__ = [
    "AsyncClient",
    "Batch",
    "BatchEvent",
    "BatchRow",
    "BatchStatus",
    "BulkCredentials",
    "Client",
    "Event",
    "EventPage",
    "EventsDeleted",
    "FieldError",
    "GatewayError",
    "InvalidRequest",
    "InvalidSignature",
    "KeyReused",
    "Modification",
    "NoAnswer",
    "NotFound",
    "Operation",
    "OperationEvent",
    "OperationFailed",
    "OperationType",
    "Problem",
    "Record",
    "Retry",
    "Timeout",
    "TooManyRequests",
    "Tracked",
    "Transaction",
    "Unauthorized",
    "Unavailable",
    "UnreadableAnswer",
    "day",
    "models",
    "verify_webhook",
]
