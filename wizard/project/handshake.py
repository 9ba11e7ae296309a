"""The worker's greeting: what it says of the operator's project once it has started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ProjectDatabase:
    """The database of the project's settings. `error` says why it could not be reached."""

    vendor: str
    engine: str
    name: str
    host: str
    port: str
    user: str
    system_identifier: str | None
    oid: int | None
    server_version: str | None
    error: str | None

    @property
    def identity(self) -> tuple[str, int] | None:
        """Return the cluster's system identifier and the database's OID; None while unreachable."""
        if self.system_identifier is None or self.oid is None:
            return None
        return (self.system_identifier, self.oid)


@dataclass(frozen=True)
class App:
    """An installed app. `installed` is False for a project's own and an editable package's."""

    module: str
    path: Path
    models: Path | None
    installed: bool


@dataclass(frozen=True)
class Hello:
    """The greeting.

    `pending` are the migrations not applied yet, None while the database is unreachable.
    """

    protocol: int
    python: str
    django: str
    wagtail: str
    treebeard: str
    settings: str
    project: Path
    database: ProjectDatabase
    page_models: tuple[str, ...]
    apps: Mapping[str, App]
    pending: tuple[str, ...] | None


def parse(message: dict[str, Any]) -> Hello:
    """Return the greeting in a message of the worker."""
    given = {field.name: message[field.name] for field in fields(Hello)}
    pending = given["pending"]
    apps = {
        label: App(
            app["module"],
            Path(app["path"]),
            Path(app["models"]) if app["models"] else None,
            app["installed"],
        )
        for label, app in given["apps"].items()
    }
    return Hello(
        **{
            **given,
            "project": Path(given["project"]),
            "database": ProjectDatabase(**given["database"]),
            "page_models": tuple(given["page_models"]),
            "apps": apps,
            "pending": None if pending is None else tuple(pending),
        }
    )
