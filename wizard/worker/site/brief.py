"""What the parent tells a worker that its environment is not the place for.

It comes by an open file without a name, which is read once and closed before any code of the
project runs: so a killed parent leaves nothing, and the project finds no password in os.environ.
"""

from __future__ import annotations

import json
import os
from typing import Any

BRIEF = "REMODEL_BRIEF"  # the number of the file's descriptor
CHUNK = 1 << 20


def read() -> dict[str, Any]:
    """Return what was given: each is empty, or None, where nothing was.

    `overlay` has base64 by the real paths of files, `classes` is for
    `earlier_models.EarlierModels`, and `look_at` is a target.
    """
    number = os.environ.pop(BRIEF, "")
    if not number:
        return {"overlay": {}, "classes": None, "look_at": None}
    descriptor, content = int(number), b""
    while part := os.pread(descriptor, CHUNK, len(content)):
        content += part
    os.close(descriptor)
    brief: dict[str, Any] = json.loads(content)
    return brief
