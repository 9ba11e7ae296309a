"""A host whose key the operator has accepted."""

from __future__ import annotations

from wizard.ssh.connection import Login, host_key
from wizard.ssh.hostkeys import trust


async def accept(login: Login) -> None:
    trust(login.known_hosts, await host_key(login))
