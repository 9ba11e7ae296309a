"""Who did what on a site since a moment, from Wagtail's own log and revisions.

An explanation of drift and no proof of it: what a program saves, a form's submission or a session
leave no entry there (Wagtail: wagtail/models/audit_log.py, wagtail/models/revisions.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from wizard.postgres.address import Address
from wizard.postgres.drift import baseline as base
from wizard.postgres.drift import catalog
from wizard.postgres.drift.baseline import DriftBaseline
from wizard.postgres.drift.drift import fresh
from wizard.postgres.server import session

LINES = 50
"""How many doings are read and told, the newest of them."""

VERBS = {
    "wagtail.create": "created",
    "wagtail.edit": "edited",
    "wagtail.publish": "published",
    "wagtail.unpublish": "unpublished",
    "wagtail.delete": "deleted",
    "wagtail.move": "moved",
    "wagtail.rename": "renamed",
    "wagtail.reorder": "reordered",
    "wagtail.copy": "copied",
    "wagtail.revert": "reverted",
    "wagtail.schedule.publish": "scheduled",
    "wagtail.lock": "locked",
    "wagtail.unlock": "unlocked",
}

# Whose table users are in, the foreign key of the revisions tells; log entries have none.
USERS = """
    SELECT confrelid::regclass::text, a.attname::text
    FROM pg_constraint c
    JOIN pg_attribute u ON u.attrelid = c.conrelid AND u.attnum = c.conkey[1]
    JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = c.confkey[1]
    WHERE c.contype = 'f' AND c.conrelid = to_regclass('public.wagtailcore_revision')
      AND u.attname = 'user_id'
"""
NAME = """
    coalesce(nullif(trim(concat_ws(' ', to_jsonb(u) ->> 'first_name', to_jsonb(u) ->> 'last_name')),
             ''), to_jsonb(u) ->> 'username', to_jsonb(u) ->> 'email', 'Somebody')
"""
LOGGED = ("wagtailcore_pagelogentry", "wagtailcore_modellogentry")
REVISIONS = "wagtailcore_revision"


@dataclass(frozen=True)
class Doings:
    """Sentences such as `Ana edited 'About us' at 10:42`, oldest first: the newest of `total`."""

    newest: tuple[str, ...] = ()
    total: int = 0

    def told(self, most: int = LINES) -> list[str]:
        """Return the newest as lines, with how many there are where that is more."""
        shown = self.newest[-most:]
        more = [f"the newest {len(shown)} of {self.total:,} entries of the site's log"]
        return [*(more if self.total > len(shown) else ()), *shown]


async def since(address: Address, baseline: DriftBaseline) -> Doings:
    """Return who did what since the baseline; nothing without Wagtail."""
    async with session(address) as connection, base.looking(connection):
        now = await base.moment(connection)
        tables = {table.name: table for table in await catalog.tables(connection)}
        if not {*LOGGED, REVISIONS} <= tables.keys():
            return Doings()
        user = await (await connection.execute(USERS)).fetchone()

        def late(table: str) -> sql.Composable:
            if baseline.snapshot:
                return fresh(now, baseline)
            was = baseline.tables.get(table)
            last = was.runs[-1][1] if was and was.runs else 0
            return sql.SQL("t.id > {}").format(sql.Literal(last))

        logged = sql.SQL(" UNION ALL ").join(
            sql.SQL(
                "SELECT t.timestamp, t.user_id::text, t.action::text, t.label, t.revision_id "
                "FROM {} t WHERE {}"
            ).format(sql.Identifier("public", table), late(table))
            for table in LOGGED
        )
        saved = sql.SQL(
            "SELECT t.created_at, t.user_id::text, 'saved', t.object_str "
            "FROM public.wagtailcore_revision t WHERE {} "
            "AND NOT EXISTS (SELECT FROM logged WHERE logged.revision = t.id)"
        ).format(late(REVISIONS))
        rows = await _done(connection, logged, saved, user)
    rows.reverse()
    total = rows[0][-1] if rows else 0
    return Doings(tuple(_sentence(at, who, act, what) for at, who, act, what, _ in rows), total)


async def _done(
    connection: psycopg.AsyncConnection[Any],
    logged: sql.Composable,
    saved: sql.Composable,
    user: tuple[str, str] | None,
) -> list[tuple[datetime, str, str, str, int]]:
    """Return what was done last, newest first: when, by whom, what, to what; and how much in all.

    A revision that an entry of the log is about is no doing of its own.
    """
    name: sql.Composable = sql.SQL("'Somebody'")
    join: sql.Composable = sql.SQL("")
    if user is not None:
        table, key = user
        name = sql.SQL("CASE WHEN u IS NULL THEN 'Somebody' ELSE " + NAME + " END")
        join = sql.SQL("LEFT JOIN {} u ON u.{}::text = d.who").format(
            sql.SQL(table),  # quoted by regclass
            sql.Identifier(key),
        )
    question = sql.SQL(
        "WITH logged (at, who, action, what, revision) AS ({}), "
        "done (at, who, action, what) AS (SELECT at, who, action, what FROM logged UNION ALL {}), "
        "newest AS (SELECT * FROM done ORDER BY at DESC LIMIT {}) "
        "SELECT d.at, {}, d.action, d.what, (SELECT count(*) FROM done) "
        "FROM newest d {} ORDER BY d.at DESC"
    ).format(logged, saved, sql.Literal(LINES), name, join)
    return await (await connection.execute(question)).fetchall()


def _sentence(at: datetime, who: str, action: str, what: str) -> str:
    when = at.astimezone()
    today = when.date() == datetime.now().astimezone().date()
    verb = "saved a revision of" if action == "saved" else VERBS.get(action)
    deed = f"{verb} {what!r}" if verb else f"did {action} to {what!r}"
    return f"{who} {deed} {'at' if today else 'on'} {when:{'%H:%M' if today else '%Y-%m-%d %H:%M'}}"
