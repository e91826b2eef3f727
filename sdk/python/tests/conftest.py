from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias, cast

import pytest

from fineract_gateway import AsyncClient, BulkCredentials, Client, Retry

from .blocking import Blocking
from .live import Gateway, start_gateway
from .scripted import ScriptedServer

TOKEN = "secret-token"
API_KEY = "secret-key"
BULK = BulkCredentials("secret-id", "secret-secret", "secret-app", "secret-organisation")

Connect: TypeAlias = Callable[..., Client]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    yield server
    server.close()


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Makes clients, and closes them at the end of the test. Each test that uses it runs with both kinds."""
    with ExitStack() as stack:
        loop = asyncio.new_event_loop()
        stack.callback(loop.close)

        def connect(base_url: str, **arguments: Any) -> Client:
            if request.param == "sync":
                return stack.enter_context(Client(base_url, **arguments))
            client = AsyncClient(base_url, **arguments)
            stack.callback(lambda: loop.run_until_complete(client.close()))
            return cast(Client, Blocking(client, loop))

        yield connect


@pytest.fixture
def client(connect: Connect, server: ScriptedServer) -> Client:
    """A client of the scripted server that does not wait long before it tries again."""
    return connect(
        server.url + "/api/v1",
        token=TOKEN,
        api_key=API_KEY,
        bulk_credentials=BULK,
        timeout=5,
        retry=Retry(total=5, first_pause=0.001, longest_pause=0.01),
    )


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    """A real gateway, with the sandbox as Fineract."""
    yield from start_gateway()
