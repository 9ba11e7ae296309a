"""The guard in a plain Django project on SQLite, with fields of every kind: nothing of ours runs
there but the module itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wizard.worker.site import guards

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
"""
HEAD = """
import uuid

from django.db import models


class Tag(models.Model):
    pass

"""
FIELDS = """
    word = models.CharField(max_length=9, blank=True, null=True)
    kind = models.CharField(max_length=9, default="plain")
    count = models.IntegerField(default=1)
    flag = models.BooleanField(default=False)
    extra = models.JSONField(default=dict, blank=True)
    some = models.JSONField(null=True)
    tag = models.ForeignKey(Tag, null=True, on_delete=models.SET_NULL, related_name="+")
    tags = models.ManyToManyField(Tag, related_name="{side}")
"""
MOVED = ["word", "kind", "count", "flag", "extra", "some", "tag", "tags"]
CREATE = """
from shop.models import Tag, Thing, Special
things = [Thing.objects.create(title=str(n)) for n in range(12)]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project whose migrations add `Special(Thing)`, then remove the fields from Thing."""
    app = tmp_path / "shop"
    (app / "migrations").mkdir(parents=True)
    (app / "__init__.py").touch()
    (app / "migrations" / "__init__.py").touch()
    (tmp_path / "settings.py").write_text(SETTINGS)
    shutil.copy(guards.SOURCE, app / "migrations" / "_guard.py")
    thing = "class Thing(models.Model):\n    title = models.CharField(max_length=9)\n"
    special = "\n\nclass Special(Thing):\n"
    (app / "models.py").write_text(
        HEAD + thing + FIELDS.format(side="one") + special + "    pass\n"
    )
    manage(tmp_path, "makemigrations", "shop", "-n", "initial")
    guard = (
        f'_guard.RequireValuesMoved(key="shop.0002", old="thing", new="special", fields={MOVED})'
    )
    removals = "".join(f'        migrations.RemoveField("thing", "{name}"),\n' for name in MOVED)
    (app / "migrations" / "0002_removal.py").write_text(
        "from django.db import migrations\n\nfrom . import _guard\n\n\n"
        "class Migration(migrations.Migration):\n"
        '    dependencies = [("shop", "0001_initial")]\n'
        f"    operations = [\n        {guard},\n{removals}    ]\n"
    )
    manage(tmp_path, "migrate", "shop", "0001")
    return tmp_path


def manage(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run django-admin in the project."""
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "settings"}
    return subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        cwd=project,
        env={**environment, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ("", 0),
        ("things[0].word = ''; things[0].save()", 0),
        ("things[0].word = '[]'; things[0].save()", 1),
        ("things[0].kind = ''; things[0].save()", 0),
        ("things[0].kind = 'odd'; things[0].save()", 1),
        ("things[0].count = 0; things[0].save()", 1),
        ("things[0].flag = True; things[0].save()", 1),
        ("things[0].extra = []; things[0].some = {}; things[0].save()", 0),
        ("things[0].extra = {'a': None}; things[0].save()", 1),
        ("things[0].tag = Tag.objects.create(); things[0].save()", 1),
        ("things[0].tags.add(Tag.objects.create())", 1),
        ("things[0].tags.add(Tag.objects.create()); things[0].count = 2; things[0].save()", 1),
        ("Thing.objects.update(word='x')", 12),
        ("s = Special(thing_ptr=things[0]); s.__dict__.update(title='0', word='x'); s.save()", 0),
    ],
)
def test_counts_rows_that_hold_something_and_did_not_move(
    shop: Path, values: str, rows: int
) -> None:
    assert manage(shop, "shell", "-c", CREATE + values).returncode == 0
    ended = manage(shop, "migrate")
    assert (ended.returncode == 1) == (rows > 0), ended.stderr
    if rows:
        plural = "row" if rows == 1 else "rows"
        assert f"shop.0002 would drop what {rows} {plural} of shop.thing" in ended.stderr
        assert ended.stderr.count("\n  ") == min(rows, 11)
        assert "Traceback" not in ended.stderr
        with (shop / "settings.py").open("a") as settings:
            settings.write(f'REMODEL_DISCARD = {{"shop.0002": {rows - 1}}}\n')
        assert manage(shop, "migrate").returncode == 1
        with (shop / "settings.py").open("a") as settings:
            settings.write(f'REMODEL_DISCARD = {{"shop.0002": {rows}}}\n')
        assert manage(shop, "migrate").returncode == 0


def test_a_wrong_setting_is_an_error(shop: Path) -> None:
    with (shop / "settings.py").open("a") as settings:
        settings.write('REMODEL_DISCARD = {"shop.0002": "all"}\n')
    ended = manage(shop, "migrate")
    assert ended.returncode == 1
    assert "REMODEL_DISCARD['shop.0002'] is 'all': set it to a number" in ended.stderr


def test_survives_squashing(shop: Path) -> None:
    assert manage(shop, "shell", "-c", CREATE + "Thing.objects.update(word='x')").returncode == 0
    squashed = manage(shop, "squashmigrations", "shop", "0002", "--noinput")
    assert squashed.returncode == 0, squashed.stderr
    (text,) = [path.read_text() for path in (shop / "shop/migrations").glob("*squashed*.py")]
    assert "_guard.RequireValuesMoved(" in text
    assert manage(shop, "migrate").returncode == 1
