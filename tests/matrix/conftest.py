"""One filled database for each Wagtail, made when it is first asked for; each case played once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.matrix.cases import Direction
from tests.matrix.environments import Version, interpreter
from tests.matrix.played import OWNER, PASSWORD, Home, Played, cloned, filled, play
from wizard.sandbox.cluster import Cluster

Play = Callable[[Version, Direction, str], Awaitable[Played]]


class Stage:
    """What has been made and played in this session."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder
        self._homes: dict[str, Home] = {}
        self._before: dict[str, dict[str, Any]] = {}
        self._played: dict[tuple[str, str, str], Played] = {}

    async def home(self, version: Version) -> Home:
        """The filled project under this Wagtail. Skips where no interpreter runs it."""
        base = interpreter(version)
        if base is None:
            wanted = " or ".join(version.pythons)
            pytest.skip(f"Wagtail {version.name}: this machine has no Python {wanted}")
        if version.name not in self._homes:
            self._homes[version.name] = await filled(self._cluster, version, base, self._folder)
        return self._homes[version.name]

    async def clone(self, version: Version) -> Home:
        """A copy of it to do something to."""
        return await cloned(self._cluster, await self.home(version), self._folder)

    async def answers(self, version: Version) -> dict[str, Any]:
        """What the site answers before anything is done to it."""
        if version.name not in self._before:
            self._before[version.name] = await (await self.clone(version)).drive()
        return self._before[version.name]

    async def play(self, version: Version, direction: Direction, ids: str) -> Played:
        """The case, played; later calls get what the first has seen."""
        key = (version.name, direction.name, ids)
        if key not in self._played:
            self._played[key] = await play(await self.clone(version), direction, ids)
        return self._played[key]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Where the cases are played."""
    await cluster.create_role(OWNER, PASSWORD)
    return Stage(cluster, tmp_path_factory.mktemp("every"))
