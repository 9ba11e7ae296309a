"""Lists that name a moved field, wherever in the file they are: edited with it, or refused."""

from __future__ import annotations

import re
import textwrap

import pytest

from wizard.project.source import (
    SourceError,
    class_source,
    derived_class,
    final_models,
    insert_class,
    remove_fields,
)


def derived(module: str) -> str:
    return derived_class(module, old_class="Blog", new_class="P", fields=["x"], prefix="new_")


def final(module: str) -> str:
    added = insert_class(module, after="Blog", text=derived(module))
    return final_models(added, old_class="Blog", new_class="P", fields=["x"], prefix="new_")


BLOG = "class Blog(Page):\n    x = C()\n    a = C()\n"


@pytest.mark.parametrize(
    ("module", "left", "added"),
    [
        # Below the class.
        (
            f'{BLOG}Blog.api_fields = [A("x"), A("a")]\n',
            'Blog.api_fields = [A("a")]',
            'api_fields = Blog.api_fields + [\n    A("x"),\n]',
        ),
        (
            f'{BLOG}Blog.api_fields = [A("x")]\n',
            "Blog.api_fields = []",
            'api_fields = Blog.api_fields + [\n    A("x"),\n]',
        ),
        (
            f'{BLOG}Blog.api_fields += (A("x"), A("a"))\n',
            'Blog.api_fields += (A("a"),)',
            'api_fields = Blog.api_fields + (\n    A("x"),\n)',
        ),
        (
            f'{BLOG}# on it\nBlog.api_fields.append(A("x"))\n',
            "",
            'api_fields = Blog.api_fields + [\n    A("x"),\n]',
        ),
        (
            f'{BLOG}Blog.api_fields.insert(0, A("x"))\nBlog.api_fields.extend([A("a"), "x"])\n',
            'Blog.api_fields.extend([A("a")])',
            'api_fields = Blog.api_fields + [\n    A("x"),\n    "x",\n]',
        ),
        # A variable of the module.
        (
            f'PANELS = [F("x"), F("a")]\n{BLOG}    content_panels = Page.content_panels + PANELS\n',
            'PANELS = [F("a")]',
            'content_panels = Blog.content_panels + [\n    F("x"),\n]',
        ),
        (
            f'PANELS = (F("x"),)\nPANELS += (F("a"),)\n{BLOG}    content_panels = [*PANELS]\n'
            "    promote_panels = PANELS\n",
            'PANELS = ()\nPANELS += (F("a"),)',
            'content_panels = Blog.content_panels + [\n    F("x"),\n]\n'
            'promote_panels = Blog.promote_panels + (\n    F("x"),\n)',
        ),
        (
            f'ONE = [F("x")]\nALL = ONE + [F("a")]\n{BLOG}    content_panels = [M(ALL)]\n',
            'ONE = []\nALL = ONE + [F("a")]',
            'content_panels = Blog.content_panels + [\n    F("x"),\n]',
        ),
        # A base of this file.
        (
            f'class Base(Page):\n    api_fields = [A("x"), A("a")]\n{BLOG.replace("Page", "Base")}',
            'class Base(Page):\n    api_fields = [A("a")]',
            'api_fields = Blog.api_fields + [\n    A("x"),\n]',
        ),
    ],
)
def test_a_list_elsewhere_is_edited_with_the_field(module: str, left: str, added: str) -> None:
    result = final(module)
    compile(result, "models.py", "exec")
    kept = result.replace(class_source(result, "P"), "").replace(class_source(result, "Blog"), "")
    assert kept.strip() == left
    assert textwrap.indent(added, "    ") in class_source(result, "P")
    assert class_source(result, "P").count("    x = C()") == 1


def test_the_lists_of_children_lose_the_entry() -> None:
    module = f"""{BLOG}

class Magazine(Blog):
    issue = C()
    api_fields = [A("issue"), A("x")]
    content_panels = Blog.content_panels + [F("x"), F("issue")]
    edit_handler = Tabs([Tab(content_panels), Tab([F("x")])])


class Sub(Magazine):
    search_fields = [S("x")]

    def words(self):
        return self.x


class Post(Page):
    x = C()
    blog = Key(Blog)
    content_panels = [F("x")]
"""
    assert (
        remove_fields(module, cls="Blog", fields=["x"])
        == """class Blog(Page):
    a = C()


class Magazine(Blog):
    issue = C()
    api_fields = [A("issue")]
    content_panels = Blog.content_panels + [F("issue")]
    edit_handler = Tabs([Tab(content_panels)])


class Sub(Magazine):
    search_fields = []

    def words(self):
        return self.x


class Post(Page):
    x = C()
    blog = Key(Blog)
    content_panels = [F("x")]
"""
    )


@pytest.mark.parametrize(
    ("handler", "copy"),
    [
        ('Tabs([Tab(content_panels, "C")])', 'Tabs([Tab(content_panels, "C")])'),
        ("Tabs([Tab(Base.base_panels)])", "Tabs([Tab(base_panels)])"),
        ("Tabs([Tab(tab), Tab(plain)])", "Tabs([Tab(tab), Tab(Blog.plain)])"),
        # Lists of what is a panel itself are written again, with its children.
        ("Tabs(tabs)", "Tabs(tabs)"),
        (
            "Tabs([Tab([*DEEP])])",
            'Tabs([Tab([*([M([F("new_x")]), M([F("a")])])])])',
        ),
        ("Tabs([Tab(MORE)])", 'Tabs([Tab((MORE + [F("new_x")]))])'),
        ("Tabs([Tab([*MORE])])", 'Tabs([Tab([*(MORE + [F("new_x")])])])'),
        (
            "Tab(Page.p + [M([F('x', c=C)]), F('a')])",
            "Tab(Page.p + [M([F('new_x', c=C)]), F('a')])",
        ),
    ],
)
@pytest.mark.parametrize("below", [False, True])
def test_an_edit_handler_shows_the_new_fields_where_it_showed_the_old(
    handler: str, copy: str, below: bool
) -> None:
    module = """MORE = [F("x"), F("a")]
DEEP = [M([F("x")]), M([F("a")])]
class Base(Page):
    base_panels = [F("x")]
class Blog(Base):
    x = C()
    content_panels = [F("x")]
    tab = [F("x")]
    plain = [F("a")]
    tabs = [Tab(content_panels), Tab([F("x")], "X"), Tab(plain)]
"""
    if below:
        for name in ("content_panels", "tabs", "tab)", "plain"):
            handler = handler.replace(f"({name}", f"(Blog.{name}")
        module += f"Blog.edit_handler = {handler}\n"
    else:
        module += f"    edit_handler = {handler}\n"
    assert derived(module).endswith(f"    edit_handler = {copy}\n")
    added = insert_class(module, after="Blog", text=derived(module))
    assert added.index("class P(") > added.index("edit_handler")
    if "(tabs" in copy:
        assert (
            '    tabs = [Tab(content_panels), Tab([F("new_x")], "X"), Tab(Blog.plain)]\n' in added
        )
    result = final(module)
    (line,) = [one for one in result.splitlines() if re.match(r"( {4}|Blog\.)edit_handler", one)][
        :1
    ]
    assert "'x'" not in line and "new_" not in result


def test_an_edit_handler_that_does_not_show_the_field_is_inherited() -> None:
    assert "edit_handler" not in derived(
        f'{BLOG}    content_panels = [F("x")]\n    edit_handler = Tabs([Tab([F("a")])])\n'
    )


@pytest.mark.parametrize(
    "module",
    [
        f'{BLOG}    content_panels = [F(n) for n in ("x", "a")]\n',
        f'NAMES = ["x"]\n{BLOG}    content_panels = [F(n) for n in NAMES]\n',
        f'{BLOG}    content_panels = Page.p + ([F("x")] if A else [])\n',
        f'{BLOG}    content_panels = [F("x"), *map(F, ["x"])]\n',
        f'{BLOG}    content_panels = [F(f"{{a}}x")]\n',
        f'{BLOG}    content_panels = [F(f"{{a}}")]\n',
        f'{BLOG}    content_panels = [F("" "x")]\n',
        f'NAME = "x"\n{BLOG}    content_panels = [F(NAME)]\n',
        f'PANEL = F("x")\n{BLOG}    content_panels = [PANEL]\n',
        f'PANELS = [F("x")]\n{BLOG}    content_panels = PANELS[:1]\n',
        f'def panels():\n    return [F("x")]\n{BLOG}    content_panels = panels()\n',
        f'def panel(n):\n    return F("x")\n{BLOG}    content_panels = [panel(1)]\n',
        f'class Own(M):\n    c = [F("x")]\n{BLOG}    content_panels = [Own()]\n',
        f'{BLOG}    content_panels = []\n    if A:\n        content_panels += [F("x")]\n',
        f'{BLOG}    a_panels = []\n    for n in ["x"]:\n        a_panels.append(F(n))\n',
        f'{BLOG}    b_panels = content_panels = [F("x")]\n',
        f'{BLOG}    content_panels = [F("x")]; b = 1\n',
        f'{BLOG}    @property\n    def api_fields(self):\n        return [A("x")]\n',
        f'PANELS = []\nif A:\n    PANELS += [F("x")]\n{BLOG}    content_panels = PANELS\n',
        f'{BLOG}if A:\n    Blog.api_fields = [A("x")]\n',
        f'{BLOG}Blog.api_fields[0] = A("x")\n',
        f'{BLOG}setattr(Blog, "api_fields", [A("x")])\n',
        f'{BLOG}def give():\n    Blog.api_fields = [A("x")]\ngive()\n',
        f'{BLOG}class Sub(Blog):\n    content_panels = [F(n) for n in ("x",)]\n',
        # Other classes use the list, for fields of their own.
        f'P = [F("x")]\n{BLOG}    a_panels = P\nclass Post(Page):\n    x = C()\n    o_panels = P\n',
        f'P = [F("x")]\n{BLOG}    content_panels = P\nQ = P + [F("q")]\n',
        f'P = [F("x")]\n{BLOG}    content_panels = P\ndef panels():\n    return P\n',
        f'{BLOG}    b_panels = [F("x")]\nclass Post(Page):\n    content_panels = Blog.b_panels\n',
        f'class B(M):\n    b_panels = ["x"]\n{BLOG.replace("Page", "B")}class C(B):\n    x = 1\n',
        # What else runs at import.
        f'{BLOG}Blog._meta.get_field("x").quiet = True\n',
        f"{BLOG}Blog.x.field.quiet = True\n",
        f'{BLOG}class Admin(A):\n    model = Blog\n    list_display = ("title", "x")\n',
        f'{BLOG}class Post(Page):\n    blog = Key("blog.Blog", to_field="x")\n',
        f"{BLOG}BEST = Blog.objects.filter(x__gt=1)\n",
        f'{BLOG}class Form(F):\n    class Meta:\n        model = Blog\n        fields = ["x"]\n',
    ],
)
def test_what_cannot_be_edited_surely_is_refused_when_the_class_is_proposed(module: str) -> None:
    with pytest.raises(SourceError) as caught:
        derived(module)
    assert caught.value.found.startswith("line ") and caught.value.hint
    with pytest.raises(SourceError):
        remove_fields(module, cls="Blog", fields=["x"])


@pytest.mark.parametrize(
    "module",
    [
        f'{BLOG}    b_panels = [F("a", heading="x"), M([F("a")], heading="x"), H(content="x")]\n',
        f'{BLOG}    content_panels = [Inline("links", [F("x")]), F(f"{{n}}_y"), F(OTHER)]\n',
        f'{BLOG}    search_fields = [Related("author", [S("x")])]\n',
        f"{BLOG}    content_panels = Page.p[:1] + make(1) + IMPORTED\n",
        f'{BLOG}class Post(Page):\n    x = C()\n    blog = Key(Blog)\n    api_fields = [A("x")]\n',
        f'{BLOG}class Form(F):\n    class Meta:\n        model = Post\n        fields = ["x"]\n',
        f'{BLOG}def later():\n    return Blog.objects.filter(x=1), Blog.x, "x"\n',
        f'NAMES = ["x"]\n{BLOG}if A:\n    NAMES += ["x"]\n',
        f"{BLOG}register(Blog)\n",
        f'{BLOG}class Admin(A):\n    model = Blog\n    icon = "x"\n',
    ],
)
def test_what_does_not_name_the_field_is_left_alone(module: str) -> None:
    removed = remove_fields(module, cls="Blog", fields=["x"])
    assert removed == module.replace("    x = C()\n", "", 1)
