"""PostgreSQL's programs on this machine, chosen for the local server."""

from __future__ import annotations

from wizard.config.config import Config
from wizard.postgres import server
from wizard.postgres.dumps import tools
from wizard.postgres.dumps.tools import Tool


class LocalTools:
    """pg_dump and pg_restore as they fit the local server."""

    def __init__(self, config: Config) -> None:
        self._config = config

    async def local_major(self) -> int:
        """Return the local server's major version, whether or not the database is there yet."""
        return (await server.about(self._config.local.address.at("postgres"))).major

    async def pg_dump(self) -> Tool:
        """Return a pg_dump that may read the local server."""
        return await tools.choose_dump(
            await self.local_major(), configured=self._config.postgres_bin
        )

    async def pg_restore(self, dump_major: int, server_major: int) -> Tool:
        """Return a pg_restore that reads such an archive and, where one does both, fits the server.

        `dump_major` is the major version of the pg_dump that made the archive.
        """
        return await tools.choose_restore(
            dump_major, server_major, configured=self._config.postgres_bin
        )
