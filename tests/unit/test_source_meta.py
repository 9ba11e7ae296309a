"""What Meta says of moved fields goes with them, under names that no other class has."""

from __future__ import annotations

import pytest

from wizard.project.source import (
    SourceError,
    class_source,
    derived_class,
    final_models,
    insert_class,
    remove_fields,
)

BODY = "class Blog(Page):\n    x = C()\n    y = C()\n    a = C()\n"


def meta(*lines: str, bases: str = "") -> str:
    return f"{BODY}\n    class Meta{bases}:\n" + "".join(f"        {line}\n" for line in lines)


def derived(module: str, prefix: str = "new_") -> str:
    return derived_class(module, old_class="Blog", new_class="P", fields=["x", "y"], prefix=prefix)


def added_and_final(module: str) -> tuple[str, str]:
    added = insert_class(module, after="Blog", text=derived(module))
    return added, final_models(
        added, old_class="Blog", new_class="P", fields=["x", "y"], prefix="new_"
    )


@pytest.mark.parametrize(
    ("line", "added"),
    [
        ('ordering = ["-x", "y__name"]', 'ordering = ["-new_x", "new_y__name"]'),
        (
            'ordering = [F("x").desc(), Lower("y")]',
            'ordering = [F("new_x").desc(), Lower("new_y")]',
        ),
        ('get_latest_by = "x"', 'get_latest_by = "new_x"'),
        ('unique_together = ("x", "y")', 'unique_together = ("new_x", "new_y")'),
    ],
)
def test_what_is_one_statement_moves_as_one(line: str, added: str) -> None:
    structured, final = added_and_final(meta(line))
    assert class_source(structured, "P").endswith(f"\n    class Meta:\n        {added}\n")
    assert class_source(structured, "Blog") == meta(line)
    assert class_source(final, "P").endswith(f"\n    class Meta:\n        {line}\n")
    assert class_source(final, "Blog") == "class Blog(Page):\n    a = C()\n"


@pytest.mark.parametrize(
    ("attribute", "element", "added"),
    [
        ("unique_together", '("x", "y")', '("new_x", "new_y")'),
        (
            "constraints",
            'Check(condition=Q(x__lte=3) & ~Q(y="x"), name="c")',
            'Check(condition=Q(new_x__lte=3) & ~Q(new_y="x"), name="new_c")',
        ),
        (
            "constraints",
            'models.CheckConstraint(check=models.Q(x=models.F("y")), name="c")',
            'models.CheckConstraint(check=models.Q(new_x=models.F("new_y")), name="new_c")',
        ),
        (
            "constraints",
            'Unique(fields=["x"], include=("y",), condition=Q(("x__gt", 1)), name="x")',
            'Unique(fields=["new_x"], include=("new_y",), condition=Q(("new_x__gt", 1)), '
            'name="new_x")',
        ),
        (
            "constraints",
            'Unique(Lower("x").desc(), "y", name="%(class)s_c", violation_error_message="x")',
            'Unique(Lower("new_x").desc(), "new_y", name="%(class)s_c", '
            'violation_error_message="x")',
        ),
        (
            "constraints",
            'Exclusion(name="c", expressions=[("x", "&&"), (F("y"), R.EQUAL)])',
            'Exclusion(name="new_c", expressions=[("new_x", "&&"), (F("new_y"), R.EQUAL)])',
        ),
        ("indexes", 'Index(fields=["-x", "y"])', 'Index(fields=["-new_x", "new_y"])'),
        (
            "indexes",
            'GinIndex(OpClass(Upper("x"), name="ops"), name="gin")',
            'GinIndex(OpClass(Upper("new_x"), name="ops"), name="new_gin")',
        ),
        # An index's name may have 30 characters (Django's check models.E034).
        (
            "indexes",
            'Index(fields=["x"], name="blog_blog_keyword_a1b2c3_idx")',
            'Index(fields=["new_x"], name="new_og_blog_keyword_a1b2c3_idx")',
        ),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_what_speaks_of_moved_fields_alone_moves(
    attribute: str, element: str, added: str, alone: bool
) -> None:
    staying = {
        "unique_together": '("a", "title")',
        "constraints": 'Check(condition=Q(a__in=["y"]), name="a_c")',
        "indexes": 'Index(fields=["a"], name="a_i")',
    }[attribute]
    module = meta(
        f"{attribute} = [{element}]" if alone else f"{attribute} = [{staying}, {element}]"
    )
    structured, final = added_and_final(module)
    end = f"\n    class Meta:\n        {attribute} = [\n            %s,\n        ]\n"
    assert class_source(structured, "P").endswith(end % added)
    assert class_source(structured, "Blog") == module
    assert class_source(final, "P").endswith(end % element)
    left = "" if alone else f"\n    class Meta:\n        {attribute} = [{staying}]\n"
    assert class_source(final, "Blog") == f"class Blog(Page):\n    a = C()\n{left}"


def test_the_rest_of_meta_stays_with_its_comments() -> None:
    module = meta(
        '"""What it is."""',
        'verbose_name = "Blog"',
        "# newest first",
        'ordering = ["x"]',
        "indexes = [",
        "    # of a",
        '    Index(fields=["a"]),',
        "    # of x",
        '    Index(fields=["x"]),',
        "]",
    )
    assert remove_fields(module, cls="Blog", fields=["x", "y"]) == (
        'class Blog(Page):\n    a = C()\n\n    class Meta:\n        """What it is."""\n'
        '        verbose_name = "Blog"\n        indexes = [\n            # of a\n'
        '            Index(fields=["a"]),\n        ]\n'
    )
    with_base = meta('ordering = ["x"]', bases="(Base.Meta)")
    assert remove_fields(with_base, cls="Blog", fields=["x", "y"]).endswith(
        "    class Meta(Base.Meta):\n        pass\n"
    )


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (meta('ordering = ["x", "title"]'), ["ordering", "x", "title", "migration"]),
        (meta('get_latest_by = ["x", "a"]'), ["get_latest_by", "conversion.move"]),
        (meta('unique_together = [("x", "a")]'), ["unique_together", "no one table has both"]),
        (meta('constraints = [Unique(fields=["x", "slug"], name="u")]'), ["constraints", "slug"]),
        (meta('constraints = [Check(condition=Q(x__gt=F("a")), name="u")]'), ["of a, which stays"]),
        (meta('constraints = [Unique("x", Lower("a"), name="u")]'), ["of a, which stays"]),
        (meta('indexes = [Index(fields=["x", "pk"], name="i")]'), ["pk"]),
        (meta('order_with_respect_to = "x"'), ["order_with_respect_to"]),
        (meta('constraints = [Unique(fields=["x"], name=NAME)]'), ["name", "string literal"]),
        (meta('constraints = [Unique(fields=[n], name="u") for n in ("x",)]'), ["may speak"]),
        (meta('constraints = [Check(condition=Q(**{"x": 1}), name="u")]'), ["may speak"]),
        (meta('constraints = [Unique(fields=[f"{n}x"], name="u")]'), ["may speak"]),
        (meta("if A:", '    ordering = ["x"]'), ["may speak"]),
        (meta("constraints = IMPORTED"), ["may speak"]),
        (meta("constraints = [*IMPORTED]"), ["may speak"]),
        ('LIST = [Unique(fields=["x"], name="u")]\n' + meta("constraints = LIST"), ["may speak"]),
        ("COND = Q(x=1)\n" + meta('constraints = [Check(COND, name="u")]'), ["may speak"]),
        (
            "def one(n):\n    return Check(Q(x=1), name=n)\n" + meta('constraints = [one("u")]'),
            ["may speak"],
        ),
        (BODY + 'class Sub(Blog):\n    class Meta:\n        ordering = ["x"]\n', ["another class"]),
        (
            "class Base(Page):\n    class Meta:\n        abstract = True\n"
            '        ordering = ["x"]\n' + BODY.replace("Page", "Base"),
            ["another class"],
        ),
    ],
)
def test_what_mixes_fields_or_cannot_be_read_is_refused(module: str, words: list[str]) -> None:
    with pytest.raises(SourceError) as caught:
        derived(module)
    assert [word for word in words if word not in str(caught.value)] == []
    assert caught.value.found.startswith("line ") and caught.value.hint


@pytest.mark.parametrize(
    "module",
    [
        meta('verbose_name = "x"', 'permissions = [("x", "y")]', 'db_table = "x"'),
        meta('constraints = [Check(condition=Q(a__in=["x"]), name="x")]'),
        meta("constraints = Base.Meta.constraints", bases="(Base.Meta)"),
        'ALL = [Unique(fields=["a"], name="u")]\n' + meta("constraints = [*ALL]"),
        'KINDS = ["x"]\n' + meta('constraints = [Check(condition=Q(a__in=KINDS), name="u")]'),
    ],
)
def test_what_does_not_speak_of_the_fields_is_left_alone(module: str) -> None:
    left = module.replace("    x = C()\n    y = C()\n", "")
    assert remove_fields(module, cls="Blog", fields=["x", "y"]) == left
    assert "constraints" not in derived(module)
