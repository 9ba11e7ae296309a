"""Where to log in by SSH, and what the user's ssh_config makes of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import asyncssh

from wizard.base import opening
from wizard.base.errors import ConfigError
from wizard.ssh.hostkeys import KnownHosts, look_up


@dataclass(frozen=True)
class Login:
    """Where to log in: `user@host`, or an alias of the ssh_config. Our known_hosts is `0600`.

    `by` are the jump hosts, in order; with None they are those of the ssh_config.
    """

    destination: str
    known_hosts: Path
    config: Path | None = None  # None is ~/.ssh/config
    port: int | None = None
    by: tuple[Login, ...] | None = None

    def __post_init__(self) -> None:
        user, at, host = self.destination.rpartition("@")
        if not host or host.startswith("-") or user.startswith("-") or (at and not user):
            raise ConfigError(
                f"{self.destination!r} is no SSH destination.",
                hint="Write user@host, or an alias of your ssh_config.",
            )

    @property
    def host(self) -> str:
        return self.destination.rpartition("@")[2]

    @property
    def user(self) -> str:
        return self.destination.rpartition("@")[0]


def way(login: Login) -> tuple[Login, ...]:
    """Return every host to log in to, in that order: the jump hosts, then the host itself.

    asyncssh would log in to jump hosts by itself, but with the user's known_hosts alone. Raise
    ConfigError when the ssh_config cannot be read or leads in a circle.
    """
    by = _jumps(login, ()) if login.by is None else login.by
    return (*by, replace(login, by=by))


def _jumps(login: Login, passed: tuple[str, ...]) -> tuple[Login, ...]:
    named = resolve(login).tunnel
    if not isinstance(named, str) or named.lower() == "none":
        return ()
    reached: tuple[Login, ...] = ()
    for hop in (name.strip() for name in named.split(",")):
        if hop in passed:
            raise ConfigError(
                f"The ssh_config leads from {hop} to itself.",
                hint=f"Give it `ProxyJump none` in a `Host {hop}` before the others.",
            )
        jump = _jump(hop, login)
        if not reached:  # the next ones are reached through it, whatever they say themselves
            reached = _jumps(jump, (*passed, hop))
        reached = (*reached, replace(jump, by=reached))
    return reached


def _jump(hop: str, login: Login) -> Login:
    """Parse a hop of ProxyJump: `[user@]host[:port]`, an IPv6 address in brackets."""
    user, at, place = hop.removeprefix("ssh://").rpartition("@")
    match = re.fullmatch(r"(?:\[(?P<v6>[^]]+)\]|(?P<host>[^:]+))(?::(?P<port>\d+))?", place)
    if match is None:
        raise ConfigError(
            f"The ssh_config names {hop!r} as a jump host of {login.destination}.",
            hint="Write ProxyJump as user@host:port, an IPv6 address as [::1]:22.",
        )
    port = int(match["port"]) if match["port"] else None
    host = match["v6"] or match["host"]
    return Login(f"{user}{at}{host}", login.known_hosts, login.config, port)


def resolve(login: Login) -> asyncssh.SSHClientConnectionOptions:
    """Return what the ssh_config makes of a destination.

    Raise ConfigError when it, or a key that it names, cannot be read.
    """
    opening.refuse_others(login.config or Path("~/.ssh/config").expanduser())
    try:
        # First without the keys, whose files asyncssh opens whatever they are.
        without = asyncssh.SSHClientConnectionOptions(**arguments(login), client_keys=None)
        for keyword in ("IdentityFile", "CertificateFile"):
            for name in names(without, keyword, []):
                opening.refuse_others(Path(name).expanduser())
        return asyncssh.SSHClientConnectionOptions(**arguments(login))
    except asyncssh.ConfigParseError as error:
        raise ConfigError("The ssh_config cannot be read.", found=str(error)) from None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, OSError) as error:
        raise ConfigError(
            f"An SSH key for {login.destination} cannot be used.",
            found=str(error),
            hint="Load a key that has a passphrase into ssh-agent (ssh-add), and check the "
            "IdentityFile in your ssh_config.",
        ) from None
    except ValueError as error:  # a user name that SSH has no encoding for (RFC 4013)
        raise ConfigError(
            f"{login.destination!r} cannot be a user and host for SSH.",
            found=str(error),
            hint="Correct the target's `ssh` in remodel.yml, or User in your ssh_config.",
        ) from None


def arguments(login: Login) -> dict[str, object]:
    """Return asyncssh's arguments for a login; all else comes from the ssh_config."""
    given: dict[str, object] = {
        "host": login.host,
        "username": login.user or None,
        "port": login.port,
        "config": [str(login.config)] if login.config else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def known_hosts(login: Login, options: asyncssh.SSHClientConnectionOptions) -> KnownHosts:
    """Return what our known_hosts, the user's and the system's say about the host."""
    users = names(options, "UserKnownHostsFile", ["~/.ssh/known_hosts"])
    systems = names(options, "GlobalKnownHostsFile", ["/etc/ssh/ssh_known_hosts"])
    files = [login.known_hosts, *(Path(name).expanduser() for name in (*users, *systems))]
    return look_up(files, options.host, options.port, options.host_key_alias)


def names(
    options: asyncssh.SSHClientConnectionOptions, keyword: str, default: list[str]
) -> list[str]:
    """Return a list of file names from the ssh_config."""
    return [str(name) for name in cast("Sequence[object]", options.config.get(keyword, default))]
