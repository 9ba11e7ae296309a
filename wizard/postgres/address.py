"""Where a database is, and how to connect to it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from wizard.base.errors import ConfigError, ConnectionFailed
from wizard.base.redaction import Secret


@dataclass(frozen=True)
class Address:
    """A database as libpq reaches it. `host` is a host name or a unix socket's directory.

    Empty values are libpq's own defaults. Over SSH, `host` is the local end of a forward.
    """

    database: str
    host: str = ""
    port: int = 5432
    user: str = ""
    password: Secret | None = None
    sslmode: str = ""

    def __post_init__(self) -> None:
        names = {"database": self.database, "user": self.user}
        if not self.host.startswith("/"):
            names["host"] = self.host
        for name, value in names.items():
            if value.startswith("-") or "=" in value or "://" in value or "\0" in value:
                raise ConfigError(
                    f"The {name} name {value!r} looks like an option or a connection string.",
                    hint=f"Give the plain {name} name in remodel.yml.",
                )
        if "," in self.host:  # libpq takes it for a list, and connects to any of it
            raise ConfigError(f"The host {self.host!r} is more than one.", hint="Name one host.")

    def at(self, database: str) -> Address:
        """Return the address of another database on the same server."""
        return replace(self, database=database)

    def parameters(self) -> dict[str, Any]:
        """Return the keyword arguments for psycopg."""
        given = {
            "dbname": self.database,
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password.reveal() if self.password else "",
            "sslmode": self.sslmode,
        }
        return {key: value for key, value in given.items() if value}

    def __str__(self) -> str:
        return f"{self.database} at {self.host or 'the default socket'}:{self.port}"


# What a role or a database may have set otherwise, which would end or refuse what we do.
OWN_SETTINGS = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "default_transaction_isolation": "read\\ committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
}
SINCE = {"idle_session_timeout": 14, "transaction_timeout": 17}  # more of them, and their version


def startup_options() -> str:
    """Return our own settings as libpq's `options`, after those of the environment."""
    ours = [f"-c {name}={value}" for name, value in OWN_SETTINGS.items()]
    return " ".join([os.environ.get("PGOPTIONS", ""), *ours]).strip()


async def connect(address: Address, *, autocommit: bool = True) -> psycopg.AsyncConnection[Any]:
    """Open a connection that names itself `remodel` and has settings of its own.

    Through a pooler it has the role's: what is set there would stay for the pooler's other
    clients. Raise ConnectionFailed with the server's own words.
    """
    try:
        try:
            connection = await _open(address, startup_options())
        except psycopg.OperationalError as error:
            if not _no_options(error):
                raise
            return await _open(address, None, autocommit=autocommit)
        major = connection.info.server_version // 10_000
        if later := [f"SET {name} = 0" for name, since in SINCE.items() if major >= since]:
            await connection.execute("; ".join(later).encode())
        await connection.set_autocommit(autocommit)
    except psycopg.OperationalError as error:
        raise ConnectionFailed(
            f"Connecting to the database {address} failed.",
            found=str(error),
            hint="Check that the server runs and that the name, user and password are right.",
        ) from None
    return connection


async def _open(
    address: Address, options: str | None, *, autocommit: bool = True
) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(
        **address.parameters(),
        autocommit=autocommit,
        application_name="remodel",
        connect_timeout=10,
        options=options,
    )


def _no_options(error: psycopg.OperationalError) -> bool:
    """Whether a pooler refuses `options`: PgBouncer's "unsupported startup parameter", Amazon's
    proxy "doesn't support command-line options"."""
    return "startup parameter" in str(error) or "command-line options" in str(error)
