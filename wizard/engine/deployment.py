"""What has to be deployed with the converted database, and what fails until it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wizard.session.journal import Journal

WRITERS = ("structure.model", "structure.migration", "slugs.fields", "slugs.migrations")
"""The operations that write source files."""


@dataclass(frozen=True)
class Deployment:
    """Source files that were written, relative to `folder`; and what code without them fails on."""

    folder: str = ""
    files: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in a summary."""
        return {
            "folder": self.folder,
            "files": list(self.files),
            "failures": list(self.failures),
        }

    def lines(self) -> list[str]:
        """Return it in words; nothing where no file was written."""
        if not self.files:
            return []
        return [
            f"DEPLOY with it, from {self.folder}: {', '.join(self.files)}",
            f"without them the running code fails on {', and on '.join(self.failures)}",
        ]


def deployment(journal: Journal, old_type: str, new_type: str, move: Sequence[str]) -> Deployment:
    """Return what a session changed in the source, as far as it is done."""
    written: dict[str, None] = {}
    for key in WRITERS:
        state, intent = journal.state(key), journal.intent(key)
        if state is None or state.kind != "done" or intent is None:
            continue
        details = intent["details"]
        paths = [details.get("path"), *details.get("files", ())]
        written |= {path: None for path in paths if path}
    if not written:
        return Deployment()
    folder = os.path.commonpath([Path(path).parent for path in written])
    failures = [f"every converted page (it has no {new_type})"]
    migrated = journal.state("slugs.migrate")
    if move and migrated is not None and migrated.kind == "done":
        failures.insert(0, f"every {old_type} page ({', '.join(move)} gone from its table)")
    files = tuple(str(Path(path).relative_to(folder)) for path in written)
    return Deployment(folder, files, tuple(failures))
