"""The worker in the operator's project: started when first asked for, stopped with the run."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TextIO

from wizard.base.errors import ConfigError
from wizard.config.config import Config
from wizard.engine.facts import Facts
from wizard.engine.far_side import Far
from wizard.engine.local import LocalDatabase
from wizard.engine.results import FieldsMoved, LookedAt
from wizard.postgres import identity
from wizard.postgres.identity import Identity
from wizard.project.encoding import encoded
from wizard.project.worker_client import WorkerClient
from wizard.project.worker_process import DATABASE
from wizard.session.session import Session

PinnedDatabases = Callable[[], list[tuple[str, int]]]


class Worker:
    """The session's worker process. `pinned` names the databases it must refuse."""

    def __init__(
        self,
        config: Config,
        session: Session,
        facts: Facts,
        local: LocalDatabase,
        pinned: PinnedDatabases,
    ) -> None:
        self._config = config
        self._session = session
        self._facts = facts
        self._local = local
        self._pinned = pinned
        self._client: WorkerClient | None = None
        self._brief: TextIO | None = None
        self._laid: LookedAt | None = None
        self._kept_out = False

    @property
    def earlier(self) -> LookedAt | None:
        """Return the models that are laid over the source's: None where it has its own.

        They are from the look at the project until the fields have moved, where the source has
        the final models already.
        """
        if not self._facts.settled(LookedAt.KEY) or self._facts.settled(FieldsMoved.KEY):
            return None
        looked = self._facts.of(LookedAt)
        return looked if looked.removal else None

    @contextmanager
    def kept_out(self) -> Iterator[None]:
        """Allow no worker meanwhile: an undo has to do without a project that loads."""
        before, self._kept_out = self._kept_out, True
        try:
            yield
        finally:
            self._kept_out = before

    def _require_let_in(self) -> None:
        if self._kept_out:
            raise RuntimeError("An undo asks the project nothing, and this one does.")

    async def client(self) -> WorkerClient:
        """Return the running worker, started if it is not.

        Once the backup is restored, raise IdentityMismatch unless the local database is this
        session's.
        """
        self._require_let_in()
        if self._facts.settled("backup.restore"):
            await self._local.require_own()
        earlier = self.earlier
        if self._laid != earlier:
            await self.stop()
        if self._client is None:
            project, self._laid = self._config.project, earlier
            if earlier is not None:
                self._brief = tempfile.TemporaryFile("w", encoding="utf-8")  # noqa: SIM115
                _write_brief(self._brief, {}, earlier, None)
            self._client = WorkerClient(
                project.python,
                project.path,
                project.settings,
                pinned=self._pinned(),
                lock=self._session.lock,
                brief=None if self._brief is None else self._brief.fileno(),
            )
        if not self._client.running:
            await self._client.start()
        return self._client

    @asynccontextmanager
    async def client_on(self, database: str) -> AsyncIterator[WorkerClient]:
        """Start a worker of its own in another database of the local server.

        Raise ConfigError when the project's settings lead elsewhere all the same.
        """
        self._require_let_in()
        project = self._config.project
        async with WorkerClient(
            project.python,
            project.path,
            project.settings,
            environment={DATABASE: database},
            pinned=self._pinned(),
        ) as client:
            meant = await identity.read(self._config.local.address.at(database), "local")
            _require_reached(client, meant)
            yield client

    @asynccontextmanager
    async def client_over(
        self,
        texts: Mapping[Path, str],
        look_at: Far | None = None,
        earlier: LookedAt | None = None,
    ) -> AsyncIterator[WorkerClient]:
        """Start a worker of its own whose project imports these files with these texts.

        With `earlier` it has the models as they were then. The files themselves stay as they are.
        With `look_at` its database is that target, where it may only look. Raise ConfigError when
        the project does not load.
        """
        self._require_let_in()
        project, pinned, target = self._config.project, self._pinned(), None
        if look_at is not None:
            target = await identity.read(look_at.address, look_at.where)
            own = (target.system_identifier, target.oid)
            pinned = [pin for pin in pinned if pin != own]
        with tempfile.TemporaryFile("w", encoding="utf-8") as brief:
            _write_brief(brief, texts, earlier, look_at)
            async with WorkerClient(
                project.python,
                project.path,
                project.settings,
                pinned=pinned,
                brief=brief.fileno(),
            ) as client:
                if target is not None:
                    _require_reached(client, target)
                yield client

    async def stop(self) -> None:
        """Stop the worker: call it after the models changed, since a Python process keeps the old
        ones, and when another database takes the local one's place, since the worker caches."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.stop()
        if self._brief is not None:
            self._brief.close()
            self._brief = None


def _write_brief(
    brief: TextIO, texts: Mapping[Path, str], earlier: LookedAt | None, look_at: Far | None
) -> None:
    """Write what `wizard/worker/site/brief.py` reads; the target in Django's names."""
    target = None
    if look_at is not None:
        address = look_at.address
        target = {
            "NAME": address.database,
            "HOST": address.host,
            "PORT": str(address.port),
            "USER": address.user,
            "PASSWORD": address.password.reveal() if address.password else "",
            "sslmode": address.sslmode,
        }
    classes = None
    if earlier is not None:
        texts = {**texts, **{Path(name): text for name, text in earlier.texts.items()}}
        classes = earlier.classes
    overlay = {
        str(path.resolve()): base64.b64encode(encoded(text, path)).decode()
        for path, text in texts.items()
    }
    json.dump({"overlay": overlay, "classes": classes, "look_at": target}, brief)
    brief.flush()


def _require_reached(client: WorkerClient, meant: Identity) -> None:
    """Raise ConfigError unless the worker is in the database that is meant."""
    reached = client.hello.database
    if reached.identity != (meant.system_identifier, meant.oid):
        raise ConfigError(
            f"The project could not be pointed to {meant.database}.",
            found=reached.error or f"it is in {reached.name}, OID {reached.oid}",
            hint="The settings lead elsewhere whatever the database's address is.",
        )
