"""What belongs to a database and is in no dump of it: owner, settings, grants, comment, limit.

`pg_dump` without --create leaves all of it out, so a database that takes another's place gets it
from here.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from wizard.base.events import Report

# Who may set what for a database, or for a role in it (PostgreSQL documentation, ALTER DATABASE and
# ALTER ROLE). What is no parameter of the server or a module, as `app.tenant`, takes a superuser
# there, or a grant. From 15 on a parameter may be granted; from 16 on one has to be a role's admin.
SETTINGS = """
    SELECT r.rolname, split_part(c.setting, '=', 1), substr(c.setting, strpos(c.setting, '=') + 1),
           p.context IS NOT DISTINCT FROM 'user',
           s.setrole = 0 OR r.rolname = current_user OR (me.rolcreaterole AND NOT r.rolsuper)
    FROM pg_db_role_setting s
    JOIN pg_database d ON d.oid = s.setdatabase
    JOIN pg_roles me ON me.rolname = current_user
    LEFT JOIN pg_roles r ON r.oid = s.setrole
    CROSS JOIN unnest(s.setconfig) c (setting)
    LEFT JOIN pg_settings p ON p.name = split_part(c.setting, '=', 1)
    WHERE d.datname = %s AND NOT me.rolsuper
    ORDER BY 1 NULLS FIRST, 2
"""
GRANTED = 15  # the first server whose parameters can be granted
ADMINS = 16  # the first on which CREATEROLE alone is not enough


async def not_settable(session: psycopg.AsyncConnection[Any], source: str) -> list[str]:
    """Return, as sentences with the values, the settings of a database that our role may not make
    for another one."""
    rows = await (await session.execute(SETTINGS, [source])).fetchall()
    major = session.info.server_version // 10_000
    lines = []
    for role, name, value, by_anybody, of_ours in rows:
        may = by_anybody
        if not may and major >= GRANTED:
            may = await _is(session, "SELECT has_parameter_privilege(%s, 'SET')", name)
        if of_ours and role and major >= ADMINS:
            of_ours = await _is(
                session,
                "SELECT %s = current_user OR pg_has_role(%s, 'MEMBER WITH ADMIN OPTION')",
                role,
                role,
            )
        if not (may and of_ours):
            whose = f" of the role {role}" if role else ""
            lines.append(
                f"the setting {name} = {value}{whose} does not follow, for our role may not make "
                "it: let a superuser make it again afterwards"
            )
    return lines


async def _is(session: psycopg.AsyncConnection[Any], query: str, *values: str) -> bool:
    (answer,) = await (await session.execute(query.encode(), values)).fetchone() or (False,)
    return bool(answer)


async def copy_settings(
    session: psycopg.AsyncConnection[Any], source: str, target: str, report: Report
) -> None:
    """Give the database `target` what `source` has beside its contents.

    What our role may not set is reported as a warning, for somebody who may. `session` is in
    another database of the server, with autocommit.
    """
    await _owner(session, source, target, report)
    await _settings(session, source, target, report)
    await _grants(session, source, target, report)
    cursor = await session.execute(
        "SELECT shobj_description(oid, 'pg_database'), datconnlimit FROM pg_database "
        "WHERE datname = %s",
        [source],
    )
    comment, limit = await cursor.fetchone() or (None, -1)
    if comment:
        statement = sql.SQL("COMMENT ON DATABASE {} IS {}").format(
            sql.Identifier(target), sql.Literal(comment)
        )
        await _try(session, [statement], "comment", report)
    if limit >= 0:
        statement = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(
            sql.Identifier(target), sql.Literal(limit)
        )
        await _try(session, [statement], "connection limit", report)


async def _owner(
    session: psycopg.AsyncConnection[Any], source: str, target: str, report: Report
) -> None:
    """Give `target` the owner of `source`; our role has to be a superuser or a member of it."""
    cursor = await session.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s "
        "AND datdba <> (SELECT datdba FROM pg_database WHERE datname = %s)",
        [source, target],
    )
    for (owner,) in await cursor.fetchall():
        statement = sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
            sql.Identifier(target), sql.Identifier(owner)
        )
        await _try(session, [statement], "owner", report)


async def _settings(
    session: psycopg.AsyncConnection[Any], source: str, target: str, report: Report
) -> None:
    cursor = await session.execute(
        """
        SELECT r.rolname, unnest(s.setconfig)
        FROM pg_db_role_setting s
        JOIN pg_database d ON d.oid = s.setdatabase
        LEFT JOIN pg_roles r ON r.oid = s.setrole
        WHERE d.datname = %s
        """,
        [source],
    )
    for role, setting in await cursor.fetchall():
        name, _, value = setting.partition("=")
        whose = (
            sql.SQL("ALTER ROLE {} IN DATABASE {}").format(
                sql.Identifier(role), sql.Identifier(target)
            )
            if role
            else sql.SQL("ALTER DATABASE {}").format(sql.Identifier(target))
        )
        # By way of the session: the stored form of a list (search_path) is not the one that
        # ALTER DATABASE SET takes, and FROM CURRENT copies it as it is.
        statements = [
            sql.SQL("SELECT set_config({}, {}, true)").format(
                sql.Literal(name), sql.Literal(value)
            ),
            sql.SQL("{} SET {} FROM CURRENT").format(
                whose, sql.SQL(".").join(map(sql.Identifier, name.split(".")))
            ),
        ]
        of = f" of role {role}" if role else ""
        await _try(session, statements, f"setting {name}{of}", report)


async def _grants(
    session: psycopg.AsyncConnection[Any], source: str, target: str, report: Report
) -> None:
    cursor = await session.execute(
        """
        SELECT r.rolname, a.privilege_type, a.is_grantable
        FROM pg_database d, aclexplode(d.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE d.datname = %s AND a.grantee <> d.datdba
        """,
        [source],
    )
    grants = await cursor.fetchall()
    cursor = await session.execute(
        "SELECT datacl IS NOT NULL FROM pg_database WHERE datname = %s", [source]
    )
    (explicit,) = await cursor.fetchone() or (False,)
    if not explicit:
        return  # the defaults, which a new database has as well
    database = sql.Identifier(target)
    statements: list[sql.Composed] = [
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database)
    ]
    for role, privilege, grantable in grants:
        statements.append(
            sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
                sql.SQL(privilege),
                database,
                sql.Identifier(role) if role else sql.SQL("PUBLIC"),
                sql.SQL(" WITH GRANT OPTION" if grantable else ""),
            )
        )
    await _try(session, statements, "grants", report)


async def _try(
    session: psycopg.AsyncConnection[Any],
    statements: list[sql.Composed],
    what: str,
    report: Report,
) -> None:
    try:
        async with session.transaction():
            for statement in statements:
                await session.execute(statement)
    except psycopg.Error as error:
        report.finding(
            what,
            f"not carried over: {error.diag.message_primary or error}",
            "warn",
            "Whoever administers the server can set it again.",
        )
