"""The local database: whose it is, and how to have it to oneself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from wizard.base.errors import IdentityMismatch
from wizard.postgres import identity
from wizard.postgres.address import Address
from wizard.project.pagetree import PageTree
from wizard.session.session import Session

LOCAL_DATABASE = "the local database"
"""What an undo on it names as put back."""


class LocalDatabase:
    """The local database of a session, marked by a comment as that session's own."""

    def __init__(self, address: Address, session: Session, pagetree: PageTree) -> None:
        self._address = address
        self._session = session
        self._pagetree = pagetree

    @property
    def mark(self) -> str:
        """The comment on the database while it is this session's."""
        return f"remodel session {self._session.id}"

    async def require_own(self) -> None:
        """Raise IdentityMismatch unless the local database is the one this session restored.

        Two sessions of a project share its name; the content belongs to one of them.
        """
        mark = await identity.marked(self._address)
        if mark != self.mark:
            raise IdentityMismatch(
                f"The local database {self._address.database} is not this session's.",
                found=f"it says {mark or 'nothing'!r}, and should say {self.mark!r}",
                hint="Another session restored its own since, or somebody replaced it. Go on with "
                "that one, or begin a new session.",
            )

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Keep our own connections out of the database while it is copied or renamed.

        The worker keeps no connection between two questions; the page tree waits.
        """
        async with self._pagetree.paused():
            yield
