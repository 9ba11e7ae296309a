"""remodel.yml and .env, read strictly. Every value knows where it came from.

Relative paths are relative to the folder of remodel.yml.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from wizard import yamlfile
from wizard.errors import ConfigError
from wizard.postgres.address import Address
from wizard.redaction import Secret

FILE = "remodel.yml"


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


@dataclass(frozen=True)
class Target:
    """A database that the result is delivered to. `address` is as seen from its own host."""

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

    @property
    def delivery(self) -> str:
        """`swap` or `playbook`."""
        return "playbook" if self.playbook else "swap"


@dataclass(frozen=True)
class Conversion:
    """Which pages become what. Labels are `app.Model`; `move` names fields of the source."""

    source: str
    target: str
    pages: tuple[Mapping[str, Any], ...]
    prefix: str
    move: tuple[str, ...]

    @property
    def app(self) -> str:
        """The app label that both models live in."""
        return self.source.partition(".")[0]


@dataclass(frozen=True)
class Config:
    """All of remodel.yml."""

    path: Path
    project: Project
    local: Local
    source: Target
    targets: Mapping[str, Target]
    conversion: Conversion
    postgres_bin: Path | None
    origin: Mapping[str, str] = field(default_factory=dict)
    """Dotted key -> `remodel.yml:12`, `.env`, `the environment` or `default`."""

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
        """What a session belongs to: opened against anything else, it stops."""
        conversion = self.conversion
        return {
            "project": str(self.project.path.resolve()),
            "settings": self.project.settings,
            "local": str(self.local.address),
            "source": self.source.name,
            "targets": {
                name: f"{target.delivery} to {target.address.database} on {target.ssh}, "
                f"site {target.site}"
                for name, target in self.targets.items()
            },
            "conversion": {
                "from": conversion.source,
                "to": conversion.target,
                "pages": [dict(page) for page in conversion.pages],
                "prefix": conversion.prefix,
                "move": list(conversion.move),
            },
        }


def find(start: Path) -> Path | None:
    """The nearest remodel.yml in `start` or above it."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
    return None


def read(path: Path) -> Config:
    """Read remodel.yml and the .env beside it. Raises ConfigError with the line at fault."""
    data, lines = yamlfile.load(path, ConfigError)
    folder = path.resolve().parent
    secrets = _Secrets(folder / ".env")
    top = _Section(data, lines, path, "")

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

    config = Config(
        path=path.resolve(),
        project=Project(
            path=project_path,
            python=_rooted(folder, project.text("python", ".venv/bin/python")),
            settings=project.text("settings"),
            package=_rooted(folder, package) if package else None,
            install=project.words("install"),
        ),
        local=Local(_address(local, "LOCAL", secrets), local_site),
        source=targets[source] if source in targets else _no_source(source, targets, path),
        targets=targets,
        conversion=Conversion(
            source=conversion.label("from"),
            target=conversion.label("to"),
            pages=conversion.selectors("pages"),
            prefix=conversion.text("prefix", "new_"),
            move=conversion.words("move"),
        ),
        postgres_bin=_rooted(folder, postgres_bin) if postgres_bin else None,
        origin={**top.origin, **secrets.origin},
    )
    for section in (top, project, local, targets_section, conversion, postgres):
        section.no_more_keys()
    _check(config)
    return config


def _check(config: Config) -> None:
    conversion = config.conversion
    if conversion.app != conversion.target.partition(".")[0]:
        raise ConfigError(
            f"{conversion.source} and {conversion.target} are in different apps.",
            hint="Name a new model in the app of the old one; its package gets the new class.",
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


def _target(section: _Section, name: str, folder: Path, secrets: _Secrets) -> Target:
    ssh = section.text("ssh")
    if ssh.startswith("-"):
        section.refuse("ssh", f"{ssh!r} looks like an option")
    ssh_config = section.text("ssh_config", "")
    playbook = section.words("playbook")
    playbook_path = section.text("playbook_path", "")
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
    )
    section.no_more_keys()
    return target


def _address(section: _Section, name: str, secrets: _Secrets) -> Address:
    return Address(
        database=section.text("database"),
        host=section.text("host", ""),
        port=section.number("port", 5432),
        user=section.text("user", ""),
        password=secrets.get(f"REMODEL_{name.replace('-', '_')}_PASSWORD"),
    )


def _site(section: _Section, default: SiteAddress | None) -> SiteAddress:
    if default is not None and "site" not in section.names():
        return default
    site = section.section("site")
    address = SiteAddress(site.text("hostname"), site.number("port", 443))
    site.no_more_keys()
    return address


def _rooted(folder: Path, given: str) -> Path:
    """An absolute path without resolving links: a venv's python is one."""
    return Path(os.path.normpath(folder / Path(given).expanduser()))


class _Secrets:
    """Values by name, from the environment first, then from .env."""

    def __init__(self, path: Path) -> None:
        self._file = dotenv_values(path) if path.is_file() else {}
        self.origin: dict[str, str] = {}

    def get(self, name: str) -> Secret | None:
        if name in os.environ:
            self.origin[name] = "the environment"
            return Secret(os.environ[name])
        value = self._file.get(name)
        if value:
            self.origin[name] = ".env"
            return Secret(value)
        return None


class _Section:
    """A mapping of remodel.yml: typed access, and at the end no key left over."""

    def __init__(self, data: Any, lines: Mapping[str, int], path: Path, at: str) -> None:
        self._lines = lines
        self._path = path
        self._at = at
        self._taken: set[str] = set()
        self.origin: dict[str, str] = {}
        if not isinstance(data, dict):
            self.refuse("", f"a mapping of keys is needed here, not {data!r}")
        self._data: dict[str, Any] = {str(key): value for key, value in data.items()}

    def names(self) -> list[str]:
        return list(self._data)

    def section(self, key: str, *, optional: bool = False) -> _Section:
        value = self._take(key, {} if optional else None)
        section = _Section(value, self._lines, self._path, self._dotted(key))
        section.origin = self.origin
        return section

    def text(self, key: str, default: str | None = None) -> str:
        value = self._take(key, default)
        if not isinstance(value, str):
            self.refuse(key, f"a text is needed, not {value!r}")
        return str(value)

    def number(self, key: str, default: int) -> int:
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
            self.refuse(key, f"a port number is needed, not {value!r}")
        return int(value)

    def words(self, key: str) -> tuple[str, ...]:
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.refuse(key, f"a list of texts is needed, not {value!r}")
        return tuple(value)

    def commands(self, key: str) -> tuple[tuple[str, ...], ...]:
        value = self._take(key, [])
        if not isinstance(value, list) or not all(
            isinstance(command, list) and command and all(isinstance(word, str) for word in command)
            for command in value
        ):
            self.refuse(key, "a list of commands is needed, each a list of words")
        return tuple(tuple(command) for command in value)

    def label(self, key: str) -> str:
        value = self.text(key)
        app, dot, model = value.partition(".")
        if not (dot and app.isidentifier() and model.isidentifier()):
            self.refuse(key, f"{value!r} is not a label of the form app.Model")
        return value

    def selectors(self, key: str) -> tuple[Mapping[str, Any], ...]:
        value = self._take(key, None)
        known = {"slug": str, "path": str, "id": int}
        if not isinstance(value, list) or not value:
            self.refuse(key, "a list of pages is needed, such as [{slug: show}]")
        for item in value:
            name, wanted = next(iter(item.items())) if isinstance(item, dict) else ("", "")
            if len(item) != 1 or not isinstance(wanted, known.get(name, ())):
                self.refuse(key, f"{item!r} is not one of {{slug: …}}, {{path: '…'}}, {{id: …}}")
        return tuple(value)

    def no_more_keys(self) -> None:
        for key in self._data:
            if key not in self._taken:
                self.refuse(key, f"this key is not known. {yamlfile.nearest(key, self._known())}")

    def refuse(self, key: str, why: str) -> None:
        dotted = self._dotted(key)
        line = self._lines.get(dotted) or self._lines.get(self._at) or 1
        raise ConfigError(
            f"{self._path.name} line {line}: {dotted or 'the file'}: {why}",
            hint="The README's config reference lists every key with an example.",
        )

    def _known(self) -> list[str]:
        return sorted(self._taken)

    def _dotted(self, key: str) -> str:
        return ".".join(part for part in (self._at, key) if part)

    def _take(self, key: str, default: Any) -> Any:
        self._taken.add(key)
        dotted = self._dotted(key)
        if key in self._data and self._data[key] is not None:
            self.origin[dotted] = f"{self._path.name}:{self._lines.get(dotted, 1)}"
            return self._data[key]
        if default is None:
            self.refuse(key, f"the key {key!r} is missing")
        self.origin[dotted] = "default"
        return default
