"""Secrets by name: from the environment first, then from the .env beside remodel.yml."""

from __future__ import annotations

import io
import os
from pathlib import Path

from dotenv import dotenv_values

from wizard.base import opening, redaction
from wizard.base.errors import ConfigError
from wizard.base.redaction import Secret


class Environment:
    """The environment and a .env. Secrets in either are masked from then on."""

    def __init__(self, path: Path) -> None:
        # A folder of that name is a virtual environment.
        self._file = _read(path) if path.exists() and not path.is_dir() else {}
        redaction.register({**self._file, **os.environ})
        self.origin: dict[str, str] = {}
        """Name -> `.env` or `the environment`, of what was asked for and found."""

    def get(self, name: str) -> Secret | None:
        """Return the secret of this name; None where there is none."""
        if name in os.environ:
            self.origin[name] = "the environment"
            return Secret(os.environ[name])
        value = self._file.get(name)
        if value:
            self.origin[name] = ".env"
            return Secret(value)
        return None


def _read(path: Path) -> dict[str, str]:
    data = opening.whole(path)
    try:
        values = dotenv_values(stream=io.StringIO(data.decode(), newline=None))
        return {name: value for name, value in values.items() if value}
    except UnicodeDecodeError as problem:
        raise ConfigError(
            f"{path} cannot be read.", found=str(problem), hint="Make it readable, in UTF-8."
        ) from None
