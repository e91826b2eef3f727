"""Checks that a webhook is from the gateway (Standard Webhooks 1.0.0)."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from time import time

from ._json import decode
from .errors import InvalidSignature
from .events import Event, read_event

TOLERANCE_SECONDS = 300
_PREFIX = "whsec_"


def verify_webhook(
    payload: bytes | str,
    headers: Mapping[str, str],
    secrets: str | Sequence[str],
    *,
    tolerance: float = TOLERANCE_SECONDS,
) -> Event:
    """Checks the signature and the age of a webhook, and returns its event. Raises `InvalidSignature`.

    - `payload`: the body exactly as it arrived. JSON that was parsed and written again has another signature.
    - `headers`: `webhook-id`, `webhook-timestamp` and `webhook-signature`, in upper or lower case.
    - `secrets`: the secret (`whsec_…`), or several while it is being changed.
    - `tolerance`: by how many seconds the clocks may differ.

    A webhook may arrive more than once: remember the `id` of the event for as long as you need.
    """
    body = payload.encode() if isinstance(payload, str) else payload
    given = {name.lower(): value for name, value in headers.items()}
    webhook_id = given.get("webhook-id", "")
    timestamp = given.get("webhook-timestamp", "")
    if not webhook_id or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
        raise InvalidSignature("webhook-id or webhook-timestamp is missing or malformed")
    if abs(time() - int(timestamp)) > tolerance:
        raise InvalidSignature("webhook-timestamp is too old, or lies in the future")
    signatures = given.get("webhook-signature", "").split()
    signed = f"{webhook_id}.{timestamp}.".encode(errors="replace") + body
    keys = [_key(secret) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
    # A list, so that each comparison takes place: the time does not tell which one fits.
    matches = [
        hmac.compare_digest(_signature(key, signed), signature.encode(errors="replace"))
        for key in keys
        for signature in signatures
    ]
    if not any(matches):
        raise InvalidSignature("no signature fits the webhook and the secret")
    try:
        return read_event(decode(body), webhook_id)
    except ValueError:
        raise InvalidSignature("the webhook is not JSON") from None


def _signature(key: bytes, signed: bytes) -> bytes:
    return b"v1," + b64encode(hmac.digest(key, signed, "sha256"))


def _key(secret: str) -> bytes:
    try:
        key = b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ValueError("a secret must be whsec_ and base64")
    return key
