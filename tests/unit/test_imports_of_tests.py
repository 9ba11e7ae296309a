"""Tests share code by tests.support alone, so that each folder can be read and run by itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def imported(path: Path) -> Iterator[str]:
    """Yield the full name of every module, and of every name in one, that a file imports."""
    package = ("tests", *path.relative_to(TESTS).parent.parts)
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def is_test(name: str) -> bool:
    """Whether a dotted name is a test module's, a conftest's, or of something in one."""
    parts = name.split(".")
    return parts[0] == "tests" and any(
        part == "conftest" or part.startswith("test_") for part in parts[1:]
    )


@pytest.mark.parametrize(
    "name", ["tests.conftest", "tests.unit.test_config.GOOD", "tests.postgres.conftest"]
)
def test_recognizes_tests_and_conftest(name: str) -> None:
    assert is_test(name)
    assert not is_test("tests.support.postgres")


def test_imports_no_test_module_and_no_conftest() -> None:
    wrong = [
        f"{path.relative_to(TESTS)} imports {name}"
        for path in sorted(TESTS.rglob("*.py"))
        if "project" not in path.parts
        for name in imported(path)
        if is_test(name)
    ]
    assert wrong == []


def test_support_imports_no_folder_of_tests() -> None:
    wrong = [
        f"{path.name} imports {name}"
        for path in sorted((TESTS / "support").glob("*.py"))
        for name in imported(path)
        if name.startswith("tests.") and not name.startswith("tests.support")
    ]
    assert wrong == []


def test_folders_share_by_support_alone() -> None:
    wrong = [
        f"{path.relative_to(TESTS)} imports {name}"
        for path in sorted(TESTS.glob("*/**/*.py"))
        if "project" not in path.parts
        for name in imported(path)
        if name.startswith("tests.")
        and name.split(".")[1] not in ("support", path.relative_to(TESTS).parts[0])
    ]
    assert wrong == []
