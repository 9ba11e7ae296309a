"""The operator's own editor, for a text of a few lines."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from wizard.base.errors import OperationFailed


def edit(text: str, suffix: str) -> str:
    """Open `text` in $VISUAL or $EDITOR; return it as it was saved. The terminal must be free.

    Raise OperationFailed when the editor cannot be started or fails; `text` is then unchanged.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="remodel-") as folder:
        path = Path(folder) / f"remodel{suffix}"
        path.write_text(text, encoding="utf-8")
        try:
            subprocess.run([*shlex.split(command), str(path)], check=True)
        except (OSError, ValueError, subprocess.CalledProcessError) as problem:
            raise OperationFailed(
                f"The editor {command!r} could not be used.",
                found=str(problem),
                hint="Set EDITOR to an editor that is installed; the text is as it was.",
            ) from None
        return path.read_text(encoding="utf-8")
