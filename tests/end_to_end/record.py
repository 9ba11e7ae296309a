"""Record the sandbox's answers anew: `python -m tests.end_to_end.record`.

To be run after a change to a plan's facts or to a question; a test says when it is due. The
consent to the sandbox's host key is left out, because every sandbox has a host key of its own.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from tests.support.consenting_operator import Consenting
from wizard.base.events import Events, Report
from wizard.commands import outline, runner
from wizard.config import config
from wizard.reports.output import Output
from wizard.sandbox import layout
from wizard.session import answers
from wizard.session import session as sessions

SHIPPED = Path(layout.__file__).with_name("answers.yml")


async def record(root: Path) -> Path:
    """Walk the procedure on a new sandbox in `root`; returns the answers that were recorded."""
    sandbox = await layout.lay_out(root, posts=12, report=Report(Events(), "sandbox"))
    async with layout.running(sandbox):
        found = config.read(sandbox.config)
        with sessions.begin(found) as session:
            await runner.headless(found, session, Consenting(), Output())
            path = session.folder / "answers.yml"
            recorded = answers.read(path)
            recorded.consents = {
                key: value for key, value in recorded.consents.items() if "trust" not in key
            }
            questions = {q.key: q for q in outline.questions(found)}
            answers.write(path, recorded, questions, {"by": "tests/end_to_end/record.py"})
            return path


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="remodel-record-") as folder:
        shutil.copyfile(asyncio.run(record(Path(folder) / "sandbox")), SHIPPED)
        print(f"Wrote {SHIPPED}.")
