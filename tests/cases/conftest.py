"""The plain project's database is made once; a case gets a copy of it as its production."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from tests.cases.site import Case, Lay, clone, lay_out, plain_database
from tests.support.postgres import APP_PASSWORD, OWNER
from wizard.postgres.address import Address
from wizard.sandbox.cluster import Cluster

_numbers = count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def plain(far_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Address:
    """A database with the tables of the plain project."""
    return await plain_database(far_cluster, tmp_path_factory.mktemp("plain") / "project")


@pytest_asyncio.fixture
async def lay(
    cluster: Cluster, far_cluster: Cluster, plain: Address, tmp_path: Path
) -> AsyncIterator[Lay]:
    """Lays a case out by its name."""
    name = f"case_{next(_numbers)}"

    async def laid(case: str) -> Case:
        production = await clone(far_cluster, plain, name)
        local = replace(cluster.address(name), user=OWNER, password=APP_PASSWORD)
        return await lay_out(case, tmp_path / "project", local, production)

    yield laid
    for server in (cluster, far_cluster):
        await server.drop_database(name)
