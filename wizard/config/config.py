"""remodel.yml and .env, read strictly. Every value knows where it came from.

Relative paths are relative to the folder of remodel.yml.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from wizard.base import yamlfile
from wizard.base.errors import ConfigError
from wizard.config.environment import Environment
from wizard.config.section import ConfigSection
from wizard.postgres.address import Address

FILE = "remodel.yml"
Policy = Literal["block", "warn", "ignore"]
POLICIES: tuple[str, ...] = get_args(Policy)
# libpq's own default, `prefer`, sends everything in the clear where TLS fails.
SSLMODES = ("require", "verify-full", "verify-ca", "disable")


TEMPLATE = "template0"


@dataclass(frozen=True)
class SiteAddress:
    """Hostname and port of a Wagtail Site."""

    hostname: str
    port: int

    def __str__(self) -> str:
        return f"{self.hostname}:{self.port}"


@dataclass(frozen=True)
class Project:
    """The operator's Django project. `package` is the folder of the app's own distribution."""

    path: Path
    python: Path
    settings: str
    package: Path | None
    install: tuple[str, ...]


@dataclass(frozen=True)
class Local:
    """The developer's own database, the only one that is worked on."""

    address: Address
    site: SiteAddress
    template: str = TEMPLATE
    """The database that new ones are made from: a superuser puts there what our role may not make,
    as an untrusted extension."""


@dataclass(frozen=True)
class Target:
    """A database that the result is delivered to. `address` is as seen from its own host.

    Without `ssh` it is one that this machine reaches itself, as a managed PostgreSQL is.
    """

    name: str
    ssh: str
    ssh_config: Path | None
    address: Address
    site: SiteAddress
    before: tuple[tuple[str, ...], ...] = ()
    after: tuple[tuple[str, ...], ...] = ()
    playbook: tuple[str, ...] = ()
    """The operator's own restore command; when given, delivery is by playbook, not by swap."""
    playbook_path: Path | None = None
    check: tuple[tuple[str, ...], ...] = ()
    """What has to succeed on the target, its database's name in REMODEL_DATABASE: of a swap once
    with the new database beside the live one, before that is touched; and after each delivery."""
    delivery: str = "swap"
    """The kind of delivery by its name, see `wizard.delivery.kinds`."""
    template: str = TEMPLATE
    """As the local database's, on the target's server."""

    @property
    def where(self) -> str:
        """Where it is, in a word: the SSH destination, or else the database's own host."""
        return self.ssh or self.address.host


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
    local_site = _site(local, SiteAddress("localhost", 8000))
    targets_section = top.section("targets")
    targets = {
        name: _target(targets_section.section(name), name, folder, secrets)
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
    drift = top.section("drift", optional=True)

    config = Config(
        path=path.resolve(),
        project=Project(
            path=project_path,
            python=_rooted(folder, project.text("python", ".venv/bin/python")),
            settings=project.text("settings"),
            package=_rooted(folder, package) if package else None,
            install=project.words("install"),
        ),
        local=Local(
            _address(local, "LOCAL", secrets), local_site, local.text("template", TEMPLATE)
        ),
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
        postgres_bin=_rooted(folder, postgres_bin) if postgres_bin else None,
        backup=backup,
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


def _target(section: ConfigSection, name: str, folder: Path, secrets: Environment) -> Target:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", name):
        # It is a part of files' and variables' names, and typed at the gate.
        section.refuse("", f"{yamlfile.brief(name)} cannot be a target's name; use a plain word")
    ssh = section.text("ssh", "")
    if ssh.startswith("-"):
        section.refuse("ssh", f"{ssh!r} looks like an option")
    ssh_config = section.text("ssh_config", "")
    playbook = section.words("playbook")
    playbook_path = section.text("playbook_path", "")
    if playbook and "delivery" in section.names():
        section.refuse("delivery", "the playbook is how it is delivered; leave out one of them")
    delivery = "playbook" if playbook else section.text("delivery", "swap")
    if delivery == "playbook" and not playbook:
        section.refuse("delivery", "a playbook needs its command, as `playbook`")
    target = Target(
        name=name,
        ssh=ssh,
        ssh_config=_rooted(folder, ssh_config) if ssh_config else None,
        address=_address(section, name.upper(), secrets),
        site=_site(section, None),
        before=section.commands("before"),
        after=section.commands("after"),
        playbook=playbook,
        playbook_path=_rooted(folder, playbook_path) if playbook_path else None,
        check=section.commands("check"),
        delivery=delivery,
        template=section.text("template", TEMPLATE),
    )
    if ssh:
        section.no_more_keys()
        return target
    return _without_ssh(section, target)


def _without_ssh(section: ConfigSection, target: Target) -> Target:
    """Return a target that this machine reaches itself; over a network with TLS by default."""
    if not target.address.host:
        section.refuse("ssh", "the key 'ssh' is missing; a database without it needs a `host`")
    for key in ("ssh_config", "before", "after", "check"):
        if getattr(target, key):
            section.refuse(key, "this needs `ssh`, and there is none")
    sslmode = section.choice("sslmode", SSLMODES)
    section.no_more_keys()
    if target.address.host.startswith("/"):  # a unix socket, which has no TLS
        return target
    return replace(target, address=replace(target.address, sslmode=sslmode))


def _address(section: ConfigSection, name: str, secrets: Environment) -> Address:
    return Address(
        database=section.text("database"),
        host=section.text("host", ""),
        port=section.number("port", 5432),
        user=section.text("user", ""),
        password=secrets.get(f"REMODEL_{name.replace('-', '_')}_PASSWORD"),
    )


def _site(section: ConfigSection, default: SiteAddress | None) -> SiteAddress:
    if default is not None and "site" not in section.names():
        return default
    site = section.section("site")
    address = SiteAddress(site.text("hostname"), site.number("port", 443))
    site.no_more_keys()
    return address


def _rooted(folder: Path, given: str) -> Path:
    """Make a path absolute without resolving links: a venv's python is one."""
    try:
        return Path(os.path.normpath(folder / Path(given).expanduser()))
    except RuntimeError as problem:
        raise ConfigError(
            f"The path {given!r} leads nowhere.",
            found=str(problem),
            hint="Write it in full in remodel.yml.",
        ) from None
