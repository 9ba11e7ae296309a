"""Whatever stands in answers.yml or remodel.yml: a clear error and exit code 2, or none at all."""

from __future__ import annotations

import copy
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.command import Ended, remodel
from tests.support.remodel_yml import GOOD
from tests.support.sandbox import REMODEL

# Whole, since a person goes through the steps whose consents are not in it.
OPEN = "interactive: [structure, copy, slugs, production]"
ANSWERS = (
    Path(__file__).with_name("answers-1.yml").read_text().replace("interactive: [structure]", OPEN)
)
TEXTS = {"remodel.yml": GOOD, "answers.yml": ANSWERS}
FILES = sorted(TEXTS)
DEEP = "a: " + "[" * 3000 + "]" * 3000
BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n"

ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.datetimes()
    | st.text(max_size=8)
    | st.sampled_from(["", "~nobody-there/x", "-x", "..", "/", "a.b", "x=y", "env:A", "é\u202e"])
)
VALUES = st.recursive(
    ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD, inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project's folder, its files as they should be but for the one that is fuzzed."""
    yield tmp_path_factory.mktemp("fuzzed")


def checked(folder: Path, name: str, content: str | bytes) -> Ended:
    """`remodel check` with this file as it is given and the other one as it should be."""
    for other, text in TEXTS.items():
        (folder / other).write_text(text)
    data = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    (folder / name).write_bytes(data)
    ended = remodel(folder, "check", "answers.yml")
    assert ended.code in (0, 2), ended.err
    assert "Traceback" not in ended.err and "fault in remodel" not in ended.err, ended.err
    assert bool(ended.code) == ("remodel: " in ended.err)
    return ended


def places(data: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in `data`."""
    found = [at] if at else []
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            found += places(value, (*at, key))
    return found


@pytest.mark.parametrize("name", FILES)
def test_accepts_the_undamaged_files(folder: Path, name: str) -> None:
    assert checked(folder, name, TEXTS[name]).code == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_any_value_is_read_or_refused_in_one_line(
    folder: Path, name: str, data: st.DataObject
) -> None:
    """One value, key or entry is another one, or gone."""
    changed = copy.deepcopy(yaml.safe_load(TEXTS[name]))
    *way, last = data.draw(st.sampled_from(places(changed)))
    inside = changed
    for key in way:
        inside = inside[key]
    how = data.draw(st.sampled_from(["value", "gone", "key"]))
    if how == "value":
        inside[last] = data.draw(VALUES)
    elif how == "key" and isinstance(inside, dict):
        inside[data.draw(ODD)] = inside.pop(last)
    else:
        del inside[last]
    checked(folder, name, yaml.safe_dump(changed, sort_keys=False, allow_unicode=True))


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_any_damaged_text_is_read_or_refused_in_one_line(
    folder: Path, name: str, data: st.DataObject
) -> None:
    """A piece of the file is cut out, doubled, or replaced by what YAML has a meaning for."""
    text = TEXTS[name]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    piece = data.draw(
        st.just(text[start:end] * 2)
        | st.just("")
        | st.text(max_size=5)
        | st.text(alphabet="\n :-[]{}'\"|>&*!%@`#?,=<~\t\\0x", max_size=6)
    )
    checked(folder, name, text[:start] + piece + text[end:])


@pytest.mark.parametrize("name", FILES)
@given(content=st.binary(max_size=60))
@example(content=b"")
@example(content=b"\x00")
@example(content=b"\xff\xfe")
@settings(max_examples=40, deadline=None)
def test_any_bytes_are_read_or_refused_in_one_line(folder: Path, name: str, content: bytes) -> None:
    assert checked(folder, name, content).code == 2


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "aliases"),
        (DEEP, "nested more than"),
        ("? " * 3000 + "a", "nested more than"),
        ("- " * 3000, "nested more than"),
        ("a: 0x" + "f" * 9000, "too many digits"),
        ("a: " + "9" * 9000, "too many digits"),
        ("a: !!python/object/apply:os.system [ls]", "tags"),
        ("!!set {a, b}", "tags"),
        ("a: !!int ''", "tags"),
        ("a: 2026-13-45", "month must be"),
        ("? [a, b]\n: c", "plain word"),
        ('a: "\\0"', "control character"),
        ('a: "\\x1b[2J"', "control character"),
        ('a: "\\ud800"', "control character"),
        ("remodel: 1\nremodel: 1", "given twice"),
        ("--- a\n--- b", "another document"),
        ("a: b: c", "line 1"),
        ("# " + "x" * 600_000, "too large"),
    ],
    ids=lambda value: value[:16] if isinstance(value, str) else str(value),
)
def test_refuses_files_built_to_break_a_reader(
    folder: Path, name: str, text: str, words: str
) -> None:
    ended = checked(folder, name, text)
    assert ended.code == 2
    assert words in ended.err


def test_refuses_folders_pipes_and_missing_files(folder: Path) -> None:
    (folder / "remodel.yml").write_text(GOOD)
    (folder / "folder.yml").mkdir()
    os.mkfifo(folder / "pipe.yml")
    for name in ("folder.yml", "pipe.yml", "nothing.yml", "/dev/zero", "/dev/null"):
        ended = remodel(folder, "check", name)
        assert ended.code == 2, name
        assert ended.err.strip()


def test_the_command_refuses_a_broken_file_in_one_line(folder: Path) -> None:
    """Once for real: what main() does in this process, it does as a process."""
    checked(folder, "answers.yml", BOMB)
    done = subprocess.run(
        [REMODEL, "check", "answers.yml"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "line 2" in done.stderr and "aliases" in done.stderr
    assert "Traceback" not in done.stderr
