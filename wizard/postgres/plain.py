"""A plain, gzipped SQL script from a proven archive: what a restore playbook expects."""

from __future__ import annotations

import asyncio
import gzip
import os
from pathlib import Path

from wizard.errors import OperationFailed
from wizard.postgres.archive import Archive
from wizard.postgres.tools import Tool

TRAILER = b"PostgreSQL database dump complete"
CHUNK = 1024 * 1024  # bytes


async def write(archive: Archive, path: Path, pg_restore: Tool) -> int:
    """Write `archive` as a .gz of SQL at `path` (0600, in one piece); returns its bytes.

    The script is made by pg_restore from an archive that was read whole, so that a failed
    dump cannot become a good-looking script, as it does in `pg_dump | gzip`. Raises
    OperationFailed when pg_restore fails or its closing line is missing.
    """
    part = path.with_name(path.name + ".part")
    child = await asyncio.create_subprocess_exec(
        str(pg_restore.path),
        "--no-owner",
        "--no-acl",
        "--file=-",
        str(archive.path),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout is not None and child.stderr is not None
    tail = b""
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb") as zipped:
            while chunk := await child.stdout.read(CHUNK):
                zipped.write(chunk)
                tail = (tail + chunk)[-1000:]
        said = (await child.stderr.read()).decode(errors="replace")
        if await child.wait() != 0 or TRAILER not in tail:
            raise OperationFailed(
                f"Writing {path.name} from {Path(archive.path).name} failed.",
                found=said or "the script ends without its closing line",
                hint="Look at the message; nothing was written under that name.",
            )
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
        part.unlink(missing_ok=True)
    return path.stat().st_size
