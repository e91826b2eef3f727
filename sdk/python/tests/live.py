"""A real gateway on the Postgres of `DATABASE_URL`, with the sandbox as Fineract. The OS chooses the ports."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO

import httpx
import pytest

from fineract_gateway import BulkCredentials
from fineract_gateway._json import decode

# Those of `make run`, for the example in README.
TOKEN = "demo-token"
API_KEY = "demo-key"
BULK = BulkCredentials("demo-client", "demo-secret", "demo-app", "demo-org")

DEADLINE_SECONDS = 60


class Program:
    """A running program. Its output is read to the end, so that it never waits for its reader."""

    def __init__(self, path: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [path, *arguments],
            env=os.environ | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        self._lines: Queue[str | None] = Queue()
        self._reader = Thread(target=self._read, args=[self._process.stdout])
        self._reader.start()

    def _read(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self._lines.put(line)
        self._lines.put(None)

    def find(self, pattern: str) -> str:
        """Waits for a line that matches, and returns its first group."""
        seen = []
        while (line := self._lines.get(timeout=DEADLINE_SECONDS)) is not None:
            if match := re.search(pattern, line):
                return match[1]
            seen.append(line)
        raise AssertionError(f"the program has ended: {''.join(seen)}")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()


class Gateway:
    """The gateway and the sandbox."""

    def __init__(self, programs: Path) -> None:
        self._program = programs / "fineract-gateway"
        self._sandbox = Program(programs / "fineract-sandbox", "--listen", "127.0.0.1:0")
        self.fineract = self._sandbox.find(r"(http://\S+)")
        self._process: Program | None = None
        self._listen = "127.0.0.1:0"
        self.start()

    @property
    def url(self) -> str:
        return f"http://{self._listen}/api/v1"

    def start(self) -> None:
        """Starts the gateway, after a `kill` at the same address."""
        settings = {
            "HTTP_LISTEN": self._listen,
            "HTTP_BASE_PATH": "/api,/api/v1",
            "LOG_FORMAT": "json",
            "INTERNAL_TOKENS": f"los={TOKEN}",
            "API_KEYS": f"lender={API_KEY}",
            "BULK_CLIENTS": "lender=demo-client:demo-secret:demo-app:demo-org",
            "FINERACT_URL": self.fineract,
            "FINERACT_USER": "mifos",
            "FINERACT_PASSWORD": "password",
            "FINERACT_PAYMENT_TYPE": "Bank transfer",
            "FINERACT_SINGLE_PROCESS": "true",
        }
        self._process = Program(self._program, "serve", environment=settings)
        self._listen = self._process.find(r'"the gateway runs","address":"([^"]+)"')

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        self.kill()
        self._sandbox.kill()

    def effects(self, external_id: str) -> list[tuple[str, object]]:
        """The actions that Fineract has executed on a client or loan, with their amounts."""
        ledger = decode(httpx.get(self.fineract.split("/fineract-provider")[0] + "/sandbox/ledger").content)
        return [(entry["action"], entry.get("amount")) for entry in ledger if entry.get("externalId") == external_id]


def start_gateway() -> Iterator[Gateway]:
    programs = os.environ.get("FINERACT_GATEWAY_PROGRAMS")
    if programs is None or "DATABASE_URL" not in os.environ:
        pytest.skip("scripts/sdk-python.sh runs the tests with a gateway")
    gateway = Gateway(Path(programs))
    yield gateway
    gateway.close()
