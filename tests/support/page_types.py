"""What the page types of a models file show, as a worker describes them in a project of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import wizard
from wizard.project.worker_results import PageInterfaces

ASK = """
import json
import sys
import django
from django.conf import settings
sys.path.insert(0, sys.argv[1])
settings.configure(
    INSTALLED_APPS=[
        "kinds", "wagtail.api.v2", "rest_framework", "wagtail.images", "wagtail.search",
        "wagtail.documents", "wagtail.users", "wagtail.admin", "wagtail", "taggit",
        "django.contrib.auth", "django.contrib.contenttypes",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField", USE_TZ=True, SECRET_KEY="x",
    STATIC_URL="/static/", WAGTAILADMIN_BASE_URL="http://localhost",
)
django.setup()
from wizard.worker.site.interfaces import interfaces
print(json.dumps(interfaces(None)))
"""


def page_types(models: str, folder: Path) -> dict[str, PageInterfaces]:
    """Describe the page types of an app `kinds` with these models, in a fresh Python.

    Its database has no tables.
    """
    package = folder / "kinds"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models.py").write_text(models)
    root = Path(wizard.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(root)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
