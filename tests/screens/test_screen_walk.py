"""Walking through the steps: beginning, looking back, stopping, failing, resuming."""

from __future__ import annotations

from typing import Any

import pytest

from screens.app import RemodelApp
from screens.failed import FailedScreen
from screens.gate import GateScreen
from screens.log import LogScreen
from screens.step import StepScreen
from screens.stop import StopScreen
from screens.summary import SummaryScreen
from tests.support import scripted_app
from tests.support.scripted_app import ScriptedProject
from wizard.base.errors import ConnectionFailed, ExitCode
from wizard.base.redaction import Secret
from wizard.engine.context import Context
from wizard.session.plan import Gate, Plan


def looked_at(app: RemodelApp) -> str:
    return app.screen.step.name if isinstance(app.screen, StepScreen) else ""


async def test_walks_every_step_to_the_summary_and_leaves_with_0(project: ScriptedProject) -> None:
    first = scripted_app.Scripted("project.look", "Look around", message="found it")
    last = scripted_app.Scripted(
        "production.check:staging", "Check the result", message="all there"
    )
    async with project.app(
        scripted_app.step("project", first), scripted_app.step("production", last)
    ) as (
        app,
        pilot,
    ):
        assert looked_at(app) == "project"
        assert "begins Project: one operation." in scripted_app.text_of(app)
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: looked_at(app) == "production")
        await pilot.press("ctrl+n")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, SummaryScreen))
        text = scripted_app.text_of(app)
        assert "all there" in text
        assert "How to take production back." in text
        report = app.context.session.folder / "report.html"
        assert "all there" in report.read_text()
        await pilot.press("down")
        assert app.is_running
        await pilot.press("x")
        await scripted_app.until(pilot, lambda: not app.is_running)
    assert app.return_code == 0
    assert (first.done, last.done) == (1, 1)


async def test_looking_back_does_not_disturb_the_work(project: ScriptedProject) -> None:
    work = scripted_app.Held()
    look = scripted_app.Scripted("project.look", "Look around")
    fetch = scripted_app.Scripted("backup.fetch", "Fetch", act=work)
    write = scripted_app.Scripted("structure.model", "Write")
    steps = zip(("project", "backup", "structure"), (look, fetch, write), strict=True)
    async with project.app(*(scripted_app.step(*step) for step in steps)) as (app, pilot):
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: looked_at(app) == "backup")
        assert "1 looks back at Project." in scripted_app.text_of(app)
        await pilot.press("enter")
        await work.begun.wait()
        await pilot.press("1")
        await scripted_app.until(pilot, lambda: looked_at(app) == "project")
        assert "goes to Backup, which is being worked on" in scripted_app.text_of(app)
        await pilot.press("ctrl+down")
        await scripted_app.until(pilot, lambda: looked_at(app) == "backup")
        await pilot.press("ctrl+up")
        work.go.set()
        # Whoever looks back is told, not pulled away.
        await scripted_app.until(
            pilot, lambda: "goes to Structure, which waits to begin" in scripted_app.text_of(app)
        )
        assert looked_at(app) == "project"


async def test_warnings_are_read_before_the_next_step(project: ScriptedProject) -> None:
    async def warn(context: Context) -> None:
        context.report.finding("field map", "teaser is dropped", "warn")

    look = scripted_app.Scripted("project.look", "Look around", act=warn)
    fetch = scripted_app.Scripted("backup.fetch", "Fetch", act=warn, gate=Gate("harbour"))
    write = scripted_app.Scripted("structure.model", "Write")
    steps = zip(("project", "backup", "structure"), (look, fetch, write), strict=True)
    async with project.app(*(scripted_app.step(*step) for step in steps)) as (app, pilot):
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: "Read one warning" in scripted_app.text_of(app))
        assert looked_at(app) == "project"
        assert "teaser is dropped" in scripted_app.text_of(app)
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: looked_at(app) == "backup")
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, GateScreen))
        await pilot.press(*"harbour", "enter")
        # What a gate has shown was read there.
        await scripted_app.until(pilot, lambda: looked_at(app) == "structure")


async def test_ctrl_c_after_this_operation_stops_in_good_order(project: ScriptedProject) -> None:
    work = scripted_app.Held()
    one = scripted_app.Scripted("project.one", "One", act=work)
    two = scripted_app.Scripted("project.two", "Two")
    async with project.app(scripted_app.step("project", one, two)) as (app, pilot):
        await pilot.press("enter")
        await work.begun.wait()
        await pilot.press("ctrl+c")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, StopScreen))
        assert "Running: One" in scripted_app.text_of(app)
        await pilot.press("a")
        await pilot.pause()
        assert not work.cancelled
        work.go.set()
        await scripted_app.until(pilot, lambda: not app.is_running)
    assert app.return_code == ExitCode.STOPPED
    assert (one.done, two.done) == (1, 0)


async def test_ctrl_c_now_cancels_the_work_and_resume_knows(project: ScriptedProject) -> None:
    work = scripted_app.Held()
    one = scripted_app.Scripted("project.one", "One", act=work)
    async with project.app(scripted_app.step("project", one)) as (app, pilot):
        await pilot.press("enter")
        await work.begun.wait()
        await pilot.press("ctrl+c")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, StopScreen))
        await pilot.press("n")
        await scripted_app.until(pilot, lambda: not app.is_running)
    assert work.cancelled
    assert app.return_code == ExitCode.STOPPED
    async with project.app(scripted_app.step("project", one)) as (app, pilot):
        assert "↺ interrupted" in scripted_app.text_of(app)


@pytest.mark.parametrize("key", ["escape", "enter", "k"])
async def test_escape_and_enter_keep_going(project: ScriptedProject, key: str) -> None:
    work = scripted_app.Held()
    one = scripted_app.Scripted("project.one", "One", act=work)
    async with project.app(scripted_app.step("project", one)) as (app, pilot):
        await pilot.press("enter")
        await work.begun.wait()
        await pilot.press("escape")  # by itself it does nothing
        await pilot.press("ctrl+c")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, StopScreen))
        await pilot.press(key)
        await scripted_app.until(pilot, lambda: isinstance(app.screen, StepScreen))
        work.go.set()
        await scripted_app.until(pilot, lambda: one.done == 1)
    assert not work.cancelled


async def test_ctrl_c_with_nothing_running_asks_whether_to_leave(project: ScriptedProject) -> None:
    one = scripted_app.Scripted("project.one", "One")
    async with project.app(scripted_app.step("project", one)) as (app, pilot):
        await pilot.press("ctrl+q")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, StopScreen))
        assert "Nothing is running" in scripted_app.text_of(app)
        await pilot.press("l")
        await scripted_app.until(pilot, lambda: not app.is_running)
    assert app.return_code == ExitCode.STOPPED
    assert one.done == 0


async def test_a_failure_is_shown_and_tried_again(project: ScriptedProject) -> None:
    attempts = []

    async def refuse_once(context: Context) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            context.report.finding("host", "nobody answers", "fail")
            raise ConnectionFailed(
                "Connecting to deploy@example.org failed.",
                found="Connection refused [/nowhere]",
                hint="Look whether the host is up.",
            )

    one = scripted_app.Scripted("project.one", "One", act=refuse_once)
    async with project.app(scripted_app.step("project", one)) as (app, pilot):
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, FailedScreen))
        text = scripted_app.text_of(app)
        assert "Connection refused [/nowhere]" in text
        assert "exit code 3" in text
        assert "Look whether the host is up." in text
        await pilot.press("enter", "escape", "space")
        assert isinstance(app.screen, FailedScreen)
        await pilot.press("r")
        await scripted_app.until(pilot, lambda: one.done == 1)
        # What the first attempt found is no longer true.
        assert "nobody answers" not in scripted_app.text_of(app)
    assert len(attempts) == 2


async def test_stopping_at_a_failure_exits_with_its_code(project: ScriptedProject) -> None:
    async def refuse(context: Context) -> None:
        raise ConnectionFailed("Connecting failed.")

    one = scripted_app.Scripted("project.one", "One", act=refuse)
    async with project.app(scripted_app.step("project", one)) as (app, pilot):
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, FailedScreen))
        await pilot.press("s")
        await scripted_app.until(pilot, lambda: not app.is_running)
    assert app.return_code == ExitCode.CONNECTION


async def test_planning_is_shown_as_work(project: ScriptedProject) -> None:
    one = scripted_app.Scripted("project.one", "One")
    plan, work = one.plan, scripted_app.Held()

    async def slowly(context: Context) -> Plan:
        await work(context)
        return await plan(context)

    one.plan = slowly  # type: ignore[method-assign]
    async with project.app(scripted_app.step("project", one)) as (app, pilot):
        await pilot.press("enter")
        await work.begun.wait()
        await scripted_app.until(pilot, lambda: "▷ planning    One" in scripted_app.text_of(app))
        assert "Working: One." in scripted_app.text_of(app)
        work.go.set()
        await scripted_app.until(pilot, lambda: "▷ planning" not in scripted_app.text_of(app))
    assert one.done == 1


async def test_resuming_shows_what_was_done_and_goes_on_with_the_rest(
    project: ScriptedProject,
) -> None:
    async def tell(context: Context) -> None:
        context.report.finding("pg_dump", "18.1 [/opt]", "ok")
        context.report.document("Change", "diff", "-old\n+new\n")

    def steps() -> list[Any]:
        return [
            scripted_app.step("project", scripted_app.Scripted("project.one", "One", act=tell)),
            scripted_app.step("backup", scripted_app.Scripted("backup.two", "Two")),
        ]

    async with project.app(*steps()) as (app, pilot):
        await pilot.press("enter")
        await scripted_app.until(pilot, lambda: looked_at(app) == "backup")
    again = steps()
    async with project.app(*again) as (app, pilot):
        await scripted_app.until(pilot, lambda: looked_at(app) == "backup")
        assert "✓ done" in scripted_app.text_of(app)
        await pilot.press("1")
        await scripted_app.until(pilot, lambda: looked_at(app) == "project")
        text = scripted_app.text_of(app)
        assert "18.1 [/opt]" in text
        assert "Change" in text
        assert again[0].operations(app.context)[0].done == 0


async def test_the_log_follows_the_journal(project: ScriptedProject) -> None:
    work = scripted_app.Held()

    async def act(context: Context) -> None:
        context.report.line("django", "Applying cast.0002 [/x]")
        await work(context)

    one = scripted_app.Scripted("project.one", "One", act=act)
    steps = [
        scripted_app.step("project", one),
        scripted_app.step("backup", scripted_app.Scripted("backup.two", "Two")),
    ]
    async with project.app(*steps) as (app, pilot):
        await pilot.press("enter")
        await work.begun.wait()
        await pilot.press("ctrl+l")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, LogScreen))
        await scripted_app.until(
            pilot, lambda: "Applying cast.0002 [/x]" in scripted_app.text_of(app)
        )
        work.go.set()
        await scripted_app.until(pilot, lambda: "step project done" in scripted_app.text_of(app))
        await pilot.press("escape")
        # The next step came up meanwhile, behind the log.
        await scripted_app.until(pilot, lambda: looked_at(app) == "backup")


async def test_the_palette_has_every_action_and_survives_ctrl_c(project: ScriptedProject) -> None:
    async with project.app(
        scripted_app.step("project", scripted_app.Scripted("project.one", "One"))
    ) as (
        app,
        pilot,
    ):
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert {"Help", "Log", "Stop", "Begin", "Step 6: Production"} <= set(titles)
        await pilot.press("ctrl+p")
        await pilot.press("ctrl+c")
        await scripted_app.until(pilot, lambda: isinstance(app.screen, StopScreen))
        await pilot.press("escape")


async def test_help_tells_what_the_step_touches(project: ScriptedProject) -> None:
    async with project.app(
        scripted_app.step("project", scripted_app.Scripted("project.one", "One"))
    ) as (
        app,
        pilot,
    ):
        await pilot.press("f1")
        await scripted_app.until(pilot, lambda: "What project reads" in scripted_app.text_of(app))
        assert "How to take project back." in scripted_app.text_of(app)
        await pilot.press("escape")
        assert looked_at(app) == "project"


async def test_a_crash_prints_no_values_and_no_secrets(
    project: ScriptedProject, capsys: pytest.CaptureFixture[str]
) -> None:
    Secret("hunter2-hunter2")

    async def crash(context: Context) -> None:
        local = "a value of " + "a variable"
        raise ValueError("refused for hunter2-hunter2" + local[:0])

    one = scripted_app.Scripted("project.one", "One", act=crash)
    with pytest.raises(ValueError, match="refused"):
        async with project.app(scripted_app.step("project", one)) as (app, pilot):
            await pilot.press("enter")
            await scripted_app.until(pilot, lambda: not app.is_running)
    printed = capsys.readouterr().err
    assert "ValueError: refused for ••••••" in printed
    assert "remodel resume 20261122-150405" in printed
    assert "hunter2" not in printed
    assert "a value of a variable" not in printed


async def test_a_screenshot_is_kept_with_the_session(project: ScriptedProject) -> None:
    one = scripted_app.Scripted("project.look", "Look around")
    async with project.app(scripted_app.step("project", one)) as (app, pilot):
        commands = {command.title: command for command in app.get_system_commands(app.screen)}
        commands["Screenshot"].callback()
        folder = app.context.session.folder
        await scripted_app.until(pilot, lambda: bool(list(folder.glob("*.svg"))))
        (picture,) = folder.glob("*.svg")
        assert "Look&#160;around" in picture.read_text()
