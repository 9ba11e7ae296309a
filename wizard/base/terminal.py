"""Where lines for a person go out, here and nowhere else, cleaned by one rule."""

from __future__ import annotations

import sys
from typing import TextIO

from wizard.base.redaction import shown


def say(text: object, stream: TextIO | None = None) -> None:
    """Print lines, without a secret or what acts on a terminal; on stdout by default."""
    print(shown(str(text)), file=stream or sys.stdout, flush=True)
