"""Clusters and databases of the tests, and what they are filled with."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from wizard.base.redaction import Secret
from wizard.postgres import server
from wizard.postgres.address import Address, connect
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.dumps.tools import Tool, find
from wizard.sandbox.cluster import Cluster, binaries

OWNER = "app"  # as a site's own role is: makes databases, is no superuser
APP_PASSWORD = Secret("app-password")
_numbers = count(1)


async def started(
    root: Path, user: str, major: int = 18, programs: Path | None = None
) -> AsyncIterator[Cluster]:
    """A cluster with the superuser `user` and the role `app`, gone at the end.

    `programs` are those of a PostgreSQL that is installed, instead of the embedded one.
    """
    password = Secret(f"{user}-password")
    cluster = Cluster(root, user=user, password=password, major=major, durable=False)
    cluster.binaries = programs or cluster.binaries
    await cluster.start()
    try:
        await cluster.create_role(OWNER, APP_PASSWORD)
        yield cluster
    finally:
        await cluster.stop()
        shutil.rmtree(root)


async def fresh(cluster: Cluster, name: str = "") -> AsyncIterator[Address]:
    """An empty database owned and reached by `app`, gone at the end."""
    name = name or f"test_{next(_numbers)}"
    await cluster.create_database(name, owner=OWNER)
    yield replace(cluster.address(name), user=OWNER, password=APP_PASSWORD)
    await cluster.drop_database(name)


CONTENT = """
    CREATE TABLE author (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
    CREATE TABLE page (
        id serial PRIMARY KEY,
        author_id integer REFERENCES author,
        title varchar(255) NOT NULL,
        body text,
        data jsonb,
        seen timestamptz,
        took interval,
        score double precision,
        file bytea
    );
    CREATE INDEX page_title ON page (title);
    INSERT INTO author (name) SELECT 'Author ' || i FROM generate_series(1, 10) i;
    INSERT INTO page (author_id, title, body, data, seen, took, score, file)
    SELECT i % 10 + 1, 'Page ' || i, repeat(md5(i::text), 20), jsonb_build_object('n', i),
           timestamptz '2026-01-01 12:00 UTC' + i * interval '1 hour', i * interval '1 minute',
           i / 7.0::float8, decode(md5(i::text), 'hex')
    FROM generate_series(1, 2000) i;
"""


async def tool(name: str, major: int) -> Tool:
    return (await find(name, configured=binaries(major)))[0]


Fetching = Callable[..., Coroutine[Any, Any, Archive]]


async def say(address: Address, word: str) -> None:
    """Write into a database which one it is."""
    async with await connect(address) as connection:
        await connection.execute("CREATE TABLE who (word text); CREATE TABLE written (n int)")
        await connection.execute("INSERT INTO who VALUES (%s)", [word])


async def ask(address: Address) -> str:
    """Which one it is."""
    async with await connect(address) as connection:
        row = await (await connection.execute("SELECT word FROM who")).fetchone()
    assert row is not None
    return str(row[0])


async def ended(address: Address, but: int) -> None:
    """Until all sessions but one are gone, which is after their client has closed them."""
    while any(each.pid != but for each in await server.sessions(address)):
        await asyncio.sleep(0.005)


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []
