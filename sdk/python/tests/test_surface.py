"""`Client` and `AsyncClient` have the same methods, and the package what it says."""

from __future__ import annotations

import inspect
import re
from importlib.resources import files

import pytest

import fineract_gateway
from fineract_gateway import AsyncClient, Client
from fineract_gateway.async_bulk import AsyncBulk
from fineract_gateway.bulk import Bulk


def methods(kind: type) -> dict[str, str]:
    """The public methods, with their parameters and results, as those of a `Client`."""
    members = inspect.getmembers(kind, inspect.isfunction)
    return {
        name: re.sub(r"\bAsync(?=Iterator|Client)|(?<=httpx\.)Async", "", str(inspect.signature(member)))
        for name, member in members
        if not name.startswith("_") or name == "__init__"
    }


@pytest.mark.parametrize(("sync", "asynchronous"), [(Client, AsyncClient), (Bulk, AsyncBulk)])
def test_both_clients_have_the_same_methods(sync: type, asynchronous: type) -> None:
    assert methods(sync) == methods(asynchronous)


def test_each_public_method_is_described() -> None:
    for kind in [Client, AsyncClient, Bulk, AsyncBulk]:
        for name in methods(kind):
            assert name == "__init__" or getattr(kind, name).__doc__, name


def test_the_package_is_typed_and_complete() -> None:
    assert files(fineract_gateway).joinpath("py.typed").is_file()
    assert fineract_gateway.__all__ == sorted(fineract_gateway.__all__)
    for name in fineract_gateway.__all__:
        assert hasattr(fineract_gateway, name)
