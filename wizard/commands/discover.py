"""Before there is a remodel.yml: find what can be found, ask for the rest, write it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from wizard.base.errors import ConfigError
from wizard.config import config as configs
from wizard.project.django_project import DjangoProject
from wizard.project.handshake import Hello
from wizard.project.worker_client import WorkerClient
from wizard.session.questions import Question

SETTINGS = Question(
    "project.settings",
    "The settings module",
    help="For example config.settings.local; manage.py does not name one.",
)
PYTHON = Question(
    "project.python",
    "The project's interpreter",
    help="For example ../venv/bin/python; no .venv, venv or env was found.",
    kind="path",
)


@dataclass(frozen=True)
class Discovery:
    """What was detected in a folder, as (name, value) pairs, and what has to be asked."""

    folder: Path
    detected: tuple[tuple[str, str], ...]
    questions: tuple[Question, ...]
    fixed: Mapping[str, Any]
    """Parts of remodel.yml that need no question."""


def missing(project: DjangoProject) -> tuple[Question, ...]:
    """Return what has to be asked before the project can be started at all."""
    questions = []
    if project.settings is None:
        questions.append(SETTINGS)
    if project.python is None:
        questions.append(PYTHON)
    return tuple(questions)


async def discover(project: DjangoProject, given: Mapping[str, Any]) -> Discovery:
    """Look at a Django project through a Python of its own; `given` answers what was `missing`.

    Raise ConfigError when the settings cannot be imported (with the project's own traceback).
    """
    folder = project.root
    settings = project.settings or given[SETTINGS.key]
    python = project.python or folder / Path(given[PYTHON.key]).expanduser()
    async with WorkerClient(python, folder, settings) as worker:
        hello = worker.hello
    database = hello.database
    if database.vendor != "postgresql":
        raise ConfigError(
            "The project's database is not PostgreSQL.",
            found=f"ENGINE is {database.engine}",
            hint="remodel works on PostgreSQL alone.",
        )
    local = {
        "database": database.name,
        **({"host": database.host} if database.host else {}),
        **({"port": int(database.port)} if database.port else {}),
        **({"user": database.user} if database.user else {}),
        "site": {"hostname": "localhost", "port": 8000},
    }
    fixed = {
        "project": {
            "path": ".",
            "python": os.path.relpath(python, folder),
            "settings": settings,
        },
        "local": local,
    }
    detected = (
        ("manage.py", str(project.manage)),
        ("Python", f"{hello.python} at {python}"),
        ("Django", hello.django),
        ("Wagtail", hello.wagtail),
        ("database", database.name),
        ("page models", ", ".join(sorted(hello.page_models))),
    )
    return Discovery(folder, detected, _questions(sorted(hello.page_models), hello), fixed)


def _questions(models: list[str], hello: Hello) -> tuple[Question, ...]:
    own = tuple(model for model in models if not model.startswith("wagtailcore."))
    return (
        Question(
            "conversion.from", "Which page model do the pages have now?", kind="choice", choices=own
        ),
        Question(
            "conversion.to",
            "The new model, as app.Model",
            help="One that is there, or a new one in the same app, whose class is written for you. "
            "For example cast.Podcast.",
            check=_label,
        ),
        Question(
            "conversion.pages", "Slugs of the pages that become it", help="Separated by spaces."
        ),
        Question(
            "conversion.move",
            "Fields that move to the new model",
            help="Separated by spaces; the others stay and are inherited. Empty where the new "
            "model is there already.",
            optional=True,
            default="",
        ),
        Question(
            "project.package",
            "Folder of the package that the models live in",
            help="Relative to this folder; empty when the app belongs to the project.",
            optional=True,
            default="",
        ),
        Question(
            "project.install",
            "Command that installs the package into the project's environment",
            help="For example: flit install -s. Empty for an editable install.",
            optional=True,
            default="",
        ),
        Question(
            "production.ssh",
            "Production's host, as ssh knows it",
            help="user@host, or an alias from ~/.ssh/config.",
        ),
        Question(
            "production.database",
            "Production's database",
            default=hello.database.name,
        ),
        Question("production.hostname", "Production's hostname in Wagtail's Site"),
        Question(
            "production.port", "Production's port in Wagtail's Site", kind="number", default=443
        ),
    )


def _label(value: str) -> None:
    app, _, model = value.partition(".")
    if not (app.isidentifier() and model.isidentifier()):
        raise ValueError(f"{value!r} is not of the form app.Model")


def write(discovery: Discovery, answers: Mapping[str, Any]) -> Path:
    """Write remodel.yml from what was found and answered; returns its path.

    Raise ConfigError when there is one already: it is never overwritten.
    """
    path = discovery.folder / configs.FILE
    if path.exists():
        raise ConfigError(f"{path} is there already.", hint="Edit it, or move it away.")
    project = dict(discovery.fixed["project"])
    if answers["project.package"]:
        project["package"] = answers["project.package"]
    if answers["project.install"]:
        project["install"] = answers["project.install"].split()
    data = {
        "project": project,
        "local": discovery.fixed["local"],
        "source": "production",
        "targets": {
            "production": {
                "ssh": answers["production.ssh"],
                "database": answers["production.database"],
                "site": {
                    "hostname": answers["production.hostname"],
                    "port": answers["production.port"],
                },
            }
        },
        "conversion": {
            "from": answers["conversion.from"],
            "to": answers["conversion.to"],
            "pages": [{"slug": slug} for slug in answers["conversion.pages"].split()],
            "prefix": "new_",
            "move": answers["conversion.move"].split(),
        },
    }
    text = "# Written by `remodel`. The README's config reference explains every key.\n"
    path.write_text(text + yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path
