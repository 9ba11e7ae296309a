"""What an operation has at hand: config, session, report, facts, worker, targets, tools.

Everything that is opened here (a worker, an SSH connection, a forwarded socket) is opened when
first needed, checked before it is handed out, and closed with the context.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wizard.base.events import Events, Report
from wizard.config.config import Config
from wizard.engine.facts import Facts
from wizard.engine.far_side import FarSide
from wizard.engine.local import LocalDatabase
from wizard.engine.tools import LocalTools
from wizard.engine.worker import Worker
from wizard.project.pagetree import PageTree
from wizard.session.session import Session
from wizard.ssh import sockets


class Context:
    """One process's work on a session. Use it as an async context manager."""

    def __init__(self, config: Config, session: Session, events: Events) -> None:
        self.config = config
        self.session = session
        self.events = events
        self.report = Report(events, "")
        self.pagetree = PageTree(config.local.address)
        self.facts = Facts(session)
        self.local = LocalDatabase(config.local.address, session, self.pagetree)
        self.far = FarSide(config, session)
        self.tools = LocalTools(config)
        self.worker = Worker(config, session, self.facts, self.local, self.far.pinned)

    async def __aenter__(self) -> Context:
        sockets.remove_dead()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.worker.stop()
        await self.far.close()
        sockets.remove_dead()  # of a killed process whose children had not ended at our start

    @contextmanager
    def reporting(self, operation: str) -> Iterator[Report]:
        """Report in the operation's name while it runs."""
        before, self.report = self.report, Report(self.events, operation)
        try:
            yield self.report
        finally:
            self.report = before

    @property
    def stamp(self) -> str:
        """The session's id as a part of a database's name."""
        return self.session.id.replace("-", "_")

    def artefact(self, name: str) -> Path:
        """Return the path of a file that belongs to this session."""
        return self.session.folder / name
