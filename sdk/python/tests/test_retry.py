"""When a request is repeated. The tests play the network, so nothing waits."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import httpx
import pytest

from fineract_gateway import GatewayError, NoAnswer, Retry, TooManyRequests, Unavailable
from fineract_gateway._flow import Call, Outcome, Pause, retry_after, send

CALL = Call("POST", "/x", {})
NOT_IDEMPOTENT = Call("POST", "/x", {}, is_idempotent=False)
REFUSED = httpx.ConnectError("refused")
LOST = httpx.ReadError("lost")


def play(call: Call, *outcomes: Outcome, retry: Retry = Retry()) -> list[float]:  # noqa: B008
    """Plays the outcomes of the tries. Returns the pauses before the tries; raises what the call raises."""
    flow = send(call, retry)
    pauses: list[float] = []
    step = next(flow)
    for outcome in outcomes:
        assert step is call
        try:
            step = flow.send(outcome)
        except StopIteration:
            return pauses
        assert isinstance(step, Pause)
        pauses.append(step.seconds)
        step = flow.send(None)
    raise AssertionError("the call wants to be tried again")


def answer(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers={name.replace("_", "-"): value for name, value in headers.items()}, json={})


OK = answer(200)


@pytest.mark.parametrize("failure", [answer(503), answer(500), answer(408), answer(429), answer(504), REFUSED, LOST])
def test_an_idempotent_request_is_repeated(failure: Outcome) -> None:
    assert len(play(CALL, failure, failure, OK)) == 2


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 405, 409, 410, 413, 415, 422])
def test_a_refused_request_is_not_repeated(status: int) -> None:
    with pytest.raises(GatewayError, match=str(status)):
        play(CALL, answer(status))


@pytest.mark.parametrize("failure", [answer(429), REFUSED, httpx.ConnectTimeout("")])
def test_another_request_is_repeated_if_it_was_certainly_not_processed(failure: Outcome) -> None:
    assert len(play(NOT_IDEMPOTENT, failure, OK)) == 1


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (answer(503), Unavailable),
        (answer(500), Unavailable),
        (answer(408), Unavailable),
        (LOST, NoAnswer),
        (httpx.ReadTimeout(""), NoAnswer),
        (httpx.RemoteProtocolError(""), NoAnswer),
    ],
)
def test_another_request_is_not_repeated_otherwise(failure: Outcome, error: type[Exception]) -> None:
    with pytest.raises(error):
        play(NOT_IDEMPOTENT, failure)


def test_pauses_grow_to_their_limit_and_are_random() -> None:
    retry = Retry(total=1000, first_pause=1, longest_pause=8)
    pauses = [play(CALL, *[REFUSED] * 6, OK, retry=retry) for _ in range(50)]
    for column, longest in zip(zip(*pauses, strict=True), [1, 2, 4, 8, 8, 8], strict=True):
        assert all(longest / 2 <= pause <= longest for pause in column)
        assert len(set(column)) > 25


def test_retry_after_is_the_least() -> None:
    retry = Retry(total=1000, first_pause=1)
    pauses = [play(CALL, answer(503, retry_after="7"), OK, retry=retry)[0] for _ in range(50)]
    assert all(7 <= pause <= 7.5 for pause in pauses)
    assert len(set(pauses)) > 25


def test_retry_after_may_be_a_date() -> None:
    soon = datetime.now(timezone.utc) + timedelta(seconds=30)
    assert 25 < retry_after(answer(503, retry_after=format_datetime(soon, usegmt=True))) <= 30
    for other in ["", "soon", "-1", "1.5", "Sun, 06 Nov 1994 08:49:37 GMT"]:
        assert retry_after(answer(503, retry_after=other)) == 0


def test_no_try_begins_after_the_total() -> None:
    with pytest.raises(TooManyRequests):
        play(CALL, answer(429, retry_after="3600"))
    with pytest.raises(NoAnswer) as caught:
        play(CALL, REFUSED, retry=Retry(total=0))
    assert caught.value.__cause__ is REFUSED
    assert str(caught.value) == "POST /x: ConnectError"
