"""remodel.yml and .env, read strictly. Every value knows where it came from.

Relative paths are relative to the folder of remodel.yml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from wizard.base import yamlfile
from wizard.base.errors import ConfigError
from wizard.config import databases
from wizard.config.databases import Local, Target
from wizard.config.environment import Environment
from wizard.config.section import ConfigSection

FILE = "remodel.yml"
Policy = Literal["block", "warn", "ignore"]
POLICIES: tuple[str, ...] = get_args(Policy)


@dataclass(frozen=True)
class Project:
    """The operator's Django project. `package` is the folder of the app's own distribution."""

    path: Path
    python: Path
    settings: str
    package: Path | None
    install: tuple[str, ...]


@dataclass(frozen=True)
class Backup:
    """What becomes of production's content on its way to the local database.

    `exclude_table_data` names tables that come without their rows; `anonymise` are commands that
    run in the project once the backup is restored. An anonymised database is never delivered
    to where it came from: with `anonymise` the source is no target.
    """

    exclude_table_data: tuple[str, ...] = ()
    anonymise: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Restoring:
    """How dumps are restored.

    The local copy does without the objects to `leave_out`, named as `pg_restore --list` does: kind,
    schema, name. Functions of indexes and generated columns rely on `search_path`; '' for none.
    """

    leave_out: tuple[str, ...] = ()
    search_path: str = ""


@dataclass(frozen=True)
class Conversion:
    """Which pages become what. Types are `app.Model`; `move` names fields of the old type.

    `ids` is `new` (new pages beside the old ones, which are deleted) or `kept` (in place).
    `fields` is the rest of the field map, by the new type's fields; see `wizard.config.fieldmap`.
    """

    old_type: str
    new_type: str
    pages: tuple[Mapping[str, Any], ...]
    prefix: str
    move: tuple[str, ...]
    ids: str = "new"
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def app(self) -> str:
        """The app label of the source, and of a target that is written for it."""
        return self.old_type.partition(".")[0]

    @property
    def apps(self) -> tuple[str, ...]:
        """The app labels of source and target; one where they are the same."""
        return tuple(dict.fromkeys((self.app, self.new_type.partition(".")[0])))

    @property
    def kept(self) -> bool:
        """Whether pages keep their ids."""
        return self.ids == "kept"


@dataclass(frozen=True)
class Config:
    """All of remodel.yml."""

    path: Path
    project: Project
    local: Local
    backup_source: Target
    targets: Mapping[str, Target]
    conversion: Conversion
    postgres_bin: Path | None
    backup: Backup = Backup()
    restore: Restoring = Restoring()
    drift: Mapping[str, str] = field(default_factory=dict)
    """Policies by table, see `wizard.delivery.drift.policy`: a session may go on with others."""
    origin: Mapping[str, str] = field(default_factory=dict)
    """Dotted key -> `remodel.yml:12`, `.env`, `the environment` or `default`."""

    @property
    def reached(self) -> list[Target]:
        """Every database but the local one that is connected to: the targets and the source."""
        others = [] if self.backup_source.name in self.targets else [self.backup_source]
        return [*self.targets.values(), *others]

    @property
    def folder(self) -> Path:
        """Where remodel.yml lies, and with it `.remodel/` and `backups/`."""
        return self.path.parent

    @property
    def state(self) -> Path:
        """The folder of sessions, pins and known hosts."""
        return self.folder / ".remodel"

    @property
    def backups(self) -> Path:
        """The folder of dumps, named as the notes of old name it."""
        return self.folder / "backups"

    def identity(self) -> dict[str, Any]:
        """Return what a session belongs to; `resume` refuses a config with another."""
        conversion = self.conversion
        return {
            "project": str(self.project.path.resolve()),
            "settings": self.project.settings,
            "local": str(self.local.address),
            "source": self.backup_source.name,
            "targets": {
                name: f"{target.delivery} to {target.address.database} on {target.where}, "
                f"site {target.site}"
                for name, target in self.targets.items()
            },
            "conversion": {
                "from": conversion.old_type,
                "to": conversion.new_type,
                "pages": [dict(page) for page in conversion.pages],
                "prefix": conversion.prefix,
                "move": list(conversion.move),
                "ids": conversion.ids,
                "fields": dict(conversion.fields),
            },
        }


def find(start: Path) -> Path | None:
    """Return the nearest remodel.yml in `start` or above it."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
    return None


def read(path: Path) -> Config:
    """Read remodel.yml and the .env beside it. Raise ConfigError with the line at fault."""
    data, lines = yamlfile.load(path, ConfigError)
    folder = path.resolve().parent
    secrets = Environment(folder / ".env")
    top = ConfigSection(data, lines, path, "")
    top.refuse_secrets()

    project = top.section("project")
    project_path = folder / project.text("path", ".")
    package = project.text("package", "")
    local = top.section("local")
    local_database = databases.local(local, secrets)
    targets_section = top.section("targets")
    targets = {
        name: databases.target(targets_section.section(name), name, folder, secrets)
        for name in targets_section.names()
    }
    source = top.text("source", "production")
    conversion = top.section("conversion")
    postgres = top.section("postgres", optional=True)
    postgres_bin = postgres.text("bin", "")
    backup_section = top.section("backup", optional=True)
    backup = Backup(
        backup_section.words("exclude_table_data"), backup_section.commands("anonymise")
    )
    restore = top.section("restore", optional=True)
    drift = top.section("drift", optional=True)

    config = Config(
        path=path.resolve(),
        project=Project(
            path=project_path,
            python=databases.rooted(folder, project.text("python", ".venv/bin/python")),
            settings=project.text("settings"),
            package=databases.rooted(folder, package) if package else None,
            install=project.words("install"),
        ),
        local=local_database,
        backup_source=targets[source] if source in targets else _no_source(source, targets, path),
        targets={
            name: target
            for name, target in targets.items()
            if not (backup.anonymise and name == source)
        },
        conversion=Conversion(
            old_type=conversion.label("from"),
            new_type=conversion.label("to"),
            pages=conversion.selectors("pages"),
            prefix=conversion.text("prefix", "new_"),
            move=conversion.words("move"),
            ids=conversion.choice("ids", ("new", "kept")),
            fields=conversion.field_map("fields"),
        ),
        postgres_bin=databases.rooted(folder, postgres_bin) if postgres_bin else None,
        backup=backup,
        restore=Restoring(restore.words("leave_out"), restore.text("search_path", "")),
        drift={table: drift.choice(table, POLICIES) for table in drift.names()},
        origin={**top.origin, **secrets.origin},
    )
    for section in (
        top,
        project,
        local,
        targets_section,
        conversion,
        postgres,
        backup_section,
        restore,
        drift,
    ):
        section.no_more_keys()
    _check(config)
    return config


def _check(config: Config) -> None:
    conversion = config.conversion
    if not config.targets:
        raise ConfigError(
            f"There is nothing to deliver to: what backup.anonymise leaves must not go back to "
            f"{config.backup_source.name}.",
            hint="Add a staging target, or take backup.anonymise out.",
        )
    if conversion.old_type == conversion.new_type:
        raise ConfigError(
            f"conversion.from and conversion.to are both {conversion.old_type}.",
            hint="Name the model that the pages shall become as conversion.to.",
        )
    if conversion.move and len(conversion.apps) > 1:
        raise ConfigError(
            f"{conversion.old_type} and {conversion.new_type} are in different apps, "
            "and conversion.move would have fields moved from one file to the other.",
            hint="Fields move within one app. For a model that exists already, leave out "
            "conversion.move and say in conversion.fields where its fields come from.",
        )
    if not conversion.prefix.isidentifier():
        raise ConfigError(
            f"The prefix {conversion.prefix!r} cannot begin a field's name.",
            hint="Use something like new_ in conversion.prefix.",
        )


def _no_source(source: str, targets: Mapping[str, Target], path: Path) -> Target:
    raise ConfigError(
        f"{path.name}: source is {source!r}, and no target has that name.",
        hint=yamlfile.nearest(source, list(targets)) or "Add it under targets.",
    )
