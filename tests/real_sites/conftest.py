"""Each site filled once a session; a test takes a copy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.real_sites.environments import Missing
from tests.real_sites.sites import OWNER, PASSWORD, RealSite, Recipe, Seen, Take, copied, filled
from wizard.sandbox.cluster import Cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def originals(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Take]:
    """The filled site of a recipe. A test that asks for one that cannot be built is skipped."""
    await cluster.create_role(OWNER, PASSWORD)
    kept: dict[str, RealSite | Missing] = {}

    async def take(recipe: Recipe) -> RealSite:
        if recipe.name not in kept:
            folder = tmp_path_factory.mktemp(recipe.name) / "project"
            try:
                kept[recipe.name] = await filled(cluster, recipe, folder)
            except Missing as missing:
                kept[recipe.name] = missing
        found = kept[recipe.name]
        if isinstance(found, Missing):
            print(f"{recipe.name} is skipped: {found}")
            pytest.skip(f"{recipe.name}: {found}")
        return found

    yield take


@pytest_asyncio.fixture
async def take(cluster: Cluster, originals: Take, tmp_path: Path) -> AsyncIterator[Take]:
    """A copy of the filled site of a recipe, dropped after the test."""
    databases: list[str] = []

    async def copy(recipe: Recipe) -> RealSite:
        folder = tmp_path / f"{recipe.name}_{len(databases)}"
        site = await copied(cluster, await originals(recipe), folder)
        databases.append(site.database.database)
        return site

    yield copy
    for name in databases:
        await cluster.drop_database(name)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def seen(cluster: Cluster, originals: Take, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What visitors and editors saw of a recipe's site before anything was converted."""
    kept: dict[str, dict[str, Any]] = {}

    async def look(recipe: Recipe) -> dict[str, Any]:
        if recipe.name not in kept:
            folder = tmp_path_factory.mktemp(f"seen_{recipe.name}") / "project"
            site = await copied(cluster, await originals(recipe), folder)
            kept[recipe.name] = await site.drive("before")
            await cluster.drop_database(site.database.database)
        return kept[recipe.name]

    return look
