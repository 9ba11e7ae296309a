"""Options that several commands have, and what is made of them before anything begins."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from wizard.base.errors import ConfigError, UsageError
from wizard.commands import outline
from wizard.config import config as configs
from wizard.config.config import Config
from wizard.delivery import kinds
from wizard.session import answers
from wizard.session.answers import Answers

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
CONFIG = click.option(
    "--config", "config_path", type=FILE, help="remodel.yml, if not in this folder or above."
)
JSON = click.option("--json", "as_json", is_flag=True, help="One event a line on stdout.")
PLAIN = click.option("--plain", is_flag=True, help="Line prompts instead of screens.")
ALLOW = click.option(
    "--allow", multiple=True, metavar="TARGET", help="A target that may be written to."
)
SET = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="An answer other than the recorded one; the value is YAML.",
)


def the_config(path: Path | None) -> Config:
    """Return the config that is named, or the one of this folder. Raise ConfigError."""
    path = path or configs.find(Path.cwd())
    if path is None:
        raise ConfigError(
            "There is no remodel.yml in this folder or above it.",
            found=str(Path.cwd()),
            hint="Go to your project's folder, or run `remodel` there to write one.",
        )
    return kinds.require_known(configs.read(path))


def recorded(config: Config, path: Path, settings: Sequence[str]) -> Answers:
    """Return the recorded answers with what --set changes. Raise AnswersError with all their
    faults."""
    given = answers.read(path).with_changes(answers.settings(settings))
    outline.check(config, given)
    return given


def need_targets(config: Config, names: Sequence[str]) -> None:
    """Raise UsageError unless each of these is a target."""
    for name in names:
        if name not in config.targets:
            raise UsageError(
                f"There is no target {name!r}.",
                hint=f"Targets in remodel.yml: {', '.join(config.targets)}",
            )


def need_terminal(instead: str, why: str = "This needs a terminal, and there is none.") -> None:
    """Raise UsageError unless a person can be asked."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(why, found="standard input or output is not a terminal", hint=instead)


def need_person(given: Answers, as_json: bool) -> None:
    """Raise UsageError where the answers open steps for a person, and there can be none."""
    if not given.interactive:
        return
    steps = ", ".join(given.interactive)
    otherwise = "take those steps out of `interactive:` in the answers"
    if as_json:
        raise UsageError(
            f"--json leaves no terminal to a person, who is to go through {steps}.",
            hint=f"Leave out --json, or {otherwise}.",
        )
    need_terminal(
        f"Run it on a terminal, or {otherwise}.",
        f"A person is to go through {steps}, and there is no terminal.",
    )
