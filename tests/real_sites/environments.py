"""An environment of its own for each site, kept in `.matrix/` beside those of the matrix.

What is in one is pinned in `requirements/NAME.txt`, as `pip freeze` told it when the site ran.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support import environments
from tests.support.environments import KEPT, Version

REQUIREMENTS = Path(__file__).parent / "requirements"


class Missing(Exception):
    """An interpreter or a package that is not to be had; the message says which, and why."""


@dataclass(frozen=True)
class Pinned(Version):
    """The environment of a site, under the first of the interpreters that is there."""

    @property
    def requirements(self) -> Path:
        return REQUIREMENTS / f"{self.name}.txt"

    @property
    def place(self) -> Path:
        return KEPT / self.name


async def environment(site: Pinned) -> Path:
    """The site's interpreter, its environment made when it is missing. Raises Missing."""
    base = environments.interpreter(site)
    if base is None:
        raise Missing(f"no Python {' or '.join(site.pythons)} with venv is installed")
    try:
        return await environments.environment(site, base)
    except AssertionError as failed:
        raise Missing(f"its environment cannot be built: {failed}") from None


async def add(site: Pinned, folder: str, requirement: str) -> Path:
    """A package alone, in a folder beside the site's environment. Raises Missing."""
    place = site.place / folder
    if not place.exists():
        try:
            await environments.install(
                site.python, "--no-deps", "--target", str(place), requirement
            )
        except AssertionError as failed:
            raise Missing(f"{requirement} cannot be installed: {failed}") from None
    return place
