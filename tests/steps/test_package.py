"""Where the source of an installed app is, and whether an edit there is seen at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from wizard.base.errors import ConfigError, OperationFailed
from wizard.base.events import Events, Line, Report
from wizard.config.config import Project
from wizard.project import package


def project(folder: Path, *, distribution: bool = True, install: tuple[str, ...] = ()) -> Project:
    (folder / "site").mkdir(exist_ok=True)
    return Project(
        path=folder / "site",
        python=folder / "site" / ".venv" / "bin" / "python",
        settings="config.settings",
        package=folder / "package" if distribution else None,
        install=install,
    )


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


@pytest.mark.parametrize("layout", ["src/cast/models.py", "cast/models.py"])
def test_a_copy_in_site_packages_leads_to_its_source(tmp_path: Path, layout: str) -> None:
    installed = put(tmp_path / "site/.venv/lib/python3.11/site-packages/cast/models.py")
    source = put(tmp_path / "package" / layout)
    assert package.source_of(project(tmp_path), installed) == source
    assert not package.is_editable(project(tmp_path), installed)


def test_a_models_package_keeps_its_folders(tmp_path: Path) -> None:
    installed = put(tmp_path / "site/.venv/lib/site-packages/cast/models/pages.py")
    put(tmp_path / "package/src/other/pages.py")
    source = put(tmp_path / "package/src/cast/models/pages.py")
    assert package.source_of(project(tmp_path), installed) == source


def test_an_editable_install_is_the_source_itself(tmp_path: Path) -> None:
    source = put(tmp_path / "package/src/cast/models.py")
    assert package.is_editable(project(tmp_path), source)
    assert package.source_of(project(tmp_path), source) == source


def test_a_symlinked_install_is_the_source_itself(tmp_path: Path) -> None:
    source = put(tmp_path / "package/src/cast/models.py")
    packages = tmp_path / "site/.venv/lib/site-packages"
    packages.mkdir(parents=True)
    (packages / "cast").symlink_to(source.parent)
    installed = packages / "cast" / "models.py"
    assert package.is_editable(project(tmp_path), installed)
    assert package.source_of(project(tmp_path), installed) == source


def test_finds_an_app_of_the_project_itself(tmp_path: Path) -> None:
    source = put(tmp_path / "site/blog/models.py")
    assert package.source_of(project(tmp_path, distribution=False), source) == source


def test_no_source_is_an_error_that_says_where_was_looked(tmp_path: Path) -> None:
    installed = put(tmp_path / "site/.venv/lib/site-packages/cast/models.py")
    with pytest.raises(ConfigError, match=r"project\.package"):
        package.source_of(project(tmp_path, distribution=False), installed)
    (tmp_path / "package").mkdir()
    with pytest.raises(ConfigError, match=r"cast/models\.py"):
        package.source_of(project(tmp_path), installed)


async def test_install_reports_live_and_trusts_the_exit_code(tmp_path: Path) -> None:
    events = Events()
    told: list[str] = []
    events.subscribe(lambda event: told.append(event.text) if isinstance(event, Line) else None)
    report = Report(events, "structure.install")
    (tmp_path / "package").mkdir()
    await package.install(project(tmp_path, install=("sh", "-c", "echo one; pwd")), report)
    assert told == ["one", str(tmp_path / "package")]
    with pytest.raises(OperationFailed, match="exit code 7") as raised:
        failing = project(tmp_path, install=("sh", "-c", "echo no space >&2; exit 7"))
        await package.install(failing, report)
    assert "no space" in raised.value.found
    with pytest.raises(ConfigError, match="no command is configured"):
        await package.install(project(tmp_path), report)


def test_writing_keeps_mode_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "models.py"
    path.write_bytes(b"a = 1\r\n")
    path.chmod(0o640)
    assert package.read(path) == "a = 1\r\n"
    package.write(path, "b = 2\r\n")
    assert path.read_bytes() == b"b = 2\r\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [other.name for other in tmp_path.iterdir()] == ["models.py"]
