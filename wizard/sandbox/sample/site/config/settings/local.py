"""Settings for a developer's own machine.

Where the database is stands in `database.json` beside this file, which is not for version
control. HARBOUR_* variables go before it, so that the same code can fill another database.
"""

import json
import os
from pathlib import Path

from .base import *  # noqa: F403

DEBUG = True
SECRET_KEY = "only-for-a-developer's-own-machine"
ALLOWED_HOSTS = ["*"]
WAGTAILADMIN_BASE_URL = "http://localhost:8000"

_file = Path(__file__).with_name("database.json")
_database = json.loads(_file.read_text()) if _file.exists() else {}


def _setting(name, default=""):
    return os.environ.get(f"HARBOUR_{name}") or _database.get(name.lower(), default)


DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _setting("DATABASE", "harbour"),
        "USER": _setting("USER"),
        "PASSWORD": _setting("PASSWORD"),
        "HOST": _setting("HOST"),
        "PORT": _setting("PORT"),
    }
}

if "HARBOUR_MEDIA" in os.environ:
    MEDIA_ROOT = Path(os.environ["HARBOUR_MEDIA"])
