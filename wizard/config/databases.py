"""The databases of remodel.yml: the local one, and the targets."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from wizard.base import yamlfile
from wizard.base.errors import ConfigError
from wizard.config.environment import Environment
from wizard.config.section import ConfigSection
from wizard.postgres.address import Address

TEMPLATE = "template0"
# libpq's own default, `prefer`, sends everything in the clear where TLS fails.
SSLMODES = ("require", "verify-full", "verify-ca", "disable")


@dataclass(frozen=True)
class SiteAddress:
    """Hostname and port of a Wagtail Site."""

    hostname: str
    port: int

    def __str__(self) -> str:
        return f"{self.hostname}:{self.port}"


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
    accept: tuple[str, ...] = ()
    """Objects that may differ from the live ones, as an account names them."""

    @property
    def where(self) -> str:
        """Where it is, in a word: the SSH destination, or else the database's own host."""
        return self.ssh or self.address.host


def local(section: ConfigSection, secrets: Environment) -> Local:
    """Read the local database. Raise ConfigError with the line at fault."""
    return Local(
        _address(section, "LOCAL", secrets),
        _site(section, SiteAddress("localhost", 8000)),
        section.text("template", TEMPLATE),
    )


def target(section: ConfigSection, name: str, folder: Path, secrets: Environment) -> Target:
    """Read a target. Raise ConfigError with the line at fault."""
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
    found = Target(
        name=name,
        ssh=ssh,
        ssh_config=rooted(folder, ssh_config) if ssh_config else None,
        address=_address(section, name.upper(), secrets),
        site=_site(section, None),
        before=section.commands("before"),
        after=section.commands("after"),
        playbook=playbook,
        playbook_path=rooted(folder, playbook_path) if playbook_path else None,
        check=section.commands("check"),
        delivery=delivery,
        template=section.text("template", TEMPLATE),
        accept=section.words("accept"),
    )
    if ssh:
        section.no_more_keys()
        return found
    return _without_ssh(section, found)


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


def rooted(folder: Path, given: str) -> Path:
    """Make a path absolute without resolving links: a venv's python is one."""
    try:
        return Path(os.path.normpath(folder / Path(given).expanduser()))
    except RuntimeError as problem:
        raise ConfigError(
            f"The path {given!r} leads nowhere.",
            found=str(problem),
            hint="Write it in full in remodel.yml.",
        ) from None
