"""A session at the point where its converted database is to be delivered, without a site."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.remodel_yml import GOOD
from wizard.base.events import Events
from wizard.config import config
from wizard.config.databases import Target
from wizard.delivery import kinds
from wizard.delivery.drill import Drill
from wizard.delivery.dump import Dump
from wizard.engine.context import Context
from wizard.engine.operation import Operation
from wizard.postgres import identity, server
from wizard.postgres.address import Address, connect
from wizard.postgres.drift import baseline
from wizard.postgres.dumps import restore
from wizard.sandbox.cluster import Cluster, binaries
from wizard.sandbox.sshd import SshServer
from wizard.session import session as sessions
from wizard.session.plan import Plan
from wizard.ssh.connection import host_key
from wizard.ssh.hostkeys import trust

SITE = """
    CREATE TABLE wagtailcore_page (id serial PRIMARY KEY, title text NOT NULL);
    CREATE TABLE django_session (session_key text PRIMARY KEY);
    CREATE TABLE wagtailcore_revision (
        id serial PRIMARY KEY, page_id integer REFERENCES wagtailcore_page, content jsonb);
    INSERT INTO wagtailcore_page (title) SELECT %(title)s || i FROM generate_series(1, 30) i;
    INSERT INTO wagtailcore_revision (page_id, content)
    SELECT id, jsonb_build_object('title', title) FROM wagtailcore_page
"""


class Compared(Drill):
    """The drill without the project's own look: there is no project here. The whole procedure is
    drilled in tests/end_to_end."""

    async def serve(self, context: Context, scratch: Address) -> None:
        pass


async def fill(address: Address, title: str) -> None:
    """Tables as a site has them, with 30 pages of these titles."""
    async with await connect(address) as connection:
        for statement in SITE.split(";"):
            told = {"title": title} if "%(title)s" in statement else None
            await connection.execute(statement.encode(), told)


async def execute(address: Address, statement: str) -> None:
    """By a session of its own."""
    async with await connect(address) as connection:
        await connection.execute(statement.encode())


async def titles(address: Address) -> set[str]:
    """The first words of the pages' titles: `old` or `new`."""
    async with await connect(address) as connection:
        rows = await connection.execute("SELECT split_part(title, ' ', 1) FROM wagtailcore_page")
        return {str(word) for (word,) in await rows.fetchall()}


@asynccontextmanager
async def dumped(
    folder: Path,
    local: Address,
    far: Address,
    *,
    ssh: SshServer | None = None,
    backed_up: bool = False,
    drift: Mapping[str, str] | None = None,
    **how: object,
) -> AsyncIterator[tuple[Context, Target]]:
    """A run whose local database is `new`, dumped and drilled, and the target `staging` at `far`,
    which is `old`; `how` it is delivered goes into remodel.yml. It is reached by `ssh` if given.
    With `backed_up` the backup was fetched from there at this moment; `drift` has the policies."""
    if ssh is not None:
        ssh.write_ssh_config(folder / "ssh_config", "far")
        how |= {"ssh": "far", "ssh_config": "ssh_config"}
    data = yaml.safe_load(GOOD)
    data["local"] |= {"database": local.database, "host": local.host, "user": local.user}
    data["targets"]["staging"] = {
        "host": far.host,
        "database": far.database,
        "user": far.user,
        "site": {"hostname": "staging.example.org"},
        **how,
    }
    data["drift"] = dict(drift or {})
    data["source"] = "staging" if backed_up else "production"
    data["postgres"] = {"bin": str(binaries(18))}
    path = folder / "remodel.yml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    assert local.password is not None
    assert far.password is not None
    (folder / ".env").write_text(
        f"REMODEL_LOCAL_PASSWORD={local.password.reveal()}\n"
        f"REMODEL_STAGING_PASSWORD={far.password.reveal()}\n"
    )
    await fill(local, "new ")
    await fill(far, "old ")
    found = config.read(path)
    target = found.targets["staging"]
    with sessions.begin(found) as session:
        async with Context(found, session, Events()) as context:
            if ssh is not None:
                trust(context.far.known_hosts, await host_key(context.far.login(target)))
            await identity.mark(local, context.local.mark)
            session.journal.write("production.site:staging", "done", {})
            (dump_kind,) = (it for it in kinds.kind_of(target).operations if issubclass(it, Dump))
            dump = await perform(context, dump_kind(target))
            fetched = {"archive": dump["archive"]}
            if backed_up:
                async with baseline.held(far) as held:
                    fetched["baseline"] = held.as_dict()
            session.journal.write("backup.fetch", "done", fetched)
            session.journal.write("backup.sequences", "skipped", {})
            await perform(context, Compared(target))
            yield context, target


async def perform(
    context: Context, operation: Operation, plan: Plan | None = None
) -> dict[str, Any]:
    """Plan, apply, settle and write it down, as the engine does."""
    plan = plan or await operation.plan(context)
    context.session.journal.write(operation.key, "intent", plan.as_dict())
    facts = (await operation.apply(context, plan)).to_json()
    await operation.finalize(context, plan, facts)
    context.session.journal.write(operation.key, "done", facts)
    return facts


def playbook(folder: Path, far: Address, text: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A restore command of the operator's: a script in `folder` that reaches the server of `far`.

    `{bin}` in its text is the folder of PostgreSQL's programs, `{name}` the database.
    """
    assert far.password is not None
    for name, value in (
        ("HOST", far.host),
        ("USER", far.user),
        ("PASSWORD", far.password.reveal()),
    ):
        monkeypatch.setenv(f"PG{name}", value)
    script = folder / "restore.sh"
    script.write_text(text.format(bin=binaries(18), name=far.database))
    script.chmod(0o700)
    return [str(script)]


READER = "reader"
GRANTS = f"""
    GRANT SELECT ON wagtailcore_page TO {READER};
    GRANT SELECT (id), UPDATE (content) ON wagtailcore_revision TO {READER};
    GRANT USAGE ON SEQUENCE wagtailcore_page_id_seq TO {READER} WITH GRANT OPTION;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {READER};
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    GRANT USAGE ON SCHEMA public TO {READER}
"""
MAY = f"""
    SELECT has_table_privilege('{READER}', 'wagtailcore_page', 'SELECT'),
           has_table_privilege('{READER}', 'wagtailcore_page', 'INSERT'),
           has_table_privilege('{READER}', 'django_session', 'SELECT'),
           has_column_privilege('{READER}', 'wagtailcore_revision', 'content', 'UPDATE'),
           has_column_privilege('{READER}', 'wagtailcore_revision', 'content', 'SELECT'),
           has_sequence_privilege('{READER}', 'wagtailcore_page_id_seq', 'USAGE'),
           has_schema_privilege('{READER}', 'public', 'USAGE'),
           EXISTS (SELECT FROM pg_default_acl),
           (SELECT nspacl::text !~ '[{{,]=' FROM pg_namespace WHERE nspname = 'public')
"""


@asynccontextmanager
async def granted(cluster: Cluster, far: Address) -> AsyncIterator[None]:
    """The database `far` with a role that may read some of it, but not what is in sessions."""
    async with await connect(cluster.address("postgres")) as superuser:
        await superuser.execute(f"CREATE ROLE {READER}".encode())
        try:
            async with await connect(far) as connection:
                await connection.execute(GRANTS.encode())
            await may_read(far)
            yield
        finally:
            for each in await server.databases(far):
                if each.allows_connections and each.owner == far.user:
                    async with await connect(cluster.address(each.name)) as connection:
                        await connection.execute(f"DROP OWNED BY {READER}".encode())
            await superuser.execute(f"DROP ROLE {READER}".encode())


async def may_read(far: Address) -> None:
    """That role may do what it may, and no more."""
    async with await connect(far) as connection:
        row = await (await connection.execute(MAY.encode())).fetchone()
    assert row == (True, False, False, True, False, True, True, True, True)


async def names(address: Address) -> set[str]:
    """The databases that belong to that of `address`, without its name in front."""
    own = address.database
    found = {each.name for each in await server.databases(address)}
    return {name.removeprefix(own) for name in found if name.startswith(own)}


async def tidy(far: Address) -> None:
    for name in await names(far) - {""}:
        await restore.drop(far, far.database + name, force=True)
