"""The target's disk is full in the middle of a delivery.

Without a disk of our own to fill, the server is let write no file above the size of a segment of
its log (setrlimit(2)): to PostgreSQL a table that cannot be extended, as on a full disk.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.delivery import dumped, names, perform, tidy, titles
from wizard.base.errors import OperationFailed
from wizard.delivery.base import ForTarget
from wizard.delivery.in_place import InPlace
from wizard.delivery.swap import Swap
from wizard.postgres.address import Address, connect
from wizard.sandbox.cluster import Cluster

SEGMENT = 16 << 20

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="another process's limits are set by prlimit(2) of Linux"
)


@contextmanager
def full(cluster: Cluster) -> Iterator[None]:
    """Sessions that begin in here may write no larger file than a segment of the log."""
    server = int((cluster.data / "postmaster.pid").read_text().split()[0])
    before = resource.prlimit(server, resource.RLIMIT_FSIZE)
    resource.prlimit(server, resource.RLIMIT_FSIZE, (SEGMENT, before[1]))
    try:
        yield
    finally:
        resource.prlimit(server, resource.RLIMIT_FSIZE, before)


@pytest.mark.slow
@pytest.mark.parametrize(("how", "deliver"), [("swap", Swap), ("in place", InPlace)])
async def test_the_live_database_stays_and_is_delivered_to_when_there_is_room(
    how: str,
    deliver: type[ForTarget],
    database: Address,
    far_database: Address,
    far_cluster: Cluster,
    tmp_path: Path,
) -> None:
    async with await connect(database) as connection:
        await connection.execute(
            "CREATE TABLE large AS "
            "SELECT i, repeat(md5(i::text), 40) FROM generate_series(1, 15000) i"
        )
    async with dumped(tmp_path, database, far_database, delivery=how) as (run, target):
        plan = await deliver(target).plan(run)
        with full(far_cluster), pytest.raises(OperationFailed) as stopped:
            await deliver(target).apply(run, plan)
        assert "File too large" in stopped.value.found
        assert await titles(far_database) == {"old"}  # there, and open
        assert await names(far_database) == {""}

        await perform(run, deliver(target))
        assert await titles(far_database) == {"new"}
    await tidy(far_database)
