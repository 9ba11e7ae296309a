"""Which database this is, and whether it is still the one a session began with.

As with SSH host keys: pinned on first use, compared before anything destructive. A name alone is
no identity (it may be another server's), nor is the system identifier (a physical clone has it
too); together with the database's OID, its name and the host they are.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from psycopg import sql

from wizard.base import files
from wizard.base.errors import IdentityMismatch, OperationFailed
from wizard.postgres import server
from wizard.postgres.address import Address


@dataclass(frozen=True)
class Identity:
    """A database. `host` is where it is: `local`, or how SSH goes there and the key it shows."""

    host: str
    database: str
    system_identifier: str
    oid: int

    def __str__(self) -> str:
        return (
            f"{self.database} on {self.host}, system identifier {self.system_identifier}, "
            f"OID {self.oid}"
        )

    def is_same_database(self, other: Identity) -> bool:
        """Whether both are one database, by whatever way it was reached and is called."""
        return (self.system_identifier, self.oid) == (other.system_identifier, other.oid)


async def read(address: Address, host: str) -> Identity:
    """Return a database's identity. `host` is where it is: behind a forward the database itself
    cannot tell."""
    async with server.session(address) as connection:
        cursor = await connection.execute(
            """
            SELECT (pg_control_system()).system_identifier::text, oid::bigint, datname
            FROM pg_database WHERE datname = current_database()
            """
        )
        row = await cursor.fetchone()
    if row is None:
        raise OperationFailed(f"{address} does not find itself in its catalog.")
    return Identity(host=host, database=row[2], system_identifier=row[0], oid=row[1])


async def mark(address: Address, text: str) -> None:
    """Write on a database, as its comment, to whom it belongs.

    Its owner may do so. The comment goes along with a rename; pg_dump does not carry it.
    """
    statement = sql.SQL("COMMENT ON DATABASE {} IS {}")
    async with server.operations(address) as session:
        await session.execute(statement.format(sql.Identifier(address.database), sql.Literal(text)))


async def marked(address: Address) -> str:
    """Return the comment on a database; '' when it has none or does not exist."""
    async with server.operations(address) as session:
        cursor = await session.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
            [address.database],
        )
        row = await cursor.fetchone()
    return str(row[0]) if row and row[0] else ""


class Pins:
    """The identities that a session is pinned to, by role (`local`, `production`), in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> dict[str, Identity]:
        """Return every pinned identity, by role."""
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            return {role: Identity(**fields) for role, fields in data.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError) as error:
            raise OperationFailed(
                f"The file of pinned databases {self.path} cannot be read.", found=str(error)
            ) from None

    def pin(self, role: str, identity: Identity) -> None:
        """Pin `role` to an identity. After a swap the live database is another one: pin it anew."""
        pins = {**self.all(), role: identity}
        content = json.dumps({name: asdict(pin) for name, pin in pins.items()}, indent=2)
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write(self.path, content + "\n")

    def check(self, role: str, identity: Identity) -> None:
        """Raise IdentityMismatch unless `identity` is who `role` is pinned to; pin a new role."""
        pinned = self.all().get(role)
        if pinned is None:
            self.pin(role, identity)
        elif pinned != identity:
            raise IdentityMismatch(
                f"The database for {role} is not the one this session began with.",
                found=f"pinned: {pinned}\nfound:  {identity}",
                hint=f"If somebody replaced it on purpose, begin a new session. Nothing was "
                f"changed in {identity.database}.",
            )

    def role_of(self, identity: Identity, *, but: str = "") -> str | None:
        """Return the role, another than `but`, pinned to this very database under whatever name."""
        for role, pinned in self.all().items():
            if role != but and pinned.is_same_database(identity):
                return role
        return None
