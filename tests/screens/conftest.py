"""A project's folder to open the app in, and pictures of the terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.pilot import Pilot
from textual.widgets import Input

from screens.app import RemodelApp
from tests.support.scripted_app import REMODEL_YML, Looks, ScriptedProject


@pytest.fixture
def project(tmp_path: Path) -> ScriptedProject:
    """A project with remodel.yml."""
    (tmp_path / "remodel.yml").write_text(REMODEL_YML)
    return ScriptedProject(tmp_path)


class _Svg(SingleFileSnapshotExtension):
    file_extension = "svg"
    _write_mode = WriteMode.TEXT


@pytest.fixture
def looks(snapshot: SnapshotAssertion) -> Looks:
    """Compare the terminal's picture with the recorded one, without what varies by nature."""

    async def compare(app: RemodelApp, pilot: Pilot[None]) -> None:
        for field in app.screen.query(Input):
            field.cursor_blink = False
        app.draw()
        await pilot.pause()
        svg = re.sub(r"terminal-\d+", "terminal", app.export_screenshot())
        svg = re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)  # fonts from a CDN
        assert svg == snapshot(extension_class=_Svg)

    return compare
