"""Commands that only look: at recorded answers, at what would be done, at sessions."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import click

from wizard.base.terminal import say
from wizard.commands import outline, runner, schema
from wizard.commands.options import CONFIG, FILE, SET, recorded, the_config
from wizard.session import session as sessions
from wizard.upkeep import artifacts


@click.command()
@click.argument("path", type=FILE, metavar="ANSWERS")
@SET
@CONFIG
def check(path: Path, settings: tuple[str, ...], config_path: Path | None) -> None:
    """Validate recorded answers; touches nothing."""
    given = recorded(the_config(config_path), path, settings)
    say(f"{path} can be replayed with this remodel.yml.")
    if given.interactive:
        say(f"A person goes through {', '.join(given.interactive)}, on a terminal.")


@click.command("schema")
@click.argument("what", type=click.Choice(["answers", "events"]), default="answers")
@CONFIG
def schema_(what: str, config_path: Path | None) -> None:
    """Print the JSON schema of answers.yml for this remodel.yml, or of the lines of --json."""
    document = schema.events() if what == "events" else schema.answers(the_config(config_path))
    say(json.dumps(document, indent=2, ensure_ascii=False))


@click.command()
@click.argument("identifier", default="", metavar="[ID]")
@CONFIG
def plan(identifier: str, config_path: Path | None) -> None:
    """Print what would be done next, as far as it can be told; does nothing of it."""
    config = the_config(config_path)
    left = sessions.find(config, identifier, lambda one: not one.finished)
    opened = (
        sessions.resume(config, left.id) if left else sessions.scratch(outline.questions(config))
    )

    async def tell(session: sessions.Session) -> None:
        async for line in outline.lines(config, session):
            say(line)

    with opened as session:
        runner.run(tell(session))


@click.command("sessions")
@CONFIG
def sessions_(config_path: Path | None) -> None:
    """List the sessions of this project, and the disk that they use."""
    config = the_config(config_path)
    known = sessions.summaries(config)
    databases = asyncio.run(artifacts.local(config.local.address)) if known else None
    if not known:
        say("No session yet. `remodel` begins one.")
    for one in known:
        if one.trouble:
            say(f"{one.id}  CANNOT BE USED: {one.trouble}")
            say(f"    {one.folder}")
            continue
        begun = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.begun))
        state = "finished" if one.finished else f"{len(one.done)} operations done"
        if one.interrupted:
            state += f", interrupted in {', '.join(one.interrupted)}"
        elif not one.acted:
            state += ", nothing changed"
        say(f"{one.id}  begun {begun}  {one.conversion}  {state}")
        say(f"    {artifacts.use(config, one, databases)}")
        if one.folder.name != one.id:
            say(f"    its folder has another name: {one.folder}")


@click.command()
@click.argument("identifier", default="", metavar="[ID]")
@CONFIG
def report(identifier: str, config_path: Path | None) -> None:
    """Write a session's report anew, as Markdown and HTML; the newest session's by default."""
    for path in runner.report_of(the_config(config_path), identifier):
        say(path)


COMMANDS = (check, schema_, plan, sessions_, report)
