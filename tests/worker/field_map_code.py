"""Code that tests of the field map run in the project."""

from __future__ import annotations

import json
from typing import Any

from tests.worker.press import Press

# Runs in the project; ends with `told`, which is what the test is about.
PRELUDE = """
import json
from django.db import connection, transaction
from shapes import models
from shapes.fill import fill
from wizard.worker.convert import checks, computed, values
from wizard.worker.plan import field_table, fieldmap, relations
from wizard.worker.references import idmap
from wizard.worker.protocol import Refusal

told = {}
def resolve(old_type, new_type, fields={}, move=(), prefix="new_"):
    return fieldmap.resolve(old_type, new_type, prefix=prefix, move=list(move), fields=fields)
def refused(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except Refusal as refusal:
        return {"type": refusal.kind, "found": refusal.found.split("\\n")}
def load(*slugs):
    idmap.load(cursor, {ids[slug]: ids[slug] for slug in slugs})
SIBLINGS = models.StandardPage, models.ArticlePage
with transaction.atomic():
    cursor = connection.cursor()
    ids = fill()
"""
FITTING = """
models.StandardPage.objects.filter(slug="rich").update(
body=[("text", "<p>100% text</p>")], rating=4, layout="narrow")
models.StandardPage.objects.filter(slug="long").update(code="long")
"""


async def _told(press: Press, code: str) -> Any:
    indented = "\n".join("    " + line for line in code.strip().splitlines())
    return json.loads(await press.shell(f"{PRELUDE}{indented}\nprint(json.dumps(told))"))
