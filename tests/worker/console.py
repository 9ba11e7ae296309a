"""The project's own Python, with Django set up, for one snippet after another.

Reads a line of JSON for each, the code; answers with `{"printed": ...}` or `{"raised": ...}`.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback
from pathlib import Path

import django

sys.path[0] = str(Path.cwd())  # the project's, not this file's, which has a shapes.py beside it
django.setup()

from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.db import connections  # noqa: E402

for line in sys.stdin:
    ContentType.objects.clear_cache()
    cache.clear()
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(json.loads(line), {"__name__": "__main__"})
        answer = {"printed": printed.getvalue()}
    except BaseException:
        answer = {"raised": traceback.format_exc()}
    connections.close_all()  # the database is another one the next time
    print(json.dumps(answer), flush=True)
