"""The screens fail, or their terminal goes, while a target's service is stopped."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from screens.app import RemodelApp
from tests.support import scripted_app
from tests.support.scripted_app import Scripted, ScriptedProject
from wizard.base.events import Event
from wizard.engine.context import Context


class Delivery:
    """The operations of a delivery, and what of them was done."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        deliver = Scripted("project.deliver", "Deliver", act=self._deliver)
        after = Scripted("project.after", "Start the service", act=self._after)
        deliver.interrupts_service = after.interrupts_service = True
        check = Scripted("project.check", "Check", act=self._check)
        self.step = scripted_app.step("project", deliver, after, check)

    async def _deliver(self, context: Context) -> None:
        self.begun.set()
        await self.go.wait()
        self.done.append("deliver")

    async def _after(self, context: Context) -> None:
        context.report.line("a command", "started")
        self.done.append("after")

    async def _check(self, context: Context) -> None:
        self.done.append("check")


def broken(event: Event) -> None:
    raise RuntimeError("a fault of the screens")


async def test_a_fault_of_the_screens_waits_for_the_service(project: ScriptedProject) -> None:
    delivery = Delivery()
    shown: list[RemodelApp] = []
    with pytest.raises(RuntimeError, match="a fault of the screens"):
        async with project.app(delivery.step) as (app, pilot):
            shown.append(app)
            await pilot.press("enter")
            await scripted_app.until(pilot, delivery.begun.is_set)
            app._on_event = broken  # type: ignore[method-assign]
            app.context.report.line("a tool", "a line")
            asyncio.get_running_loop().call_later(0.5, delivery.go.set)
    assert delivery.done == ["deliver", "after"]
    assert shown[0].return_code == 1


@pytest.fixture
def heeds_hangups() -> Iterator[None]:
    """The tests may be run under nohup, where the app lets SIGHUP pass."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heeds_hangups")
async def test_a_terminal_that_is_gone_waits_for_the_service(project: ScriptedProject) -> None:
    delivery = Delivery()
    async with project.app(delivery.step) as (app, pilot):
        await pilot.press("enter")
        await scripted_app.until(pilot, delivery.begun.is_set)
        for _ in range(2):  # of the shell, and of the kernel
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0.05)
        assert app.return_code is None
        delivery.go.set()
        await scripted_app.until(pilot, lambda: app.return_code is not None)
    assert app.return_code == 128 + signal.SIGHUP
    assert delivery.done == ["deliver", "after"]
