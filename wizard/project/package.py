"""The distribution that the models live in: its files, and how it gets into the project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from wizard.base import files, process
from wizard.base.errors import ConfigError, OperationFailed
from wizard.base.events import Report
from wizard.config.config import Project
from wizard.project import encoding


def source_of(project: Project, installed: Path) -> Path:
    """Return the file in the operator's own tree that an installed file of the app was made from.

    `installed` is what the project's Python imports. It is the source itself when the app
    belongs to the project or is installed in editable mode; otherwise the file below the
    configured package that ends in the same parts. Raise ConfigError when there is none.
    """
    real = installed.resolve()
    if is_editable(project, installed):
        return real
    if project.package is None:
        raise ConfigError(
            f"The models live in {installed}, outside the project.",
            found=f"project: {project.path}",
            hint="Name the folder of their package in project.package of remodel.yml.",
        )
    for start in range(len(real.parts) - 1, 0, -1):
        tail = Path(*real.parts[start:])
        sources = [
            path
            for path in (project.package / "src" / tail, project.package / tail)
            if path.is_file()
        ]
        if sources and len(tail.parts) > 1:
            return sources[0]
    raise ConfigError(
        f"The source of {installed.name} is not below the package.",
        found=f"looked for …/{real.parent.name}/{real.name} in {project.package}",
        hint="Check project.package in remodel.yml.",
    )


def is_editable(project: Project, installed: Path) -> bool:
    """Whether an edit in the operator's tree is what the project's Python imports at once."""
    real = installed.resolve()
    own = [project.path.resolve()]
    if project.package is not None:
        own.append(project.package.resolve())
    inside = any(real.is_relative_to(folder) for folder in own)
    return inside and "site-packages" not in real.parts


async def install(project: Project, report: Report) -> None:
    """Run the configured command; its output is live. Raise OperationFailed with its end."""
    if not project.install:
        raise ConfigError(
            "The package has to be installed into the project, and no command is configured.",
            hint="Set project.install in remodel.yml, for example [flit, install, -s].",
        )
    ended = await process.run(
        list(project.install),
        cwd=project.package or project.path,
        env=_environment(project),
        on_line=lambda text: report.line(Path(project.install[0]).name, text),
    )
    if ended.returncode != 0:
        raise OperationFailed(
            f"{' '.join(project.install)} failed with exit code {ended.returncode}.",
            found=ended.told,
            hint="Run it by hand in the package's folder, mend it, then try again.",
        )


def _environment(project: Project) -> Mapping[str, str]:
    """As if the project's environment were activated, for `flit install` and its like."""
    folder = project.python.parent
    return {
        **os.environ,
        "VIRTUAL_ENV": str(folder.parent),
        "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}",
    }


def write(path: Path, text: str) -> None:
    """Replace a source file in one piece, its mode kept, in the encoding that `text` declares."""
    data = encoding.encoded(text, path)
    temporary = path.with_name(f".{path.name}.remodel")
    with files.writing(path):
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                temporary.chmod(path.stat().st_mode)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        temporary.replace(path)
        files.sync_folder(path.parent)


def read(path: Path) -> str:
    """Return a source file with its line ends as they are, byte order mark included."""
    return encoding.decoded(path.read_bytes(), path)
