"""Which pg_dump and pg_restore are found and chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from wizard.base.errors import ConfigError
from wizard.postgres.dumps import routes, tools
from wizard.postgres.dumps.tools import Tool
from wizard.sandbox.cluster import binaries
from wizard.sandbox.sshd import SshServer
from wizard.ssh.connection import Connection


async def test_the_configured_directory_comes_first_and_the_wheel_is_found() -> None:
    found = await tools.find("pg_dump", configured=binaries(16))
    assert found[0].path == binaries(16) / "pg_dump"
    assert found[0].major == 16
    assert {16, 18} <= {tool.major for tool in found}
    assert len({tool.path.resolve() for tool in found}) == len(found)


async def test_pg_dump_is_of_the_servers_version_or_newer() -> None:
    assert (await tools.choose_dump(16, configured=binaries(18))).major == 16
    assert (await tools.choose_dump(17)).major == 18
    with pytest.raises(ConfigError, match="99 needs pg_dump 99"):
        await tools.choose_dump(99)


async def test_pg_restore_fits_the_archive_and_the_server() -> None:
    assert (await tools.choose_restore(18, 18)).major == 18
    assert (await tools.choose_restore(16, 16)).major == 16
    assert (await tools.choose_restore(18, 16)).major == 18  # reads it; the loader does the rest
    assert not tools.fits(18, 16)
    with pytest.raises(ConfigError, match="pg_restore 19 or newer"):
        await tools.choose_restore(19, 18)


async def test_passes_over_programs_that_are_no_pg_dump(tmp_path: Path) -> None:
    broken = tmp_path / "pg_dump"
    broken.write_text("#!/bin/sh\necho pg_dump of another make\n")
    broken.chmod(0o755)
    found = await tools.find("pg_dump", configured=tmp_path)
    assert found and broken not in [tool.path for tool in found]


def client(major: int, place: str, *methods: str) -> Tool:
    return Tool(Path(place), major, f"{major}.1", methods)


@pytest.mark.parametrize(
    ("server", "into", "far", "here", "expected"),
    [
        # as new as the server, and there: one round trip, compressed before it travels
        (16, 18, [16, 18], [16, 18], (True, 16, 16, "gzip", False)),
        # only newer there, and the local server is old: the pair here goes all the way
        (16, 16, [18], [16, 18], (False, 16, 16, "gzip", False)),
        # too old there
        (18, 18, [15], [18], (False, 18, 18, "gzip", False)),
        # no pair: the loader
        (17, 15, [17], [18], (True, 17, 18, "gzip", True)),
        (18, 16, [], [16, 18], (False, 18, 18, "gzip", True)),
        # nothing here reads its archives: a script
        (18, 15, [18], [15], (True, 18, None, "gzip", True)),
        (18, 18, [18], [], (True, 18, None, "gzip", True)),
        # nothing may read the server
        (18, 18, [16], [17], None),
    ],
)
def test_chooses_the_route_by_what_each_end_has(
    server: int,
    into: int,
    far: list[int],
    here: list[int],
    expected: tuple[bool, int, int | None, str, bool] | None,
) -> None:
    route = routes.choose(
        server,
        into,
        far=[client(major, f"/far/{major}/pg_dump") for major in far],
        here=[client(major, f"/here/{major}/pg_dump") for major in here],
        restores=[client(major, f"/here/{major}/pg_restore") for major in here],
    )
    assert expected == (
        route
        and (
            route.far,
            route.pg_dump.major,
            route.pg_restore and route.pg_restore.major,
            route.method,
            route.loads,
        )
    )


def test_the_quickest_compression_that_both_ends_have() -> None:
    def method(far: tuple[str, ...], here: dict[int, tuple[str, ...]]) -> tuple[str, int]:
        route = routes.choose(
            16,
            18,
            far=[client(16, "/far/pg_dump", *far)],
            here=[client(major, f"/{major}/pg_dump", *known) for major, known in here.items()],
            restores=[client(major, f"/{major}/pg_restore") for major in here],
        )
        assert route is not None and route.pg_restore is not None
        return route.method, route.pg_restore.major

    assert method(("zstd", "lz4"), {16: (), 18: ("zstd", "lz4")}) == ("zstd", 18)
    assert method(("zstd", "lz4"), {16: ("lz4",)}) == ("lz4", 16)
    assert method(("zstd",), {16: ("lz4",), 18: ()}) == ("gzip", 16)
    assert method((), {18: ("zstd",)}) == ("gzip", 18)


@pytest.mark.parametrize(("major", "option"), [(14, "1"), (15, "1"), (16, "lz4"), (18, "lz4")])
def test_pg_dump_before_16_is_never_told_a_name(major: int, option: str) -> None:
    """14 takes it for a number, and does not compress at all."""
    assert tools.compressing(client(major, "pg_dump", "lz4"), "lz4") == f"--compress={option}"


async def test_finds_every_pg_dump_of_the_far_side(
    connection: Connection, ssh_server: SshServer, tmp_path: Path
) -> None:
    """One that says it was built with zstd, one before names, one that does not run; found by a
    shell whose login script has something to say."""
    ssh_server.environment["PATH"] = f"{tmp_path}:/bin"
    talkative = tmp_path / "sh"
    talkative.write_text('#!/bin/sh\necho "Welcome!"\nexec /bin/sh "$@"\n')
    talkative.chmod(0o755)
    spoken = tmp_path / "pg_dump"
    for version, methods in (("17.2", ("zstd",)), ("15.3", ())):
        spoken.write_text(
            f'#!/bin/sh\ncase "$*" in --version) echo "pg_dump (PostgreSQL) {version}";;\n'
            '*lz4*) echo "pg_dump: error: this build does not support compression with LZ4" >&2;;\n'
            '*) echo "pg_dump: error: connection to server failed" >&2;; esac\nexit 1\n'.replace(
                "exit 1", 'test "$*" = --version'
            )
        )
        spoken.chmod(0o755)
        found = {tool.path: tool for tool in (await tools.far_dumps(connection))[0]}
        assert (found[spoken].version, found[spoken].methods) == (version, methods)
    spoken.write_text("#!/bin/sh\nexit 1\n")
    assert spoken not in {tool.path for tool in (await tools.far_dumps(connection))[0]}


async def test_takes_another_route_where_a_login_prints(
    connection: Connection, ssh_server: SshServer, tmp_path: Path
) -> None:
    """What a .bashrc echoes would be at the beginning of the dump."""
    quiet = await routes.find(connection, 18, 18, configured=binaries(18))
    assert quiet.far
    assert quiet.note == ""
    ssh_server.environment["PATH"] = f"{tmp_path}:{ssh_server.environment['PATH']}"
    talkative = tmp_path / "sh"
    talkative.write_text('#!/bin/sh\necho "Welcome!"\nexec /bin/sh "$@"\n')
    talkative.chmod(0o755)
    route = await routes.find(connection, 18, 18, configured=binaries(18))
    assert not route.far
    assert "a login there prints 'Welcome!'" in route.why


async def test_a_build_without_tls_is_no_pg_dump_for_a_network() -> None:
    here = await tools.find("pg_dump", configured=binaries(18))
    assert binaries(18) / "pg_dump" not in {t.path for t in await tools.with_tls(here, "require")}
    assert binaries(18) / "pg_dump" in {t.path for t in await tools.with_tls(here, "disable")}
