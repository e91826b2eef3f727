"""Every error of this package is a `GatewayError`.

The text of an error names what went wrong and where, and never contains credentials or payloads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from ._json import decode

if TYPE_CHECKING:
    from .models import Operation


class GatewayError(Exception):
    """The base of all errors."""

    idempotency_key: str | None = None
    """The key of a submit. With the same key and the same data, the submit can safely be repeated later."""


class NoAnswer(GatewayError):
    """The gateway could not be reached, or its answer was lost. What was sent may have been accepted."""


class UnreadableAnswer(GatewayError):
    """The answer is not what the API describes. Perhaps it does not come from the gateway."""


class InvalidSignature(GatewayError):
    """A webhook is not from the gateway, or it is too old. Answer it with 400, and do not process it."""


class Timeout(GatewayError):
    """An operation or a batch has not ended in time. It continues nevertheless."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(name, seconds)
        self.name = name
        """The tracking id of the operation, or the `reference_id` of the batch."""
        self.seconds = seconds

    def __str__(self) -> str:
        return f"{self.name} has not ended within {self.seconds:g} s; it continues"


class OperationFailed(GatewayError):
    """An operation has failed, and had no effect. To try again, submit it under a new key."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        self.operation = operation

    @property
    def failure_response(self) -> Any:
        """Fineract's own answer, unchanged. `None` if the gateway itself decided that the operation failed."""
        return self.operation.failure_response

    def __str__(self) -> str:
        return f"{self.operation.tracking_id} failed: {self.operation.error_message}"


@dataclass(frozen=True)
class FieldError:
    """One problem of a request."""

    pointer: str
    """Where it is, as a JSON pointer: `/data/principal`."""
    code: str
    message: str
    row: int | None = None
    """The row of a batch, from 1."""
    line: int | None = None
    """The line of a CSV file, from 1."""

    def __str__(self) -> str:
        row = "" if self.row is None else f"row {self.row} "
        return f"{row}{self.pointer or 'the request'}: {self.code}"


class Problem(GatewayError):
    """The gateway refused a request, or could not process it."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        request_id: str | None,
        errors: tuple[FieldError, ...] = (),
        body: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status, code, detail, request_id, errors)
        self.status = status
        """The HTTP status."""
        self.code = code
        """A stable name, such as `invalid_request`, as the API writes it: the bulk API writes `InvalidRequest`."""
        self.detail = detail
        """A sentence for people."""
        self.request_id = request_id
        """With this id, the operators find the request in the gateway's log."""
        self.errors = errors
        """All problems of an invalid request; of a batch, the first 1,000."""
        self.oldest: int | None = (body or {}).get("oldest")
        """Of `EventsDeleted`: the cursor before the oldest events."""
        self.errors_not_listed: int = (body or {}).get("errorsNotListed", 0)
        """How many problems of a batch are not in `errors`."""

    def __str__(self) -> str:
        text = f"{self.status} {self.code}: {self.detail}"
        if self.errors:
            text += f" [{'; '.join(map(str, self.errors[:10]))}]"
        return f"{text} (request_id {self.request_id})"


class Unauthorized(Problem):
    """401: the credentials are missing or not known. A proxy may have dropped the headers of a bulk client."""


class NotFound(Problem):
    """404: there is no such operation, batch, transaction or route."""


class KeyReused(Problem):
    """The `Idempotency-Key` (422) or the `reference_id` of a batch (409) was used with another body."""


class EventsDeleted(Problem):
    """410: events after the cursor were deleted because of their age. Read the state of your operations, and go on
    after `oldest`."""


class InvalidRequest(Problem):
    """422: `errors` lists all problems."""


class TooManyRequests(Problem):
    """429: too much is waiting in the gateway, or the limit of an API key is used up."""


class Unavailable(Problem):
    """5xx or 408: try again later."""


_BY_CODE: dict[str, type[Problem]] = {
    "idempotency_key_reused": KeyReused,
    "ReferenceIdReused": KeyReused,
    "events_deleted": EventsDeleted,
}
_BY_STATUS: dict[int, type[Problem]] = {
    401: Unauthorized,
    404: NotFound,
    408: Unavailable,
    422: InvalidRequest,
    429: TooManyRequests,
}


def problem_of(response: httpx.Response) -> Problem:
    """The error in an answer, in any of the three formats of the gateway, or of a proxy before it."""
    status = response.status_code
    try:
        body = decode(response.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {}
    nested = body["error"] if isinstance(body.get("error"), dict) else {}
    code = body.get("code") or body.get("errorCode") or nested.get("code")
    detail = body.get("detail") or body.get("errorMsg") or nested.get("message")
    request_id = body.get("request_id") or body.get("txnid") or response.headers.get("x-request-id")
    code = code if isinstance(code, str) else f"http_{status}"
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status) or (Unavailable if status >= 500 else Problem)
    errors = body.get("errors")
    return kind(
        status,
        code,
        str(detail or response.reason_phrase),
        request_id,
        tuple(map(_field_error, errors)) if isinstance(errors, list) else (),
        body,
    )


def _field_error(item: Any) -> FieldError:
    item = item if isinstance(item, dict) else {}
    return FieldError(
        pointer=str(item.get("pointer", "")),
        code=str(item.get("code", "")),
        message=str(item.get("message", "")),
        row=item.get("row"),
        line=item.get("line"),
    )
