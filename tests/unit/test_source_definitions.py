"""Fields whose definitions are about more than themselves, and what Wagtail does not inherit."""

from __future__ import annotations

import pytest

from tests.unit.blog_models import blog
from wizard.project.source import (
    SourceError,
    class_source,
    derived_class,
    final_models,
    insert_class,
)


def derived(module: str, *fields: str) -> str:
    return derived_class(
        module, old_class="Blog", new_class="P", fields=fields or ["x"], prefix="new_"
    )


def final(module: str, *fields: str) -> str:
    added = insert_class(module, after="Blog", text=derived(module, *fields))
    return final_models(
        added, old_class="Blog", new_class="P", fields=fields or ["x"], prefix="new_"
    )


# Statements on a field

ABOUT = """
    K = 3
    x = C()
    # not in the index
    x.quiet = True  # really
    a = C()
    x.items.append(K); x.kinds["a"] = K
    setattr(x, "k", K)
    x.level += 1
    y = C(default=x.default)
    x.a = y.b = None
"""


def test_statements_on_a_field_move_with_it() -> None:
    text = derived(blog(ABOUT), "x", "y")
    assert (
        text
        == """class P(Blog):
    new_x = C()
    # not in the index
    new_x.quiet = True  # really
    new_x.items.append(Blog.K); new_x.kinds["a"] = Blog.K
    setattr(new_x, "k", Blog.K)
    new_x.level += 1
    new_y = C(default=new_x.default)
    new_x.a = new_y.b = None

    template = Blog.template
"""
    )
    result = final(blog(ABOUT), "x", "y")
    assert class_source(result, "Blog") == "class Blog(Page):\n\n    K = 3\n    a = C()\n"
    assert class_source(result, "P") == text.replace("new_", "")


@pytest.mark.parametrize(
    "body",
    [
        "x = C()\nalso = x",
        "x = C()\ny = C(default=x.default)",
        "x = C()\nx.quiet = True; y = 1\nz = x",
        "x = C()\nif A:\n    x.quiet = True",
        "x = C()\nfor f in (x,):\n    f.quiet = True",
        "x = C()\na_panels = [F(x.name)]",
        "x = C()\n@decorated(x)\ndef f(self):\n    pass",
        "x = C()\ndef f(self, given=x):\n    pass",
        "x = C()\na = C()\na.other = x",
        # A field that stays is none outside of the class's body.
        "a = CharField()\nx = C(default=a.default)",
        "a = CharField()\nx = C()\nx.other = a.other",
    ],
)
def test_what_needs_the_bare_name_of_a_field_on_the_other_side_is_refused(body: str) -> None:
    with pytest.raises(SourceError) as caught:
        derived(blog(body))
    assert caught.value.found.startswith("line ") and caught.value.hint


# Fields made of others

GENERATED = """
    x = C()
    y = C()
    a = C()
    z = models.GeneratedField(
        expression=Case(When(x__gt=1, then=F("y")), default=Concat("x", Value("y"), Lower("y"))),
        output_field=C(),
        db_persist=True,
    )
    w = Image(width_field="x", upload_to="x", unique_for_date="y", limit_choices_to={"x": 1})
"""


def test_the_fields_that_a_definition_names_get_the_prefix_too() -> None:
    text = derived(blog(GENERATED), "x", "y", "z", "w")
    assert (
        'Case(When(new_x__gt=1, then=F("new_y")), '
        'default=Concat("new_x", Value("y"), Lower("new_y")))' in text
    )
    assert (
        'Image(width_field="new_x", upload_to="x", unique_for_date="new_y", '
        'limit_choices_to={"x": 1})' in text
    )
    left = blog(GENERATED).replace("Blog", "P").split("    a = C()\n")
    assert left[1] in class_source(final(blog(GENERATED), "x", "y", "z", "w"), "P")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (("x", "z", "w"), ["generated field z", "computed from y", "move y as well"]),
        (("x", "y"), ["The field z", "needs x", "Move z as well"]),
        (("x", "y", "z"), ["The field w", "needs x"]),
    ],
)
def test_a_field_made_of_others_moves_with_them_or_is_refused(
    fields: tuple[str, ...], words: list[str]
) -> None:
    with pytest.raises(SourceError) as caught:
        derived(blog(GENERATED), *fields)
    text = str(caught.value)
    assert [word for word in words if word.lower() not in text.lower()] == []


@pytest.mark.parametrize(
    "module",
    [
        "from e import E\n" + blog("x = GeneratedField(expression=E)"),
        'E = F("a")\n' + blog("a = C()\nx = GeneratedField(expression=E)"),
        'E = F("x")\n' + blog("x = C()\na = GeneratedField(expression=E)"),
        blog('x = C()\na = GeneratedField(expression=RawSQL("x + 1", ()))'),
        blog('x = C()\na = GenericForeignKey("kind", "x")'),
    ],
)
def test_inputs_that_cannot_be_read_are_refused(module: str) -> None:
    with pytest.raises(SourceError):
        derived(module)


# Relations of the class with itself


@pytest.mark.parametrize(
    ("definition", "added"),
    [
        (
            'models.ForeignKey("self", models.SET_NULL, related_name="+")',
            'models.ForeignKey("Blog", models.SET_NULL, related_name="+")',
        ),
        (
            "models.ForeignKey(on_delete=S, to='self', related_name='r')",
            "models.ForeignKey(on_delete=S, to='Blog', related_name='new_r')",
        ),
        # What Django would call the reverse side, is what it was called.
        (
            'Key("self", models.SET_NULL)',
            'Key("Blog", models.SET_NULL, related_name="new_blog_set", '
            'related_query_name="new_blog")',
        ),
        (
            'Key("blog.Blog", null=True,)',
            'Key("blog.Blog", null=True, related_name="new_blog_set", '
            'related_query_name="new_blog",)',
        ),
        (
            'ParentalManyToManyField("self", symmetrical=False, related_name="r")',
            'ParentalManyToManyField("Blog", symmetrical=False, related_name="new_r")',
        ),
        (
            'models.OneToOneField(to="self", on_delete=S)',
            'models.OneToOneField(to="Blog", on_delete=S, related_name="new_blog")',
        ),
        (
            'OneToOneField("self", S, related_name="+")',
            'OneToOneField("Blog", S, related_name="+")',
        ),
        ('C("self")', 'C("self")'),
        ('Key("Post")', 'Key("Post")'),
    ],
)
def test_a_relation_to_itself_points_to_the_old_class(definition: str, added: str) -> None:
    module = blog(f"x = {definition}")
    assert f"    new_x = {added}\n" in derived(module)
    assert f"    x = {added.replace('new_', '')}\n" in class_source(final(module), "P")


@pytest.mark.parametrize(
    "definition",
    [
        'ParentalManyToManyField("self")',
        'ManyToManyField("self", symmetrical=True)',
        'ManyToManyField("Cat", through="BlogCat")',
        'ManyToManyField("Cat", db_table="cats")',
    ],
)
def test_a_relation_that_has_no_equal_is_refused(definition: str) -> None:
    with pytest.raises(SourceError) as caught:
        derived(blog(f"x = {definition}"))
    assert "conversion.move" in caught.value.hint


# What Wagtail does not inherit (PageBase.__init__)


@pytest.mark.parametrize(
    ("body", "below", "lines"),
    [
        ("x = C()", "", ["template = Blog.template"]),
        ("x = C()\nis_creatable = False", "", ["template = Blog.template", "is_creatable = False"]),
        ("x = C()\nis_creatable = True", "", ["template = Blog.template", "is_creatable = True"]),
        (
            "x = C()\nis_creatable = A.b\ntemplate = 'a'\najax_template = 'b'\nmax_count = 1",
            "",
            [
                "template = Blog.template",
                "ajax_template = Blog.ajax_template",
                "is_creatable = Blog.is_creatable",
            ],
        ),
        (
            "x = C()\nif A:\n    is_creatable = False",
            "",
            ["template = Blog.template", "is_creatable = Blog.is_creatable"],
        ),
        (
            "x = C()\nis_creatable = True",
            "Blog.is_creatable = False\n",
            ["template = Blog.template", "is_creatable = Blog.is_creatable"],
        ),
    ],
)
def test_the_new_class_can_do_what_the_old_one_could(
    body: str, below: str, lines: list[str]
) -> None:
    module = blog(body) + below
    expected = "class P(Blog):\n    new_x = C()\n\n" + "".join(f"    {line}\n" for line in lines)
    assert derived(module) == expected
    added = insert_class(module, after="Blog", text=expected)
    assert added.endswith(f"{below}\n\n{expected}")


def test_a_prefixed_name_that_the_old_class_has_is_refused() -> None:
    with pytest.raises(SourceError, match="new_x"):
        derived(blog("x = C()\nnew_x = C()"))
