"""The `remodel` command: picks the session, and who answers in it."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import click

from wizard import __version__
from wizard.base import files, outlet
from wizard.base.errors import OperationFailed, RemodelError, UsageError
from wizard.base.terminal import say
from wizard.commands import discover, inspect, outline, runner
from wizard.commands.options import (
    ALLOW,
    CONFIG,
    FILE,
    JSON,
    PLAIN,
    SET,
    need_person,
    need_targets,
    need_terminal,
    recorded,
    the_config,
)
from wizard.config import config as configs
from wizard.config.config import Config
from wizard.delivery import kinds
from wizard.engine.operation import Step
from wizard.engine.operators import Operator, Plain, Replay
from wizard.project.django_project import find_project
from wizard.reports.narration import JsonLines
from wizard.reports.output import Output
from wizard.session import answers
from wizard.session import session as sessions
from wizard.session.listed import Summary
from wizard.session.questions import Question
from wizard.upkeep import purge, rehearsal


@click.group(invoke_without_command=True)
@click.version_option(__version__, prog_name="remodel")
@PLAIN
@CONFIG
@click.pass_context
def cli(context: click.Context, plain: bool, config_path: Path | None) -> None:
    """Change the model behind live Wagtail pages, safely.

    Without a command: open the wizard in the Django project of this folder.
    """
    if context.invoked_subcommand is not None:
        return
    plain = plain or runner.terminal_is_dumb()
    need_terminal("Run it headless: remodel replay answers.yml --allow TARGET")
    runner.run(_wizard(config_path, plain))


@cli.command()
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Where to lay it out.")
@click.option("--posts", default=40, show_default=True, help="How many posts production has.")
@click.option("--headless", is_flag=True, help="Replay the recorded answers, no screens.")
@click.option("--serve", is_flag=True, help="Only keep the sandbox's servers running.")
@JSON
def demo(folder: Path | None, posts: int, headless: bool, serve: bool, as_json: bool) -> None:
    """Walk through everything on a sandbox: a sample site, its PostgreSQL, its production."""
    from wizard.commands import demo as sandbox

    screens = not (headless or as_json or serve) and sys.stdin.isatty() and sys.stdout.isatty()
    _exit(runner.run(sandbox.play(folder, posts, screens, serve, Output(as_json))))


@cli.command()
@click.argument("path", type=FILE, metavar="ANSWERS")
@SET
@PLAIN
@ALLOW
@JSON
@CONFIG
def replay(
    path: Path,
    settings: tuple[str, ...],
    plain: bool,
    allow: tuple[str, ...],
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Do everything headless, from recorded answers."""
    config = the_config(config_path)
    given = recorded(config, path, settings)
    need_targets(config, allow)
    need_person(given, as_json)

    async def work() -> int:
        with sessions.begin(config) as session:
            return await runner.replay(config, session, given, allow, Output(as_json), plain)

    _exit(runner.run(work()))


@cli.command()
@click.argument("identifier", default="", metavar="[ID]")
@click.option("--answers", "path", type=FILE, help="Go on headless, with these answers.")
@SET
@PLAIN
@ALLOW
@JSON
@CONFIG
def resume(
    identifier: str,
    path: Path | None,
    settings: tuple[str, ...],
    plain: bool,
    allow: tuple[str, ...],
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Go on with a session where its journal says; the newest with work left by default."""
    config = the_config(config_path)
    given = recorded(config, path, settings) if path else None
    if given is not None:
        need_person(given, as_json)
    elif settings:
        raise UsageError(
            "--set changes recorded answers, and none are given.", hint="Add --answers FILE."
        )
    else:
        need_terminal("Run it headless: remodel resume --answers answers.yml --allow TARGET")

    async def work() -> int:
        with sessions.resume(config, identifier) as session:
            if given is None:
                return await runner.interactive(config, session, plain)
            _need_unanswered(session, answers.settings(settings))
            return await runner.replay(config, session, given, allow, Output(as_json), plain)

    _exit(runner.run(work()))


@cli.command()
@click.argument("identifier", default="", metavar="[ID]")
@click.option("--to", required=True, metavar="STEP", help="Undo back to before this step.")
@CONFIG
def undo(identifier: str, to: str, config_path: Path | None) -> None:
    """Take the local database and the source files back, until a target was touched."""
    config = the_config(config_path)
    undone = runner.run(runner.undo(config, identifier, to))
    say(f"Undone: {', '.join(undone) or 'nothing'}")


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
    config = the_config(config_path)
    need_targets(config, (target, *allow))

    async def work() -> None:
        with _delivered(config, identifier, target) as session:
            named = config.targets[target]
            operations = [operation(named) for operation in kinds.kind_of(named).rollback]
            key = operations[0].key
            operator: Operator = Plain()
            if consent or not sys.stdin.isatty():
                given = {key: {"fingerprint": consent}} if consent else {}
                by_hand = "on a terminal, or with --consent and the plan's fingerprint"
                operator = Replay(answers.Answers(consents=given), allow, by_hand)
            step = Step("rollback", "Rollback", "", "", "", lambda context: operations)
            await runner.once(config, session, operator, Output(as_json), step)

    runner.run(work())


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
    config = the_config(config_path)
    need_targets(config, allow)
    if not identifier:
        for line in runner.run(purge.listed(config)):
            say(line)
        return

    async def work() -> None:
        with sessions.resume(config, identifier) as session:
            operator: Operator = Plain()
            if consent or not sys.stdin.isatty():
                by_hand = "on a terminal, or with --consent and the plan's fingerprint"
                operator = purge.Fingerprints(consent, allow, by_hand)
            await runner.once(
                config, session, operator, Output(as_json), purge.step(config, session)
            )

    runner.run(work())


@cli.command()
@click.argument("identifier", default="", metavar="[ID]")
@click.option("--answers", "path", type=FILE, help="These answers instead of a session's.")
@click.option("--back", is_flag=True, help="Only take back a rehearsal that was cut off.")
@SET
@JSON
@CONFIG
def rehearse(
    identifier: str,
    path: Path | None,
    back: bool,
    settings: tuple[str, ...],
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Do a session again on a fresh copy of production, take it all back, say what has changed.

    No target is written to. The exit code is 5 when a replay would stop at a gate that was
    consented to, and that of the fault when there is one.
    """
    config, output = the_config(config_path), Output(as_json)

    async def work() -> None:
        for taken in await rehearsal.back(config, output):
            say(f"Taken back: {taken}", sys.stderr)
        if not back:
            with rehearsal.recorded(config, identifier, path) as of:
                given = of.answers.with_changes(answers.settings(settings))
                # A session's own answers may go as far as it went.
                outline.check(config, given, partial=path is None)
                await rehearsal.rehearse(config, replace(of, answers=given), output)

    runner.run(work())


for command in inspect.COMMANDS:
    cli.add_command(command)


async def _wizard(config_path: Path | None, plain: bool) -> None:
    path = config_path or configs.find(Path.cwd())
    if path is None:
        path = await _set_up(plain)
    config = kinds.require_known(configs.read(path))
    left = sessions.find(config, fits=lambda one: one.acted and not one.finished)
    opened = _resumed(config, left) if left else None
    with opened or sessions.begin(config) as session:
        _exit(await runner.interactive(config, session, plain))


def _resumed(config: Config, left: Summary) -> sessions.Session | None:
    """Return the session with work left, unless the operator wants a new one."""
    say(f"Session {left.id} has work left: {len(left.done)} operations are done.")
    wanted = click.prompt(
        "Go on with it, or begin a new one?", type=click.Choice(["on", "new"]), default="on"
    )
    return sessions.resume(config, left.id) if wanted == "on" else None


async def _set_up(plain: bool) -> Path:
    project = find_project(Path.cwd())
    missing = discover.missing(project)
    detected = [("manage.py", str(project.manage))]
    given = await _ask(missing, detected, plain) if missing else {}
    discovery = await discover.discover(project, given)
    path = discover.write(discovery, await _ask(discovery.questions, discovery.detected, plain))
    say(f"Wrote {path}.", sys.stderr)
    return path


async def _ask(
    questions: Sequence[Question], detected: Sequence[tuple[str, str]], plain: bool
) -> dict[str, Any]:
    """Ask before there is a session; what was detected so far is shown above."""
    if plain:
        for name, value in detected:
            say(f"{name}: {value}")
        return await Plain().ask(questions, {})
    from screens.setup import run_setup

    given = await run_setup(questions, detected)
    if given is None:
        raise UsageError("No remodel.yml was written.", hint="Start again when you like.")
    return given


def _delivered(config: Config, identifier: str, target: str) -> sessions.Session:
    """Return the named session, or the one that delivered to `target` last."""
    if not identifier:
        key = f"production.deliver:{target}"
        newest = sessions.find(config, fits=lambda one: key in one.done, did=key)
        if newest is None:
            raise UsageError(
                f"No session has delivered to {target}.", hint="`remodel sessions` lists them."
            )
        identifier = newest.id
    return sessions.resume(config, identifier)


def _need_unanswered(session: sessions.Session, changes: Mapping[str, Any]) -> None:
    """Raise UsageError where a session went by other answers already."""
    for key, value in changes.items():
        if session.answers.answers.get(key, value) != value:
            raise UsageError(
                f"Session {session.id} has gone by another answer to {key} already.",
                hint=f"Take it back first: remodel undo {session.id} --to {key.partition('.')[0]}",
            )


def _exit(code: int) -> None:
    if code:
        raise SystemExit(code)


def main() -> None:
    """Run the command; turn errors into one message and the documented exit code."""
    # asyncio warns about every write to a connection that has just ended; we see it end anyway.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    outlet.install()
    try:
        cli(standalone_mode=False)
        with files.writing(Path("standard output")):
            outlet.require_written(sys.stdout)
    except click.exceptions.Abort:
        _exit(130)
    except click.ClickException as error:
        error.show()
        _fail(UsageError(error.format_message()), shown=True)
    except RemodelError as error:
        _fail(error)
    except runner.Interrupted as interrupted:
        say(
            f"\nremodel: stopped by signal {interrupted.signal}. A session that was at work goes "
            "on with `remodel resume`.",
            sys.stderr,
        )
        _exit(128 + interrupted.signal)
    except OSError as error:  # a folder that is a file, no permission, no space
        _fail(files.failure(error))
    except Exception as error:  # a fault of ours: say so, without the locals
        text = "".join(traceback.format_exception(error))
        _fail(OperationFailed("This is a fault in remodel itself.", found=text))


def _fail(error: RemodelError, *, shown: bool = False) -> NoReturn:
    """End with this error: on stderr for people, and with --json as the last line on stdout."""
    if "--json" in sys.argv:
        JsonLines(sys.stdout).error(error)
    if not shown:
        say(f"\nremodel: {error}", sys.stderr)
    raise SystemExit(int(error.exit_code))
