"""Start the operator's project, and the guards under which it runs in here.

Three guards: no connection to a database that is pinned as a delivery target, no deletion of
a media file, and no redirects made by themselves for slugs that are only temporary.
"""

from __future__ import annotations

import importlib
import os
import platform
import sysconfig
from pathlib import Path
from typing import Any

from .protocol import PROTOCOL, Refusal, Reply
from .site import brief
from .site.earlier_models import EarlierModels
from .site.overlay import lay_over

SETTINGS = "DJANGO_SETTINGS_MODULE"
DATABASE = "REMODEL_DATABASE"  # a copy beside the settings' database, to be looked at


class Media:
    """Refuses to delete files: a local copy may be wired to production's media storage.

    Wagtail deletes the file when an image or document row goes (wagtail/images/signal_handlers.py),
    and a restored copy of production still knows production's bucket.
    """

    def __init__(self) -> None:
        self.reply: Reply | None = None

    def guard(self) -> None:
        """Make every storage of the project refuse to delete, those of single fields too."""
        from django.apps import apps
        from django.core.files import storage
        from django.db.models import FileField

        # `__class__`, not `type()`: the default storage is lazy, and tells what it stands for.
        classes: set[Any] = {storage.FileSystemStorage, storage.default_storage.__class__}
        named = getattr(storage, "storages", {})  # from Django 4.2
        classes |= {named[alias].__class__ for alias in getattr(named, "backends", {})}
        for model in apps.get_models(include_auto_created=True):
            fields = model._meta.local_concrete_fields
            classes |= {field.storage.__class__ for field in fields if isinstance(field, FileField)}
        for cls in classes:
            cls.delete = self._refuse

    def _refuse(self, name: str) -> None:
        if self.reply is not None:
            self.reply.line("remodel", f"Left the media file {name} where it is.")


media = Media()


def start() -> dict[str, Any]:
    """Set Django up and describe what was found: the contents of `hello`.

    Raise Refusal with type `no_django`, `settings`, `setup`, `no_wagtail` or `pinned`.
    """
    name = os.environ.get(SETTINGS, "")
    given = brief.read()
    lay_over(given["overlay"])
    try:
        django = importlib.import_module("django")
    except ImportError as error:
        raise Refusal(
            "no_django",
            "Django cannot be imported by the project's interpreter.",
            hint="Point project.python in remodel.yml to the project's virtual environment.",
        ) from error
    from django.db.backends.signals import connection_created

    from .site.database import hello_database, keep_own_settings, look_at, refuse_pinned

    connection_created.connect(keep_own_settings, weak=False)
    connection_created.connect(refuse_pinned, weak=False)
    _load_settings(name)
    earlier = EarlierModels(given["classes"]) if given.get("classes") else None
    if earlier is not None:
        earlier.lay()
    _set_up(django, name)
    if earlier is not None:
        earlier.require_laid()
    from django.apps import apps
    from django.conf import settings

    if not (apps.is_installed("wagtail") or apps.is_installed("wagtail.core")):
        raise Refusal(
            "no_wagtail",
            f"The settings {name} do not install Wagtail.",
            found="INSTALLED_APPS: " + ", ".join(settings.INSTALLED_APPS),
            hint="Name the settings module of the Wagtail site as project.settings.",
        )
    settings.WAGTAILREDIRECTS_AUTO_CREATE = False
    _turn_to(os.environ.get(DATABASE, ""))
    if given["look_at"] is not None:
        look_at(given["look_at"])
    media.guard()
    from .site.models import page_labels

    database = hello_database()
    return {
        "protocol": PROTOCOL,
        "python": platform.python_version(),
        "django": django.get_version(),
        "wagtail": _version("wagtail"),
        "treebeard": _version("treebeard"),
        "settings": name,
        "project": str(Path.cwd()),
        "database": database,
        "page_models": page_labels(),
        "apps": _apps(),
        "pending": None if database["error"] else _pending(),
    }


def _turn_to(database: str) -> None:
    """Have the pages' connection lead to another database of the same server."""
    from .site.database import page_connection

    if database:
        connection = page_connection()
        connection.close()
        connection.settings_dict["NAME"] = database  # shared by the connections of every thread


def _load_settings(name: str) -> None:
    from django.conf import settings

    try:
        _ = settings.INSTALLED_APPS  # the first access imports the module
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise Refusal(
            "settings",
            f"Importing the project's settings {name or '(none named)'} failed.",
            hint="Correct the settings module, or name another as project.settings.",
        ) from error


def _set_up(django: Any, name: str) -> None:
    try:
        django.setup()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise Refusal(
            "setup",
            f"The project's apps cannot be loaded under {name}.",
            hint="`python manage.py check` in the project should show the same error.",
        ) from error


def _version(module: str) -> str:
    return str(getattr(importlib.import_module(module), "__version__", "unknown"))


def _apps() -> dict[str, dict[str, Any]]:
    """Return where each app comes from: what a model edit changes, and whether it is installed."""
    from django.apps import apps

    installed = [Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")]
    described = {}
    for config in apps.get_app_configs():
        path = Path(config.path).resolve()  # through the link that `flit install -s` makes
        models = getattr(config.models_module, "__file__", None)
        described[config.label] = {
            "module": config.name,
            "path": str(path),
            "models": str(Path(models).resolve()) if models else None,
            "installed": any(place in path.parents for place in installed),
        }
    return described


def _pending() -> list[str]:
    from .site.migrations import pending

    return pending()
