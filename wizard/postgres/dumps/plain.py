"""A plain, gzipped SQL script from a proven archive: what a restore playbook expects."""

from __future__ import annotations

import asyncio
import gzip
import os
from pathlib import Path

from wizard.base import files
from wizard.base.errors import OperationFailed
from wizard.base.process import start
from wizard.postgres.dumps.archive import Archive
from wizard.postgres.dumps.tools import ENVIRONMENT, Tool

LEVEL = 1  # of gzip: at its usual one, zipping takes longer than all else together
TRAILER = b"PostgreSQL database dump complete"


async def write(archive: Archive, path: Path, pg_restore: Tool) -> int:
    """Write `archive` as a .gz of SQL at `path` (0600, in one piece); returns its bytes.

    The script is made by pg_restore from an archive that was read whole, so that a failed
    dump cannot become a good-looking script, as it does in `pg_dump | gzip`. Raises
    OperationFailed when pg_restore or the disk fails, or the closing line is missing.
    """
    part = path.with_name(path.name + ".part")
    tail = b""
    argv = [str(pg_restore.path), "--no-owner", "--no-acl", "--file=-", str(archive.path)]
    part.unlink(missing_ok=True)
    try:
        with files.writing(part):
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                async with start(argv, env=ENVIRONMENT) as child:
                    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=LEVEL) as zipped:
                        async for chunk in child:
                            await asyncio.to_thread(zipped.write, chunk)
                            tail = (tail + chunk)[-len(TRAILER) * 8 :]
                file.flush()
                os.fsync(file.fileno())
        if child.returncode != 0 or TRAILER not in tail:
            raise OperationFailed(
                f"Writing {path.name} from {archive.path.name} failed.",
                found=child.stderr_tail or "the script ends without its closing line",
                hint="Look at the message; nothing was written under that name.",
            )
        part.replace(path)
        files.sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)
    return path.stat().st_size
