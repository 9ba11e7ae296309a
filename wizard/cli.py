"""The `remodel` command: picks the session, and who answers in it."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from wizard import __version__, answers, config, drive, holdings, purge, rehearsal, setup
from wizard import session as sessions
from wizard.config import Config
from wizard.delivery import AfterRollback, Rollback
from wizard.drive import Output
from wizard.errors import ConfigError, ExitCode, RemodelError, UsageError
from wizard.events import Events
from wizard.narration import JsonLines
from wizard.operation import NotYet, Step
from wizard.operators import Operator, Plain, Replay
from wizard.questions import Question
from wizard.redaction import redact
from wizard.run import Run
from wizard.site import find_project
from wizard.steps import STEPS

Path_ = click.Path(path_type=Path, exists=True, dir_okay=False)
CONFIG = click.option(
    "--config", "config_path", type=Path_, help="remodel.yml, if not in this folder or above."
)
JSON = click.option("--json", "as_json", is_flag=True, help="One event a line on stdout.")
ALLOW = click.option(
    "--allow", multiple=True, metavar="TARGET", help="A target that may be written to."
)


@click.group(invoke_without_command=True)
@click.version_option(__version__, prog_name="remodel")
@click.option("--plain", is_flag=True, help="Line prompts instead of screens.")
@CONFIG
@click.pass_context
def cli(context: click.Context, plain: bool, config_path: Path | None) -> None:
    """Change the model behind live Wagtail pages, safely.

    Without a command: open the wizard in the Django project of this folder.
    """
    if context.invoked_subcommand is not None:
        return
    plain = plain or drive.terminal_is_dumb()
    _need_terminal("remodel replay answers.yml --allow TARGET")
    drive.run(_wizard(config_path, plain))


@cli.command()
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Where to lay it out.")
@click.option("--posts", default=40, show_default=True, help="How many posts production has.")
@click.option("--headless", is_flag=True, help="Replay the recorded answers, no screens.")
@click.option("--serve", is_flag=True, help="Only keep the sandbox's servers running.")
@JSON
def demo(folder: Path | None, posts: int, headless: bool, serve: bool, as_json: bool) -> None:
    """Walk through everything on a sandbox: a sample site, its PostgreSQL, its production."""
    from wizard.sandbox import demo as sandbox

    screens = not (headless or as_json or serve) and sys.stdin.isatty() and sys.stdout.isatty()
    _exit(drive.run(sandbox.play(folder, posts, screens, serve, Output(as_json))))


@cli.command()
@click.argument("path", type=Path_, metavar="ANSWERS")
@ALLOW
@JSON
@CONFIG
def replay(path: Path, allow: tuple[str, ...], as_json: bool, config_path: Path | None) -> None:
    """Do everything headless, from recorded answers."""
    found = _config(config_path)
    recorded = answers.read(path)

    async def work() -> None:
        await drive.check(found, recorded)
        _known_targets(found, allow)
        with sessions.begin(found) as session:
            await drive.replay(found, session, recorded, allow, Output(as_json))

    drive.run(work())


@cli.command()
@click.argument("identifier", default="", metavar="[ID]")
@click.option("--answers", "path", type=Path_, help="Go on headless, with these answers.")
@click.option("--plain", is_flag=True, help="Line prompts instead of screens.")
@ALLOW
@JSON
@CONFIG
def resume(
    identifier: str,
    path: Path | None,
    plain: bool,
    allow: tuple[str, ...],
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Go on with a session where its journal says; the newest with work left by default."""
    found = _config(config_path)
    if path is None:
        _need_terminal("remodel resume --answers answers.yml --allow TARGET")

    async def work() -> int:
        with sessions.resume(found, identifier) as session:
            if path is not None:
                recorded = answers.read(path)
                await drive.check(found, recorded)
                await drive.replay(found, session, recorded, allow, Output(as_json))
                return 0
            return await drive.interactive(found, session, plain)

    _exit(drive.run(work()))


@cli.command("sessions")
@CONFIG
def sessions_(config_path: Path | None) -> None:
    """List the sessions of this project, and the disk that they use."""
    found = _config(config_path)
    known = sessions.summaries(found)
    databases = asyncio.run(holdings.local(found.local.address)) if known else None
    if not known:
        click.echo("No session yet. `remodel` begins one.")
    for one in known:
        begun = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.begun))
        state = "finished" if one.finished else f"{len(one.done)} operations done"
        if one.interrupted:
            state += f", interrupted in {', '.join(one.interrupted)}"
        click.echo(f"{one.id}  begun {begun}  {one.conversion}  {state}")
        click.echo(f"    {holdings.use(found, one.id, databases)}")


@cli.command()
@click.argument("path", type=Path_, metavar="ANSWERS")
@CONFIG
def check(path: Path, config_path: Path | None) -> None:
    """Validate recorded answers; touches nothing."""
    found = _config(config_path)
    asyncio.run(drive.check(found, answers.read(path)))
    click.echo(f"{path} can be replayed with this remodel.yml.")


@cli.command()
@click.argument("identifier", default="", metavar="[ID]")
@CONFIG
def plan(identifier: str, config_path: Path | None) -> None:
    """Print what would be done next, as far as it can be told; does nothing of it."""
    found = _config(config_path)
    unfinished = [one.id for one in sessions.summaries(found) if not one.finished]
    opened = (
        sessions.resume(found, identifier)
        if identifier or unfinished
        else sessions.scratch(drive.questions(found))
    )
    with opened as session:
        drive.run(_plan(found, session))


@cli.command("report")
@click.argument("identifier", default="", metavar="[ID]")
@CONFIG
def report_(identifier: str, config_path: Path | None) -> None:
    """Write a session's report anew, as Markdown and HTML; the newest session's by default."""
    for path in drive.report_of(_config(config_path), identifier):
        click.echo(path)


@cli.command()
@click.argument("identifier", default="", metavar="[ID]")
@click.option("--to", required=True, metavar="STEP", help="Undo back to before this step.")
@CONFIG
def undo(identifier: str, to: str, config_path: Path | None) -> None:
    """Take the local database and the source files back, until a target was touched."""
    found = _config(config_path)
    undone = drive.run(drive.undo(found, identifier, to))
    click.echo(f"Undone: {', '.join(undone) or 'nothing'}")


@cli.command()
@click.argument("identifier", default="", metavar="[ID]")
@click.option("--target", required=True, help="The target to roll back.")
@click.option("--consent", default="", metavar="FINGERPRINT", help="Headless: the plan's.")
@ALLOW
@JSON
@CONFIG
def rollback(
    identifier: str,
    target: str,
    consent: str,
    allow: tuple[str, ...],
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Swap the database that was live before a delivery back in."""
    found = _config(config_path)
    _known_targets(found, (target, *allow))

    async def work() -> None:
        with _delivered(found, identifier, target) as session:
            operations = [Rollback(found.targets[target]), AfterRollback(found.targets[target])]
            key = operations[0].key
            operator: Operator = Plain()
            if consent or not sys.stdin.isatty():
                given = {key: {"fingerprint": consent}} if consent else {}
                by_hand = "on a terminal, or with --consent and the plan's fingerprint"
                operator = Replay(answers.Answers(consents=given), allow, by_hand)
            step = Step("rollback", "Rollback", "", "", "", lambda run: operations)
            await drive.once(found, session, operator, Output(as_json), step)

    drive.run(work())


@cli.command("purge")
@click.argument("identifier", default="", metavar="[ID]")
@click.option("--consent", multiple=True, metavar="FINGERPRINT", help="Headless: each plan's.")
@ALLOW
@JSON
@CONFIG
def purge_(
    identifier: str,
    consent: tuple[str, ...],
    allow: tuple[str, ...],
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Drop and delete what a session holds, behind a gate; without an ID, list what all hold."""
    found = _config(config_path)
    _known_targets(found, allow)
    if not identifier:
        for line in drive.run(purge.listed(found)):
            click.echo(line)
        return

    async def work() -> None:
        with sessions.resume(found, identifier) as session:
            operator: Operator = Plain()
            if consent or not sys.stdin.isatty():
                by_hand = "on a terminal, or with --consent and the plan's fingerprint"
                operator = purge.Fingerprints(consent, allow, by_hand)
            await drive.once(found, session, operator, Output(as_json), purge.step(found, session))

    drive.run(work())


@cli.command()
@click.argument("identifier", default="", metavar="[ID]")
@click.option("--answers", "path", type=Path_, help="These answers instead of a session's.")
@click.option("--back", is_flag=True, help="Only take back a rehearsal that was cut off.")
@JSON
@CONFIG
def rehearse(
    identifier: str, path: Path | None, back: bool, as_json: bool, config_path: Path | None
) -> None:
    """Do a session again on a fresh copy of production, take it all back, say what has changed.

    No target is written to. The exit code is 5 when a replay would stop at a gate that was
    consented to, and that of the fault when there is one.
    """
    found, output = _config(config_path), Output(as_json)

    async def work() -> None:
        for taken in await rehearsal.back(found, output):
            click.echo(f"Taken back: {taken}", err=True)
        if not back:
            with rehearsal.recorded(found, identifier, path) as of:
                if path is not None:
                    await drive.check(found, of.answers)
                await rehearsal.rehearse(found, of, output)

    drive.run(work())


async def _wizard(config_path: Path | None, plain: bool) -> None:
    path = config_path or config.find(Path.cwd())
    if path is None:
        path = await _set_up(plain)
    found = config.read(path)
    unfinished = [one for one in sessions.summaries(found) if not one.finished]
    opened = _resumed(found, unfinished[-1]) if unfinished else None
    with opened or sessions.begin(found) as session:
        _exit(await drive.interactive(found, session, plain))


def _resumed(found: Config, left: sessions.Summary) -> sessions.Session | None:
    """The session with work left, unless the operator wants a new one."""
    click.echo(f"Session {left.id} has work left: {len(left.done)} operations are done.")
    wanted = click.prompt(
        "Go on with it, or begin a new one?", type=click.Choice(["on", "new"]), default="on"
    )
    return sessions.resume(found, left.id) if wanted == "on" else None


async def _set_up(plain: bool) -> Path:
    project = find_project(Path.cwd())
    missing = setup.missing(project)
    found = [("manage.py", str(project.manage))]
    given = await _ask(missing, found, plain) if missing else {}
    discovery = await setup.discover(project, given)
    path = setup.write(discovery, await _ask(discovery.questions, discovery.found, plain))
    click.echo(f"Wrote {path}.", err=True)
    return path


async def _ask(
    questions: Sequence[Question], found: Sequence[tuple[str, str]], plain: bool
) -> dict[str, Any]:
    """Ask before there is a session; what was found so far is shown above."""
    if plain:
        for name, value in found:
            click.echo(f"{name}: {value}")
        return await Plain().ask(questions, {})
    from screens.setup import run_setup

    given = await run_setup(questions, found)
    if given is None:
        raise UsageError("No remodel.yml was written.", hint="Start again when you like.")
    return given


async def _plan(found: Config, session: sessions.Session) -> None:
    async with Run(found, session, Events()) as run:
        for step in STEPS:
            click.echo(f"== {step.title}: {step.purpose}")
            for operation in step.operations(run):
                if run.settled(operation.key):
                    continue
                gate = " GATE." if operation.gated else ""
                try:
                    plan_ = await operation.plan(run)
                except NotYet as later:
                    click.echo(f"{operation.key}: {operation.about}.{gate} {later.message}")
                    continue
                except RemodelError as error:
                    click.echo(f"{operation.key}: {operation.about}.{gate} NOT NOW: {error}")
                    continue
                click.echo(f"{operation.key}: {plan_.title} [{plan_.fingerprint}]")
                lines = [plan_.skip] if plan_.skip else [*plan_.does, f"undo: {plan_.undo}"]
                lines += [f"destroys: {loss}" for loss in plan_.destroys]
                for line in lines:
                    click.echo(f"    {line}")


def _delivered(found: Config, identifier: str, target: str) -> sessions.Session:
    """The named session, or the newest that delivered to `target`."""
    if not identifier:
        key = f"production.deliver:{target}"
        having = [one.id for one in sessions.summaries(found) if key in one.done]
        if not having:
            raise UsageError(
                f"No session has delivered to {target}.", hint="`remodel sessions` lists them."
            )
        identifier = having[-1]
    return sessions.resume(found, identifier)


def _known_targets(found: Config, names: tuple[str, ...]) -> None:
    for name in names:
        if name not in found.targets:
            raise UsageError(
                f"There is no target {name!r}.",
                hint=f"Targets in remodel.yml: {', '.join(found.targets)}",
            )


def _config(path: Path | None) -> Config:
    path = path or config.find(Path.cwd())
    if path is None:
        raise ConfigError(
            "There is no remodel.yml in this folder or above it.",
            found=str(Path.cwd()),
            hint="Go to your project's folder, or run `remodel` there to write one.",
        )
    return config.read(path)


def _need_terminal(headless: str) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "This needs a terminal, and there is none.",
            found="standard input or output is not a terminal",
            hint=f"Run it headless: {headless}",
        )


def _exit(code: int) -> None:
    if code:
        raise SystemExit(code)


def main() -> None:
    """The entry point: turns errors into one message and the documented exit code."""
    as_json = "--json" in sys.argv
    # asyncio warns about every write to a connection that has just ended; we see it end anyway.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        _end(130)
    except click.ClickException as error:
        error.show()
        _end(ExitCode.USAGE)
    except RemodelError as error:
        if as_json:
            JsonLines(sys.stdout).error(error)
        print(redact(f"\nremodel: {error}"), file=sys.stderr)
        _end(error.exit_code)
    except drive.Interrupted as interrupted:
        print(
            f"\nremodel: stopped by signal {interrupted.signal}. A session that was at work goes "
            "on with `remodel resume`.",
            file=sys.stderr,
        )
        _end(128 + interrupted.signal)
    except OSError as error:  # a folder that is a file, no permission, no space
        print(redact(f"\nremodel: {error}"), file=sys.stderr)
        _end(ExitCode.FAILED)
    except Exception as error:  # a fault of ours: say so, without the locals
        text = "".join(traceback.format_exception(error))
        print(redact(f"remodel: this is a fault in remodel itself.\n{text}"), file=sys.stderr)
        _end(ExitCode.FAILED)


def _end(code: int) -> None:
    raise SystemExit(int(code))
