"""A models file stays in the encoding that it declares, byte for byte outside of what is edited."""

from __future__ import annotations

import codecs
import subprocess
import sys
from pathlib import Path

import pytest

from wizard.base.errors import OperationFailed
from wizard.engine.worker import _write_brief
from wizard.project import package
from wizard.project.source import derived_class, final_models, insert_class
from wizard.worker.site import overlay

SOURCE = """{head}
# {word} above
NAME = "{word}"


class Blog(Page):
    keywords = Field(max_length=3, help_text="{word}")  # {word}
    kept = Field(verbose_name="{word}")


class Later(Page):
    \"\"\"{word}\"\"\"
"""
MARK = codecs.BOM_UTF8
ENCODINGS = {
    "latin-1": ("# -*- coding: latin-1 -*-", "Grüße", b""),
    "second-line": ("#!/usr/bin/env python\n# vim: set fileencoding=iso-8859-15 :", "5 €", b""),
    "cp1252": ("# coding=cp1252", "„Grüße“ … 5 €", b""),
    "koi8-r": ("# coding: koi8-r", "ключи", b""),
    "shift_jis": ("# coding: shift_jis", "キーワード", b""),
    "utf-8": ("# nothing said", "Grüße 日本", b""),
    "utf-8-mark": ("# nothing said", "Grüße 日本", MARK),
    "utf-8-mark-said": ("# coding: utf-8", "Grüße 日本", MARK),
}
CODECS = {"second-line": "iso-8859-15"}


@pytest.fixture(params=ENCODINGS)
def models(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str, str]:
    """A models file in an encoding of its own, its codec, and the word in it."""
    head, word, mark = ENCODINGS[request.param]
    codec = CODECS.get(request.param, request.param.partition("-mark")[0])
    path = tmp_path / "declared_models.py"
    path.write_bytes(mark + SOURCE.format(head=head, word=word).encode(codec))
    return path, codec, word


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_bytes_outside_of_the_edited_places_stay(
    models: tuple[Path, str, str], newline: str
) -> None:
    path, codec, word = models
    data = path.read_bytes().replace(b"\n", newline.encode())
    path.write_bytes(data)
    text = package.read(path)
    cls = derived_class(
        text, old_class="Blog", new_class="Podcast", fields=["keywords"], prefix="new_"
    )
    added = insert_class(text, after="Blog", text=cls)
    package.write(path, added)
    inserted = newline.encode() * 2 + cls.encode(codec)
    assert path.read_bytes().replace(inserted, b"", 1) == data
    assert package.read(path) == added

    final = final_models(
        added, old_class="Blog", new_class="Podcast", fields=["keywords"], prefix="new_"
    )
    package.write(path, final)
    line = f'    keywords = Field(max_length=3, help_text="{word}")  # {word}{newline}'
    assert path.read_bytes().count(line.encode(codec)) == 1
    assert word in compile(path.read_bytes(), path, "exec").co_consts
    package.write(path, text)
    assert path.read_bytes() == data


def test_a_worker_imports_the_text_in_its_encoding(models: tuple[Path, str, str]) -> None:
    path, _, word = models
    text = package.read(path).replace("class", "#").replace("    ", "#")
    laid = path.with_name("brief")
    with laid.open("w") as brief:
        _write_brief(brief, {path: text}, None, None)
    code = (
        f"import json; from wizard.worker.site.overlay import lay_over\n"
        f"lay_over(json.load(open({str(laid)!r}))['overlay'])\n"
        f"import sys; sys.path.insert(0, {str(path.parent)!r})\n"
        "import declared_models; print(ascii(declared_models.NAME))"
    )
    root = Path(overlay.__file__).parents[3]
    out = subprocess.check_output([sys.executable, "-c", code], cwd=root, text=True)
    assert out.strip() == ascii(word)


def test_a_character_that_the_encoding_does_not_have_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "models.py"
    data = "# coding: latin-1\nx = 'ü'\n".encode("latin-1")
    path.write_bytes(data)
    with pytest.raises(OperationFailed) as caught:
        package.write(path, package.read(path) + "y = 'ü → 日'\n")
    assert caught.value.found == "line 3: → (U+2192)\nline 3: 日 (U+65E5)"
    assert "iso-8859-1" in caught.value.message
    assert path.read_bytes() == data
    assert [one.name for one in tmp_path.iterdir()] == ["models.py"]
    # What the hint says gets past it.
    package.write(path, package.read(path) + "y = 'ü \\u2192 \\u65e5'\n")
    package.write(path, package.read(path).replace("# coding: latin-1\n", "") + "y = '→'\n")
    assert path.read_bytes().decode().endswith("→'\n")


@pytest.mark.parametrize(
    "data",
    [
        "x = 'ü'\n".encode("latin-1"),
        b"# coding: klingon\nx = 1\n",
        MARK + b"# coding: latin-1\n",
        "# coding: utf-7\nx = 'ü+AOQ-'\n".encode("utf-7") + b"# +AOQA5A-+AOQ-\n",
    ],
    ids=["undeclared", "unknown", "contradiction", "several-spellings"],
)
def test_a_file_that_would_not_come_back_the_same_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "models.py"
    path.write_bytes(data)
    with pytest.raises(OperationFailed):
        package.read(path)
