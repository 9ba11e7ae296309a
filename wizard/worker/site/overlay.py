"""Source files that the project imports with another text: models as they would be, unwritten.

Whatever finder finds a module, its loader reads the file through `get_data`, and that is where
another text is given. Compiled code of such a file is neither read nor written.
"""

from __future__ import annotations

import base64
import os
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any


def lay_over(given: dict[str, str]) -> None:
    """Have files read with other bytes, which are given in base64 by their real paths."""
    if not given:
        return
    texts = {path: base64.b64decode(data) for path, data in given.items()}
    names = {Path(path).name for path in texts}
    get_data, path_stats = SourceFileLoader.get_data, SourceFileLoader.path_stats

    def text_of(path: str) -> bytes | None:
        return texts.get(os.path.realpath(path)) if Path(path).name in names else None

    def overlaid_data(self: SourceFileLoader, path: str) -> bytes:
        text = text_of(path)
        return get_data(self, path) if text is None else text

    def overlaid_stats(self: SourceFileLoader, path: str) -> Any:
        if text_of(path) is not None:
            raise OSError("laid over: there is no compiled code of it")
        return path_stats(self, path)

    loader: Any = SourceFileLoader
    loader.get_data, loader.path_stats = overlaid_data, overlaid_stats
