"""One filled database for each Wagtail, made when it is first asked for; each case played once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio

from tests.matrix.case_run import OWNER, PASSWORD, Played, Stage
from tests.matrix.cases import Direction
from tests.support.environments import Version
from wizard.sandbox.cluster import Cluster

Play = Callable[[Version, Direction, str], Awaitable[Played]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Where the cases are played."""
    await cluster.create_role(OWNER, PASSWORD)
    return Stage(cluster, tmp_path_factory.mktemp("every"))
