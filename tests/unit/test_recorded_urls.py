"""The URLs of before, read row by row."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from wizard.project import recorded_urls


def row(number: int) -> dict[str, Any]:
    return {"page_id": number, "url": f"/é{number}/", "title": '"[],{} \\' * (number % 50)}


@pytest.mark.parametrize("number", [0, 1, 2, 3_000])
@pytest.mark.parametrize("how", [{}, {"indent": 1}, {"ensure_ascii": False}])
def test_reads_what_was_written(tmp_path: Path, number: int, how: dict[str, Any]) -> None:
    path, rows = tmp_path / "urls-before.json", [row(one) for one in range(number)]
    path.write_text(json.dumps(rows, **how), encoding="utf-8")
    assert list(recorded_urls.read(path)) == rows


def test_there_are_none_before_there_is_a_file(tmp_path: Path) -> None:
    assert list(recorded_urls.read(tmp_path / "urls-before.json")) == []


def test_a_file_that_was_cut_off_is_not_a_shorter_one(tmp_path: Path) -> None:
    path = tmp_path / "urls-before.json"
    text = json.dumps([row(one) for one in range(30)])
    for length in (0, 1, len(text) // 2, len(text) - 1):
        path.write_text(text[:length])
        with pytest.raises(ValueError):
            list(recorded_urls.read(path))


def test_a_large_file_takes_no_more_memory(tmp_path: Path) -> None:
    path = tmp_path / "urls-before.json"
    path.write_text(json.dumps([row(one) for one in range(40_000)]))
    assert path.stat().st_size > 10_000_000
    tracemalloc.start()
    try:
        assert sum(1 for _ in recorded_urls.read(path)) == 40_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
