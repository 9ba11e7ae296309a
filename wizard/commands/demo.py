"""`remodel demo`: the sandbox laid out, its servers started, and the procedure walked on it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from wizard.base.events import Events, Line, Report
from wizard.base.terminal import say
from wizard.commands import runner
from wizard.config import config as configs
from wizard.reports.output import Output
from wizard.sandbox.layout import RunningSandbox, lay_out, running
from wizard.session import answers
from wizard.session import session as sessions
from wizard.ssh import hostkeys


async def play(folder: Path | None, posts: int, screens: bool, serve: bool, output: Output) -> int:
    """Lay out the sandbox in `folder` (or a temporary one) and walk it; returns the exit code.

    With `screens` the wizard opens; otherwise the recorded answers are replayed, which allows
    both targets because both belong to the sandbox. With `serve` its servers just run.
    """
    temporary = tempfile.TemporaryDirectory(prefix="remodel-demo-") if folder is None else None
    with temporary or nullcontext() as made:
        root = Path(made) if made else folder
        assert root is not None
        sandbox = await lay_out(root.resolve(), posts=posts, report=_layout_report(output))
        async with running(sandbox) as servers:
            if serve:
                _accept_host_key(configs.read(sandbox.config), servers)
                say(f"Serving {root}; ctrl+c ends it. In another terminal: cd {root}; remodel")
                sys.stdout.flush()
                await asyncio.Event().wait()
            config = configs.read(sandbox.config)
            if not screens:
                # Pinned beforehand, as a CI job would; on the screens the operator accepts it.
                _accept_host_key(config, servers)
            left = sessions.find(config, fits=lambda one: not one.finished)
            opened = sessions.resume(config, left.id) if left else sessions.begin(config)
            with opened as session:
                if screens:
                    code = await runner.interactive(config, session)
                    if code:
                        say(_how_to_go_on(folder), sys.stderr)
                    return code
                recorded = answers.read(sandbox.answers)
                await runner.replay(config, session, recorded, ("staging", "production"), output)
    return 0


def _how_to_go_on(folder: Path | None) -> str:
    if folder is None:
        return "The sandbox is removed. With --dir D it stays, and the demo goes on with it."
    return f"`remodel demo --dir {folder}` goes on; the servers of the sandbox end with the demo."


def _layout_report(output: Output) -> Report:
    """Return a report for the layout: its progress, without each line of Django's migrate."""
    events, shown = Events(), Events()
    output.listen(shown)
    events.subscribe(lambda event: None if isinstance(event, Line) else shown.emit(event))
    return Report(events, "sandbox")


def _accept_host_key(config: configs.Config, servers: RunningSandbox) -> None:
    """Put the sandbox's own host key among those that an operator has accepted."""
    line = f"[127.0.0.1]:{servers.ssh.port} {servers.ssh.host_key}"
    hostkeys.add(config.state / "known_hosts", line)
