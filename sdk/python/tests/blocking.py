"""Lets the same test run with `Client` and with `AsyncClient`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Iterator
from typing import Any

from fineract_gateway import AsyncClient
from fineract_gateway.async_bulk import AsyncBulk


class Blocking:
    """An `AsyncClient` with the methods of a `Client`."""

    def __init__(self, client: AsyncClient | AsyncBulk, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._client, name)
        if isinstance(member, AsyncBulk):
            return Blocking(member, self._loop)
        if inspect.isasyncgenfunction(member):
            return lambda *args, **kwargs: self._iterate(member(*args, **kwargs))
        return lambda *args, **kwargs: self._loop.run_until_complete(member(*args, **kwargs))

    def __repr__(self) -> str:
        return repr(self._client)

    def _iterate(self, items: AsyncGenerator[Any, None]) -> Iterator[Any]:
        async def following() -> Any:
            return await anext(items, self)

        try:
            while (item := self._loop.run_until_complete(following())) is not self:
                yield item
        finally:
            self._loop.run_until_complete(items.aclose())
