"""Where to log in by SSH, and what the user's ssh_config makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import asyncssh

from wizard.errors import ConfigError
from wizard.hostkeys import KnownHosts, look_up


@dataclass(frozen=True)
class Login:
    """Where to log in: `user@host`, or an alias of the ssh_config. Our known_hosts is `0600`."""

    destination: str
    known_hosts: Path
    config: Path | None = None  # None is ~/.ssh/config
    port: int | None = None

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


async def resolve(login: Login) -> asyncssh.SSHClientConnectionOptions:
    """What the ssh_config makes of a destination.

    Raises ConfigError when it, or a key that it names, cannot be read.
    """
    try:
        options: asyncssh.SSHClientConnectionOptions
        options = await asyncssh.SSHClientConnectionOptions.construct(**arguments(login))
        return options
    except asyncssh.ConfigParseError as error:
        raise ConfigError("The ssh_config cannot be read.", found=str(error)) from None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, OSError) as error:
        raise ConfigError(
            f"An SSH key for {login.destination} cannot be used.",
            found=str(error),
            hint="Load a key that has a passphrase into ssh-agent (ssh-add), and check the "
            "IdentityFile in your ssh_config.",
        ) from None


def arguments(login: Login) -> dict[str, object]:
    """What asyncssh is given of a login; all else comes from the ssh_config."""
    given: dict[str, object] = {
        "host": login.host,
        "username": login.user or None,
        "port": login.port,
        "config": [str(login.config)] if login.config else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def known_hosts(login: Login, options: asyncssh.SSHClientConnectionOptions) -> KnownHosts:
    """What our known_hosts, the user's and the system's say about the host."""
    users = names(options, "UserKnownHostsFile", ["~/.ssh/known_hosts"])
    systems = names(options, "GlobalKnownHostsFile", ["/etc/ssh/ssh_known_hosts"])
    files = [login.known_hosts, *(Path(name).expanduser() for name in (*users, *systems))]
    return look_up(files, options.host, options.port, options.host_key_alias)


def names(
    options: asyncssh.SSHClientConnectionOptions, keyword: str, default: list[str]
) -> list[str]:
    """A list of file names from the ssh_config."""
    return [str(name) for name in cast("Sequence[object]", options.config.get(keyword, default))]
