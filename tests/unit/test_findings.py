"""A screen shows the last finding of a name: each one of a loop needs a name of its own."""

from __future__ import annotations

import ast
from pathlib import Path

import wizard

PACKAGE = Path(wizard.__file__).parent


def test_no_loop_reports_findings_of_one_name() -> None:
    found = {
        f"{path.relative_to(PACKAGE)}:{call.lineno}"
        for path in PACKAGE.rglob("*.py")
        for loop in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(loop, ast.For | ast.AsyncFor)
        for call in ast.walk(loop)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "finding"
        and isinstance(call.args[0], ast.Constant)
    }
    assert found == set()
