"""The new class takes no name that is taken, and stands where all that it uses is defined."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wizard.project.source import (
    SourceError,
    class_source,
    derived_class,
    export_beside,
    insert_class,
)

BLOG = "class Blog(Page):\n    x = C()\n"


@pytest.mark.parametrize(
    "module",
    [
        f"class P(StructBlock):\n    pass\n{BLOG}",
        f"{BLOG}class P(Page):\n    pass\n",
        f"{BLOG}class P(Blogs):\n    pass\n",
        f"{BLOG}def P():\n    pass\n",
        f"from z import P\n{BLOG}",
        f"import z as P\n{BLOG}",
        f"import P.a\n{BLOG}",
        f"try:\n    from z import P\nexcept ImportError:\n    P = None\n{BLOG}",
        f"if TYPE_CHECKING:\n    from z import P\n{BLOG}",
        f"P = 1\n{BLOG}",
        f"P: int = 1\n{BLOG}",
        f"A, (P, *B) = f()\n{BLOG}",
        f"for P in ():\n    pass\n{BLOG}",
        f"{BLOG}if A:\n    class P(Blog):\n        pass\n",
        f"{BLOG}class P(Blog):\n    pass\nP = register(P)\n",
        f"from z import *\n{BLOG}    y = Stream([('p', P())])\n",
    ],
)
def test_a_name_that_is_taken_is_refused_and_never_overwritten(module: str) -> None:
    with pytest.raises(SourceError) as proposed:
        derived_class(module, old_class="Blog", new_class="P", fields=["x"], prefix="new_")
    with pytest.raises(SourceError) as inserted:
        insert_class(module, after="Blog", text="class P(Blog):\n    pass\n")
    for caught in (proposed, inserted):
        assert "P" in caught.value.message and "conversion.to" in caught.value.hint


@pytest.mark.parametrize(
    "module",
    [
        f"from z import Podcast as Q, P2\nimport z.P\n{BLOG}",
        f"from z import *\n{BLOG}    y = Stream([('P', p.P())], P=1)\n",
        f"{BLOG}    P = 1\n",
        f"{BLOG}def f(a):\n    P = a\n    return P\n",
        f"{BLOG}class P(Blog):\n    new_x = C()\n",
    ],
)
def test_a_name_that_is_not_taken_is_taken(module: str) -> None:
    text = derived_class(module, old_class="Blog", new_class="P", fields=["x"], prefix="new_")
    assert class_source(insert_class(module, after="Blog", text=text), "P") == text


@pytest.mark.parametrize(
    ("below", "body", "place"),
    [
        # Given to the old class below it: the new class reads it.
        ("Blog.api_fields = [1]\nb = 1\n", "a = Blog.api_fields", 1),
        ("b = 1\nBlog.api_fields += [1]\n", "a = Blog.api_fields", 2),
        ("b = 1\nBlog.api_fields.append(1)\n", "a = Blog.api_fields", 2),
        ("if A:\n    Blog.is_creatable = False\n", "a = 1", 2),
        ("b = 1\nB = Blog.objects.filter(a=1)\n", "x = Blog.objects", 0),
        ("b = 1\nsetattr(Blog, 'a', 1)\n", "a = 1", 2),
        # Defined below, and used when the class is made.
        ("b = 1\nimport a\nb = 2\n", "x = b", 1),
        ("def f(): pass\nclass K: pass\nb = 1\n", "x = K.a\n    y = f()", 2),
        # Used later, or defined above as well.
        ("b = 1\n", "def f(self): return b", 0),
        ("b = 1\n", "x = lambda: b", 0),
        ("above = 2\n", "x = above", 0),
        ("print(Blog.x)\ndef f():\n    Blog.x = 1\n", "x = 1", 0),
    ],
)
def test_it_stands_below_all_that_it_uses(below: str, body: str, place: int) -> None:
    module = f"above = 1\n{BLOG}{below}"
    text = f"class P(Blog):\n    {body}\n"
    lines = below.splitlines(keepends=True)
    head, tail = "".join(lines[:place]), "".join(lines[place:])
    expected = f"above = 1\n{BLOG}{head}\n\n{text}" + (f"\n\n{tail}" if tail else "")
    assert insert_class(module, after="Blog", text=text) == expected
    # Put where it is too early, it goes where it can be.
    early = f"above = 1\n{BLOG}\n\nclass P(Blog):\n    pass\n\n\n{below}"
    assert insert_class(early, after="Blog", text=text).replace("\n", "") == expected.replace(
        "\n", ""
    )


def test_a_base_that_is_defined_below_is_waited_for() -> None:
    module = f"{BLOG}class Mixin: pass\nb = 1\n"
    text = "class P(Mixin, Blog):\n    pass\n"
    assert insert_class(module, after="Blog", text=text) == (
        f"{BLOG}class Mixin: pass\n\n\n{text}\n\nb = 1\n"
    )


@pytest.mark.parametrize(
    ("outer", "deep"),
    [("from .blog import *", ""), ("from .deep import *", "from ..blog import *")],
    ids=["package", "package-of-packages"],
)
@pytest.mark.parametrize(
    "exports",
    [
        "",
        '__all__ = ["Blog"]',
        "__all__ = (\n    'Blog',\n    'Other',\n)",
        '__all__: list[str] = ["Other"]\n__all__ += ["Blog"]',
        '__all__ = ["Other"] + [\n    "Blog",  # of pages\n]',
    ],
)
def test_the_new_class_is_imported_from_where_the_old_one_is(
    outer: str, deep: str, exports: str, tmp_path: Path
) -> None:
    text = f"{exports}\n\n\nclass Other:\n    pass\n\n\nclass Blog(Other):\n    pass\n"
    text += "\n\nclass Later:\n    pass\n"
    added = insert_class(text, after="Blog", text="class Podcast(Blog):\n    pass\n")
    added = export_beside(added, old_class="Blog", new_class="Podcast")
    models = tmp_path / "app" / "models"
    (models / "deep").mkdir(parents=True)
    (models.parent / "__init__.py").touch()
    (models / "__init__.py").write_text(outer)
    (models / "deep" / "__init__.py").write_text(deep)
    (models / "blog.py").write_text(added)
    code = "import app.models as m; print(*[c for c in ('Blog', 'Podcast') if hasattr(m, c)])"
    there = subprocess.check_output([sys.executable, "-Sc", code], cwd=tmp_path, text=True)
    assert there.split() == ["Blog", "Podcast"]
    assert export_beside(added, old_class="Blog", new_class="Podcast") == added


def test_a_list_of_exports_without_the_old_class_stays_as_it_is() -> None:
    text = '__all__ = ["Blogger"]\nNAMES = ["Blog"]\n\n\nclass Blog(Page):\n    pass\n'
    assert export_beside(text, old_class="Blog", new_class="Podcast") == text


@pytest.mark.parametrize(
    "above",
    [
        "class Seo(Model):\n    x = C()\n\n    class Meta:\n        abstract = True\n",
        "class Deep(Model):\n    x = C()\n\n\nclass Seo(Deep):\n    y = C()\n",
        "from other.package import Seo\n",
        "class Seo(Page):\n    x = C()\n",
    ],
    ids=["mixin", "two-levels-up", "another-package", "concrete-parent"],
)
def test_a_field_that_a_base_class_brings_is_refused(above: str) -> None:
    text = f"{above}\n\nclass Blog(Seo, Page):\n    own = C()\n"
    with pytest.raises(SourceError, match="base class of Blog brings x"):
        derived_class(text, old_class="Blog", new_class="P", fields=["x"], prefix="new_")
