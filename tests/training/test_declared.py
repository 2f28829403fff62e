"""Everything that the loop asks of method, data and monitors is declared in `seam.py`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import twofold.training

FILES = sorted(Path(twofold.training.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_is_asked_by_a_name_in_quotes(file):
    calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    asked = [
        f"line {call.lineno}: {ast.unparse(call)}"
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id in ("getattr", "hasattr", "setattr")
        and isinstance(call.args[1], ast.Constant)
    ]
    assert asked == []
