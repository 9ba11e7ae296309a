"""Start the worker: `python -u /path/to/wizard/worker/__main__.py`, in the project's folder.

The protocol takes over descriptors 0 and 1 before any code of the project runs. What the
project prints goes to standard error, and what it asks for finds nobody, so neither a stray
`print` nor an `input()` in the settings can corrupt the conversation.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import BinaryIO

HERE = Path(__file__).resolve().parent
PACKAGE = "remodel_worker"


def take_descriptors() -> tuple[BinaryIO, BinaryIO]:
    """Return the protocol's own reader and writer; 0 becomes /dev/null and 1 becomes 2."""
    reader = os.fdopen(os.dup(0), "rb")
    writer = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return reader, writer


def put_project_first() -> None:
    """Replace our own folder on the path, whose names would shadow the project's."""
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != HERE]
    sys.path.insert(0, str(Path.cwd()))


def load_package() -> None:
    """Make this folder importable as a package of its own name."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, HERE / "__init__.py", submodule_search_locations=[str(HERE)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)


def main() -> int:
    reader, writer = take_descriptors()
    put_project_first()
    load_package()
    serve = importlib.import_module(f"{PACKAGE}.serve")
    return int(serve.serve(reader, writer))


if __name__ == "__main__":
    sys.exit(main())
