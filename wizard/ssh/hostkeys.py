"""SSH host keys: which ones are known, what a presented one is to us, and trusting it.

Keys are looked up in our own file, the user's files and the system's, as OpenSSH does. What is
in none of them is unknown; what contradicts one of them is changed; neither connects.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import asyncssh

from wizard.base import opening
from wizard.base.errors import ConfigError

Standing = Literal["known", "unknown", "changed", "revoked"]
SSH_PORT = 22
KNOWN_HOSTS = 64 << 20  # bytes of a known_hosts file, which may be a whole company's

# What we ask a host for when we know none of its keys yet, best first.
KEY_ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
CERTIFICATE_ALGORITHMS = tuple(f"{algorithm}-cert-v01@openssh.com" for algorithm in KEY_ALGORITHMS)


@dataclass(frozen=True)
class HostKey:
    """A key that a host presented. `line` is its entry for a known_hosts file."""

    algorithm: str
    fingerprint: str  # "SHA256:…", as ssh and ssh-keygen -l show it
    line: str
    standing: Standing


@dataclass(frozen=True)
class KnownHosts:
    """What the known_hosts files say about one host."""

    pattern: str  # the host as it stands in a file: name, alias, or [name]:port
    trusted: tuple[asyncssh.SSHKey, ...] = ()
    authorities: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()
    exact: bool = False  # an entry names this very host and port, so another key contradicts it

    @property
    def algorithms(self) -> list[str]:
        """The algorithms to ask for: of known keys first, so that a known one is presented."""
        known = [name.decode() for key in self.trusted for name in key.sig_algorithms]
        certified = CERTIFICATE_ALGORITHMS if self.authorities else ()
        return list(dict.fromkeys((*certified, *known, *KEY_ALGORITHMS)))

    def judge(self, key: asyncssh.SSHKey) -> Standing:
        """Return how a presented key stands: known, new, changed or revoked."""
        if key in self.revoked:
            return "revoked"
        if key in self.trusted:
            return "known"
        return "changed" if self.exact else "unknown"

    def describe(self, key: asyncssh.SSHKey) -> HostKey:
        """Describe a presented key as a person and a known_hosts file see it."""
        public = key.export_public_key("openssh").decode().split()
        return HostKey(
            algorithm=public[0],
            fingerprint=key.get_fingerprint("sha256"),
            line=f"{self.pattern} {public[0]} {public[1]}",
            standing=self.judge(key),
        )


def look_up(files: Sequence[Path], host: str, port: int, alias: str | None) -> KnownHosts:
    """Read what the known_hosts `files` say about a host; a file that does not exist says nothing.

    A key in an entry without a port is known on every port of the host; but another key than
    that is a changed one on port 22 alone.
    """
    name = alias or host
    custom = port if port != SSH_PORT and not alias else None
    trusted: list[asyncssh.SSHKey] = []
    authorities: list[asyncssh.SSHKey] = []
    revoked: list[asyncssh.SSHKey] = []
    exact = False
    for path in files:
        known = _read(path)
        if known is None:
            continue
        # asyncssh's match() falls back to the entry without a port by itself.
        keys, signers, bad, *_ = known.match(name, "", custom)
        trusted += keys
        authorities += signers
        revoked += bad
        if keys:
            bare = known.match(name, "", None)[0] if custom else []
            exact = exact or not custom or list(keys) != list(bare)
    pattern = f"[{name}]:{custom}" if custom else name
    return KnownHosts(pattern, tuple(trusted), tuple(authorities), tuple(revoked), exact)


def trust(known_hosts: Path, key: HostKey) -> None:
    """Add a host key that a person has accepted to our known_hosts file."""
    add(known_hosts, key.line)


def add(known_hosts: Path, line: str) -> None:
    """Add a line to our known_hosts file (0600), unless it is there."""
    known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    opening.refuse_others(known_hosts)
    descriptor = os.open(known_hosts, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        before = file.read()
        if line in before.splitlines():
            return
        file.write(("\n" if before and not before.endswith("\n") else "") + line + "\n")


def _read(path: Path) -> asyncssh.SSHKnownHosts | None:
    if not (path.is_file() and os.access(path, os.R_OK)):
        opening.refuse_others(path)
        return None
    try:
        text = opening.whole(path, limit=KNOWN_HOSTS).decode(errors="replace")
        return asyncssh.import_known_hosts(text)
    except ValueError as error:
        raise ConfigError(
            f"The file {path} is no known_hosts file.",
            found=str(error),
            hint="Correct the line, or move the file away.",
        ) from None
