"""The file of every URL as it was before anything was changed: one JSON array, read row by row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from wizard.project.worker_results import UrlRow

CHUNK = 1 << 16  # characters


def read(path: Path) -> Iterator[UrlRow]:
    """Yield the rows of the file; none where there is no file yet.

    A site of a million pages is not held in memory for the few that are shown. Raise ValueError
    when the file was cut off.
    """
    if not path.exists():
        return
    decoder = json.JSONDecoder()
    with path.open(encoding="utf-8") as file:
        text, at, more = file.read(CHUNK), 0, True
        while True:
            while at < len(text) and text[at] in "[, \n":
                at += 1
            if text[at : at + 1] == "]":
                return
            try:
                row, at = decoder.raw_decode(text, at)
            except json.JSONDecodeError:
                if not more:
                    raise
                chunk = file.read(CHUNK)
                text, at, more = text[at:] + chunk, 0, bool(chunk)
            else:
                yield row
