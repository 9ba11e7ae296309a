"""Tables that come without their rows: sessions, logs, whatever nobody needs on this machine."""

from __future__ import annotations

from collections.abc import Collection

from wizard.base.errors import ConfigError
from wizard.base.yamlfile import nearest
from wizard.postgres import server
from wizard.postgres.address import Address

REFERRING = """
    SELECT DISTINCT f.nspname || '.' || r.relname, t.nspname || '.' || c.relname
    FROM pg_constraint k
    JOIN pg_class r ON r.oid = k.conrelid JOIN pg_namespace f ON f.oid = r.relnamespace
    JOIN pg_class c ON c.oid = k.confrelid JOIN pg_namespace t ON t.oid = c.relnamespace
    WHERE k.contype = 'f' ORDER BY 1, 2
"""


async def resolve(address: Address, names: Collection[str]) -> tuple[str, ...]:
    """Return the tables called `names` in a database, as `schema.table`; `public` need not be
    named.

    Raise ConfigError when one is not there, or when rows that do come refer to it: restoring
    would stop at their foreign key.
    """
    if not names:
        return ()
    known = await server.table_sizes(address)
    wanted = tuple(name if "." in name else f"public.{name}" for name in names)
    for name in wanted:
        if name not in known:
            shown = [table.removeprefix("public.") for table in known]
            raise ConfigError(
                f"backup.exclude_table_data: {address.database} has no table {name}.",
                hint=nearest(name.removeprefix("public."), shown),
            )
    async with server.session(address) as connection:
        rows = await (await connection.execute(REFERRING)).fetchall()
    referring = [f"{table} refers to {to}" for table, to in rows if to in wanted]
    left = [line for line in referring if line.split(" refers")[0] not in wanted]
    if left:
        raise ConfigError(
            "The rows of a table cannot stay behind when others refer to them.",
            found="\n".join(left),
            hint="Add these to backup.exclude_table_data, or take the table off it.",
        )
    return wanted
