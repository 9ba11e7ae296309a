"""A database is known again by more than its name."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from wizard.base.errors import (
    ConfigError,
    ConnectionFailed,
    ExitCode,
    IdentityMismatch,
    OperationFailed,
)
from wizard.base.redaction import Secret
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.dumps.restore import drop
from wizard.postgres.identity import Pins, read
from wizard.sandbox.cluster import Cluster


async def test_pinned_on_first_use_and_known_again(database: Address, tmp_path: Path) -> None:
    pins = Pins(tmp_path / "session" / "pins.json")
    identity = await read(database, "local")
    pins.check("local", identity)
    assert stat.S_IMODE(pins.path.stat().st_mode) == 0o600
    Pins(pins.path).check("local", await read(database, "local"))
    assert pins.role_of(identity) == "local"


async def test_refuses_another_server_with_the_same_name(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    pins = Pins(tmp_path / "pins.json")
    near, far = await read(database, "local"), await read(far_database, "local")
    pins.pin("local", near)
    with pytest.raises(IdentityMismatch) as caught:
        pins.check("local", far)
    assert caught.value.exit_code == ExitCode.STALE
    assert near.system_identifier in caught.value.found
    assert far.system_identifier in caught.value.found
    assert pins.role_of(far) is None


async def test_knows_one_database_reached_in_two_ways(database: Address, tmp_path: Path) -> None:
    pins = Pins(tmp_path / "pins.json")
    pins.pin("production", await read(database, "deploy@example.org"))
    assert pins.role_of(await read(database, "local")) == "production"


async def test_refuses_a_physical_clone_on_another_host(tmp_path: Path) -> None:
    """It has the system identifier, the OIDs and the names of what it was copied from: only where
    it is tells it apart, and two targets of one session it cannot be."""
    addresses = {}
    original, clone = (
        Cluster(tmp_path / name, user="app", password=Secret("x"), durable=False)
        for name in ("original", "clone")
    )
    try:
        await original.start()
        await original.create_database("site")
        addresses["deploy@example.org"] = original.address("site")
        await original.stop()
        clone.home.mkdir(exist_ok=True)
        shutil.copytree(original.data, clone.data)
        if os.geteuid() == 0:  # the server runs as another user
            owner = original.data.stat()
            for path in (clone.data, *clone.data.rglob("*")):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
        await original.start()
        await clone.start()
        addresses["deploy@staging.example.org"] = clone.address("site")
        one, other = [await read(address, host) for host, address in addresses.items()]
    finally:
        await original.stop()
        await clone.stop()
    assert one.is_same_database(other)
    assert one != other
    pins = Pins(tmp_path / "pins.json")
    pins.check("production", one)
    with pytest.raises(IdentityMismatch):
        pins.check("production", other)
    assert pins.role_of(other, but="staging") == "production"


def test_refuses_a_broken_pins_file(tmp_path: Path) -> None:
    (tmp_path / "pins.json").write_text("{")
    with pytest.raises(OperationFailed, match=r"pins\.json"):
        Pins(tmp_path / "pins.json").all()


async def test_reads_rights_sizes_and_databases(filled: Address) -> None:
    about = await server.about(filled)
    assert (about.major, about.user, about.can_create_db, about.is_superuser) == (
        18,
        "app",
        True,
        False,
    )
    contents = await server.contents(filled)
    assert contents.tables == 2 and contents.bytes > 1_000_000
    found = await server.database(filled)
    assert found is not None and found.owner == "app" and found.encoding == "UTF8"
    assert await server.database(filled.at("nosuch")) is None


@pytest.mark.parametrize("name", ["-x", "host=evil", "postgres://evil/db", "a\0b"])
def test_refuses_names_that_look_like_options(name: str) -> None:
    with pytest.raises(ConfigError, match="looks like an option"):
        Address(name)


async def test_reaches_a_database_by_any_name(database: Address) -> None:
    odd = database.at('odd "name" with $ and é')
    async with server.operations(database) as session:
        await session.execute('CREATE DATABASE "odd ""name"" with $ and é"')
    assert (await read(odd, "local")).database == odd.database
    await drop(database, odd.database)
    assert await server.database(odd) is None


async def test_tells_a_refusal_from_a_lost_connection(database: Address) -> None:
    with pytest.raises(OperationFailed, match="refused a statement") as refused:
        async with server.session(database) as session:
            await session.execute("SELECT nothing")
    assert 'column "nothing" does not exist' in refused.value.found
    with pytest.raises(ConnectionFailed, match="was lost"):
        async with server.session(database) as session:
            await session.execute("SELECT pg_terminate_backend(pg_backend_pid())")
