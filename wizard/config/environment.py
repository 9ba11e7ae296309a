"""Secrets by name: from the environment first, then from the .env beside remodel.yml."""

from __future__ import annotations

import os
from pathlib import Path

from dotenv import dotenv_values

from wizard.base import redaction
from wizard.base.errors import ConfigError
from wizard.base.redaction import Secret


class Environment:
    """The environment and a .env. Secrets in either are masked from then on."""

    def __init__(self, path: Path) -> None:
        self._file = _read(path) if path.is_file() else {}
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
    try:
        return {name: value for name, value in dotenv_values(path).items() if value}
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(
            f"{path} cannot be read.", found=str(problem), hint="Make it readable, in UTF-8."
        ) from None
