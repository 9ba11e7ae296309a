"""A command that a text of ours names exists, with its options, and harms nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

import screens
import wizard
from wizard.commands.cli import cli
from wizard.steps import STEPS

ROOTS = [Path(module.__file__).parent for module in (wizard, screens) if module.__file__]
# In backticks or after a colon, as hints name them; prose says "remodel itself", too.
OURS = re.compile(r"(?:`|: )remodel((?: +[^\s`;,()]+)*)")
MANAGE = re.compile(r"manage\.py ([a-z_]+)((?: +--[\w-]+)*)")
PROSE = {"at", "or", "sets", "was", "does", "in"}  # "no manage.py in ..."
# fixtree deletes pages, and asks for no more than a y; the others empty tables or databases.
HARMFUL = re.compile(r"\b(fixtree|sqlflush|reset_db|manage\.py flush)\b")
SOURCES = [
    path
    for root in ROOTS
    for path in sorted(root.rglob("*.py"))
    if "sandbox/sample" not in str(path)
]


def texts(path: Path) -> Iterator[str]:
    """Every text of a file, a value within it as X."""
    inside: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            inside.update(map(id, node.values))
            parts = [one.value if isinstance(one, ast.Constant) else "X" for one in node.values]
            yield "".join(map(str, parts))
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in inside
        ):
            yield node.value


def fault(command: str) -> str:
    """What is wrong with a command of ours, given without its `remodel`."""
    first, *rest = command.split() or [""]
    known: click.Command = cli
    if first and not first.startswith("-"):
        if first not in cli.commands:
            return f"there is no command {first}"
        known = cli.commands[first]
    else:
        rest = [first, *rest] if first else []
    options = {name: one for one in known.params for name in (*one.opts, *one.secondary_opts)}
    for number, word in enumerate(rest):
        if word.startswith("--") and word not in (*options, "--help"):
            return f"{first} has no option {word}"
        if word == "--to" and rest[number + 1] not in {"X", "STEP", *(one.name for one in STEPS)}:
            return f"there is no step {rest[number + 1]}"
    return ""


def missing(name: str) -> bool:
    """Whether neither Django nor Wagtail has this command."""
    places = [
        Path(spec.origin).parent
        for package in ("django", "wagtail")
        if (spec := find_spec(package)) is not None and spec.origin is not None
    ]
    assert len(places) == 2
    return not any(
        list(place.rglob(f"management/commands/{name}.py"))
        for place in (places[0] / "core", places[0] / "contrib", places[1])
    )


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[-3:]))
def test_names_commands_that_exist(path: Path) -> None:
    for text in texts(path):
        for command in OURS.findall(text):
            assert not fault(command.rstrip(".:")), text
        for name, _ in MANAGE.findall(text):
            assert name in PROSE or not missing(name), text
        assert not HARMFUL.search(text), text


def test_the_search_finds_what_does_not_exist(tmp_path: Path) -> None:
    """Without this, the others might pass for looking at nothing."""
    path = tmp_path / "a.py"
    path.write_text('a = f"x `remodel fix --to {a}`"\nb = "Do: remodel undo --at copy"\n')
    found = [command for text in texts(path) for command in OURS.findall(text)]
    assert [fault(command) for command in found] == [
        "there is no command fix",
        "undo has no option --at",
    ]
    assert fault(" undo --to nowhere") == "there is no step nowhere"
    assert (fault(" undo X --to copy"), fault(""), fault(" --plain")) == ("", "", "")
    assert missing("fixit") and not missing("migrate")
    every = [command for one in SOURCES for text in texts(one) for command in OURS.findall(text)]
    assert len(every) > 40
