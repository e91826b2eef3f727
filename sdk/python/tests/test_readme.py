"""The program in README runs as it stands, and may be run again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .live import Gateway

README = Path(__file__).parents[1] / "README.md"


def test_the_example_runs_twice(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    example = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0]
    assert "http://127.0.0.1:8080/api/v1" in example
    for _ in range(2):
        exec(example.replace("http://127.0.0.1:8080/api/v1", gateway.url), {})
        shown = capsys.readouterr().out
        assert "'loanId'" in shown
        assert "100000.5" in shown
        assert "OperationEvent(" in shown
    assert [action for action, _ in gateway.effects("LOAN-9001")] == ["CREATE", "APPROVE", "DISBURSE"]
