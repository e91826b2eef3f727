"""The part of a call that needs no network: which requests to send, when to repeat them, and when to give up.

A *flow* is a generator. It yields a `Call` to send, or a `Pause` to make, and is sent the response, or the error of the
network. So `Client` and `AsyncClient` share everything except waiting, and tests can play the network.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from itertools import count
from time import monotonic
from typing import Any, TypeAlias, TypeVar

import httpx

from ._json import decode
from .errors import GatewayError, NoAnswer, UnreadableAnswer, problem_of

T = TypeVar("T")

logger = logging.getLogger("fineract_gateway")

# The request was certainly not sent, so repeating it is always safe.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True)
class Retry:
    """How often a request is repeated while the gateway cannot be reached, or asks to try again later (5xx, 408, 429).

    The pauses grow, are random, and are never shorter than the gateway's `Retry-After`. A request that is not
    idempotent is repeated only if the gateway has certainly not processed it.
    """

    total: float = 60.0
    """How many seconds after the first try the last one may begin. 0: there is only one try."""
    first_pause: float = 0.5
    longest_pause: float = 20.0

    def pause(self, tries: int, asked: float) -> float:
        """How many seconds to wait after the given number of tries, if the gateway asks for `asked` seconds."""
        longest = min(self.longest_pause, self.first_pause * 2.0 ** min(tries - 1, 30))
        return max(longest / 2, asked) + random.uniform(0, longest / 2)


DEFAULT_RETRY = Retry()


@dataclass(frozen=True, repr=False)
class Call:
    """A request. It has no `repr`, because it contains credentials and payloads."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    patience: float = 0.0
    """How many seconds the gateway may need on purpose, besides the timeout."""
    is_idempotent: bool = True

    def arguments(self, base_url: str, timeout: float) -> dict[str, Any]:
        """The arguments of `httpx.Client.request` and `httpx.AsyncClient.request`."""
        return {
            "method": self.method,
            "url": base_url + self.path,
            "headers": self.headers,
            "content": self.content,
            "params": self.params or None,
            "timeout": httpx.Timeout(timeout, read=timeout + self.patience),
            "follow_redirects": False,
        }


@dataclass(frozen=True)
class Pause:
    """A pause between two requests."""

    seconds: float


Outcome: TypeAlias = httpx.Response | httpx.RequestError | None
Flow: TypeAlias = Generator[Call | Pause, Outcome, T]


def send(call: Call, retry: Retry, deadline: float | None = None) -> Flow[Any]:
    """Sends a request, perhaps several times, and returns the JSON of the answer. Raises the last error.

    `deadline`: no try begins after this time of the monotonic clock. Without it, `retry.total` applies.
    """
    last_try_at = monotonic() + retry.total if deadline is None else deadline
    for tries in count(1):
        outcome = yield call
        if isinstance(outcome, httpx.Response) and outcome.status_code in (200, 202):
            return _json_of(outcome)
        error, asked = _failure(call, outcome)
        pause = retry.pause(tries, asked)
        if not _may_repeat(call, outcome) or monotonic() + pause > last_try_at:
            raise error
        logger.info("%s %s: %s; trying again in %.1f s", call.method, call.path, _brief(outcome), pause)
        yield Pause(pause)
    raise AssertionError("unreachable")


def _json_of(response: httpx.Response) -> Any:
    try:
        return decode(response.content)
    except ValueError:
        raise UnreadableAnswer(f"the answer with status {response.status_code} is not JSON") from None


def _failure(call: Call, outcome: Outcome) -> tuple[GatewayError, float]:
    """The error of a try, and for how many seconds the gateway asks to wait."""
    if isinstance(outcome, httpx.Response):
        return problem_of(outcome), retry_after(outcome)
    error = NoAnswer(f"{call.method} {call.path}: {_brief(outcome)}")
    error.__cause__ = outcome
    return error, 0.0


def _may_repeat(call: Call, outcome: Outcome) -> bool:
    if isinstance(outcome, httpx.Response):
        is_refused = outcome.status_code == 429
        is_temporary = outcome.status_code == 408 or outcome.status_code >= 500
        return is_refused or (is_temporary and call.is_idempotent)
    return call.is_idempotent or isinstance(outcome, _NOT_SENT)


def _brief(outcome: Outcome) -> str:
    """The status, or the kind of the network's error. Its text may contain more than may be logged."""
    return str(outcome.status_code) if isinstance(outcome, httpx.Response) else type(outcome).__name__


def retry_after(response: httpx.Response) -> float:
    """The seconds in `Retry-After`, which may also be a date (RFC 9110 section 10.2.3). 0 if there is none."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())
