"""Find a Django project on disk: its manage.py, its settings and its interpreter."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from wizard.base.errors import ConfigError


@dataclass(frozen=True)
class DjangoProject:
    """A Django project on disk. `settings` or `python` is None where it could not be found."""

    manage: Path
    settings: str | None
    python: Path | None

    @property
    def root(self) -> Path:
        """Return the project's folder, in which the worker runs."""
        return self.manage.parent


def find_project(start: Path) -> DjangoProject:
    """Return the project of the nearest manage.py at or above `start`.

    The settings are those that manage.py sets by default. The interpreter is that of `.venv`,
    `venv` or `env` beside manage.py or above it, or of the active virtual environment.
    Raise ConfigError when there is no manage.py.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        manage = folder / "manage.py"
        if manage.is_file():
            return DjangoProject(manage, _settings(manage), _interpreter(folder))
    raise ConfigError(
        f"No manage.py was found in {start} or above it.",
        hint="Run remodel in a Django project, or name its folder as project.path.",
    )


def _settings(manage: Path) -> str | None:
    text = manage.read_text(encoding="utf-8", errors="replace")
    match = re.search(r"DJANGO_SETTINGS_MODULE[\"']\s*[,\]]\s*=?\s*[\"']([\w.]+)[\"']", text)
    return match[1] if match else None


def _interpreter(folder: Path) -> Path | None:
    places = [
        above / name for above in (folder, *folder.parents) for name in (".venv", "venv", "env")
    ]
    if active := os.environ.get("VIRTUAL_ENV"):
        places.append(Path(active))
    for place in places:
        python = place / "bin" / "python"
        # Not resolved: through the link, the interpreter would lose its virtual environment.
        if python.is_file() and (place / "pyvenv.cfg").is_file():
            return python
    return None
