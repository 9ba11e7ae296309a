"""One virtual environment for each Wagtail, under an interpreter that it supports.

They are kept in `.matrix/` of the repository, each with a stamp of what it was made from.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]
KEPT = TESTS.parent / ".matrix"
REQUIREMENTS = TESTS / "matrix" / "requirements"


@dataclass(frozen=True)
class Version:
    """A Wagtail, and the interpreters it runs under, the preferred first."""

    name: str
    pythons: tuple[str, ...]

    @property
    def requirements(self) -> Path:
        """What `pip freeze` said when the versions were chosen."""
        return REQUIREMENTS / f"wagtail-{self.name}.txt"

    @property
    def place(self) -> Path:
        return KEPT / f"wagtail-{self.name}"

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.place / "bin" / "python"


def interpreter(version: Version) -> Path | None:
    """The first of the version's interpreters that this machine has and that can make a venv."""
    for name in version.pythons:
        for candidate in _candidates(name):
            if _usable(candidate, name):
                return candidate
    return None


async def environment(version: Version, base: Path) -> Path:
    """The version's environment, made with `base` when it is not there yet; its interpreter."""
    wanted = hashlib.sha256(version.requirements.read_bytes() + bytes(base)).hexdigest()
    stamp = version.place / "stamp"
    if stamp.is_file() and stamp.read_text() == wanted and version.python.exists():
        return version.python
    shutil.rmtree(version.place, ignore_errors=True)
    await run(base, "-m", "venv", str(version.place))
    await install(version.python, "--compile-bytecode", "--requirement", str(version.requirements))
    stamp.write_text(wanted)
    return version.python


async def install(python: Path, *what: str) -> None:
    """Install packages into an environment, by uv: a fifth of pip's time."""
    where = ("--quiet", "--no-config", "--python", str(python))
    await run(Path(sys.executable), "-m", "uv", "pip", "install", *where, *what)


async def run(
    python: Path, *args: str, folder: Path | None = None, given: dict[str, str] | None = None
) -> str:
    """What a Python process prints. Fails with what it complained of."""
    process = await asyncio.create_subprocess_exec(
        str(python),
        *args,
        cwd=folder,
        env=_ours() | (given or {}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, f"{python} {' '.join(args)}\n{err.decode()[-6000:]}"
    return out.decode()


def _candidates(name: str) -> Iterator[Path]:
    home = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    yield from sorted(home.glob(f"versions/{name}.*/bin/python"), reverse=True)
    uv = Path("~/.local/share/uv/python").expanduser()
    yield from sorted(uv.glob(f"cpython-{name}.*/bin/python{name}"), reverse=True)
    if found := shutil.which(f"python{name}"):
        yield Path(found)
    yield Path(sys.base_prefix) / "bin" / f"python{name}"


@cache
def _usable(candidate: Path, name: str) -> bool:
    code = f"import ensurepip, venv, sys; sys.exit('%d.%d' % sys.version_info[:2] != '{name}')"
    try:
        tried = subprocess.run(
            [str(candidate), "-c", code], capture_output=True, env=_ours(), timeout=60
        )
    except OSError:
        return False
    return tried.returncode == 0


def _ours() -> dict[str, str]:
    """Our environment without what would lead a process to our own packages."""
    mine = {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "DJANGO_SETTINGS_MODULE"}
    return {name: value for name, value in os.environ.items() if name not in mine}
