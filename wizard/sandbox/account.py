"""Whom an embedded PostgreSQL runs as: PostgreSQL refuses root, and we add no users.

Not root: as ourselves. Root: in a user namespace where root's files belong to another uid
(nothing changes hands, files stay root's), and where the kernel or a container's seccomp
profile forbids that, as `nobody`, to whom the cluster's directory is then given.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypedDict

from wizard.base.errors import ConfigError

PROBE_TIMEOUT = 10  # seconds


class SpawnOptions(TypedDict, total=False):
    """The part of `subprocess.Popen`'s arguments that an account decides."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class SystemAccount:
    """How to start a program as this account, and which files are its own.

    `uid` and `gid` are what the account's files have outside of any namespace.
    """

    name: str
    uid: int
    gid: int
    prefix: tuple[str, ...] = ()
    switches: bool = False

    def argv(self, program: Path, *arguments: str) -> list[str]:
        """Return the command line that runs `program` as this account."""
        return [*self.prefix, str(program), *arguments]

    def spawn(self) -> SpawnOptions:
        """Return what to pass on to `subprocess.Popen` or `asyncio.create_subprocess_exec`."""
        if not self.switches:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, path: Path) -> None:
        """Make the account the owner of `path` and everything in it; without root it is already."""
        if os.geteuid() != 0 or path.stat().st_uid == self.uid:
            return
        for one in (path, *path.rglob("*")):
            os.chown(one, self.uid, self.gid, follow_symlinks=False)

    def reaches(self, path: Path) -> bool:
        """Whether the account may pass through `path` and every directory above it."""
        if not self.switches:
            return True
        return all(
            part.stat().st_mode & (0o100 if part.stat().st_uid == self.uid else 0o001)
            for part in (path, *path.parents)
        )


@cache
def unprivileged() -> SystemAccount:
    """Return the account for this process's PostgreSQL servers. Raise ConfigError when there is
    none."""
    if os.geteuid() != 0:
        return SystemAccount("ourselves", os.geteuid(), os.getegid())
    for account in (in_namespace(), as_nobody()):
        if account is not None and _runs(account):
            return account
    raise ConfigError(
        "PostgreSQL does not run as root, and no other account could be used.",
        found="Neither `unshare --user` nor switching to nobody works here.",
        hint="Run remodel as an ordinary user.",
    )


def in_namespace() -> SystemAccount | None:
    """Return the account of root under another uid, in a user namespace; None without util-linux's
    unshare."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return None
    inside = _nobody()  # initdb looks its uid up in passwd: it must be one that is there
    prefix = (
        unshare,
        "-U",
        f"--map-user={inside.pw_uid}",
        f"--map-group={inside.pw_gid}",
        "--",
    )
    return SystemAccount("root in a user namespace", 0, 0, prefix)


def as_nobody() -> SystemAccount:
    """Return the account of the system's `nobody`, to switch to."""
    entry = _nobody()
    return SystemAccount(entry.pw_name, entry.pw_uid, entry.pw_gid, switches=True)


def _nobody() -> pwd.struct_passwd:
    others = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    if not others:
        raise ConfigError(
            "PostgreSQL does not run as root, and this system knows no other user.",
            hint="Run remodel as an ordinary user.",
        )
    return next((entry for entry in others if entry.pw_name == "nobody"), others[0])


def _runs(account: SystemAccount) -> bool:
    try:
        probe = subprocess.run(
            account.argv(Path("/bin/sh"), "-c", "exit 0"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_TIMEOUT,
            check=False,
            **account.spawn(),
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return probe.returncode == 0
