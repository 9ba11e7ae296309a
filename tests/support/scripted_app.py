"""The real engine, run and session under the real app; only the operations are scripted.

A scripted operation emits what a real one would and needs no database. The page tree is one
of 100,000 pages that are made up as they are asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from screens.app import RemodelApp
from wizard.base.errors import OperationFailed
from wizard.base.events import Events
from wizard.config import config
from wizard.engine.context import Context
from wizard.engine.operation import Observation, Operation, Seen, Step
from wizard.engine.operators import Operator
from wizard.engine.result import Result
from wizard.project.pagetree import Node
from wizard.session.plan import Plan
from wizard.session.session import Session

REMODEL_YML = """
project: {path: ., settings: config.settings.local}
local: {database: harbour}
source: production
targets:
  staging: {ssh: deploy@staging.example.org, database: harbour, site: {hostname: localhost}}
  production: {ssh: deploy@example.org, database: harbour, site: {hostname: example.org}}
conversion: {from: cast.Blog, to: cast.Podcast, pages: [{slug: show}], move: [keywords, explicit]}
"""

NAMES = ("project", "backup", "structure", "copy", "slugs", "production")
Act = Callable[[Context], Awaitable[None]]
Looks = Callable[[RemodelApp, Pilot[None]], Awaitable[None]]  # compares with a picture


class Scripted(Operation):
    """Does what `act` says; remembers how often it was done."""

    def __init__(
        self, key: str, title: str, *, about: str = "", act: Act | None = None, **plan: Any
    ) -> None:
        self.key, self.title = key, title
        self.about = about
        self.gated = "gate" in plan
        self.act, self.made = act, plan
        self.message = plan.pop("message", "")
        self.done = 0

    async def plan(self, context: Context) -> Plan:
        return Plan(operation=self.key, title=self.title, **self.made)

    async def apply(self, context: Context, plan: Plan) -> Result:
        if self.act is not None:
            await self.act(context)
        self.done += 1
        return Result(message=self.message)

    async def observe(self, context: Context, plan: Plan) -> Observation:
        return Observation(Seen.NOT_DONE, "nothing was done")


def step(name: str, *operations: Operation, questions: Sequence[Any] = ()) -> Step:
    """A step of these operations."""
    return Step(
        name=name,
        title=name.capitalize(),
        purpose=f"What the step {name} is for, in a sentence or two.",
        touches=f"What {name} reads and changes.",
        undo=f"How to take {name} back.",
        operations=lambda context: operations,
        questions=lambda context: questions,
    )


class ManyPages:
    """Root, home, and 100,000 pages below it, of which one has a title that looks like markup."""

    COUNT = 100_000

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, int]] = []
        self.missing = False

    def _page(self, number: int) -> Node:
        path = f"00010001{number:04X}"
        titles = {0: "bad [/admin]", 1: "Show", 2: "[b]Bold[/b] harbour"}
        return Node(
            id=number + 10,
            path=path,
            depth=3,
            title=titles.get(number, f"Page {number:,}"),
            slug=f"page-{number}",
            type="cast.Blog" if number == 1 else "cast.Post",
            live=number != 4,
            has_unpublished_changes=number == 3,
            children=31 if number == 1 else 0,
            url_path=f"/home/page-{number}/",
        )

    async def children(self, of: str | None, *, offset: int = 0, limit: int = 100) -> list[Node]:
        self.asked.append((of, offset))
        if self.missing:
            raise OperationFailed("There are no Wagtail pages in harbour.")
        if of is None:
            return [Node(1, "0001", 1, "Root", "root", "wagtailcore.Page", True, False, 1, "/")]
        if of == "0001":
            home = Node(
                2, "00010001", 2, "Home", "home", "home.HomePage", True, False, self.COUNT, "/home/"
            )
            return [home]
        if of == "00010001":
            return [self._page(n) for n in range(offset, min(offset + limit, self.COUNT))]
        return [self._page(n) for n in range(5, 36)][offset : offset + limit]

    async def node(self, page_id: int) -> Node | None:
        return self._page(page_id - 10) if page_id >= 10 else None

    async def lineage(self, page_id: int) -> list[Node]:
        home = (await self.children("0001"))[0]
        root = (await self.children(None))[0]
        return [root, home, self._page(page_id - 10)]


@dataclass
class ScriptedProject:
    """A project's folder with one session, opened as often as a test likes."""

    folder: Path
    pages: ManyPages = field(default_factory=ManyPages)

    @asynccontextmanager
    async def app(
        self,
        *steps: Step,
        size: tuple[int, int] = (80, 24),
        wrap_operator: Callable[[Operator], Operator] = lambda operator: operator,
    ) -> AsyncIterator[tuple[RemodelApp, Pilot[None]]]:
        """The app on these steps, started; steps that are not given do nothing."""
        given = {one.name: one for one in steps}
        whole = [given.get(name) or step(name) for name in NAMES]
        found = config.read(self.folder / "remodel.yml")
        session_folder = found.state / "sessions" / "20261122-150405"
        session_folder.mkdir(parents=True, exist_ok=True)
        with Session(session_folder) as session:
            async with Context(found, session, Events()) as context:
                context.pagetree = self.pages  # type: ignore[assignment]
                app = RemodelApp(context, whole, wrap_operator)
                app.animation_level = "none"
                async with app.run_test(size=size) as pilot:
                    await pilot.pause()
                    yield app, pilot


async def until(pilot: Pilot[None], true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Let the app work until `true()`, or fail."""
    async with asyncio.timeout(seconds):
        while not true():
            await pilot.pause()
            await asyncio.sleep(0.005)
    await pilot.pause()


def text_of(app: RemodelApp) -> str:
    """The whole terminal as text."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line) for line in lines)


class Held:
    """An act that begins and then waits, as long work does."""

    def __init__(self) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.cancelled = False

    async def __call__(self, context: Context) -> None:
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
