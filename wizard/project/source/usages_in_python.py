"""Lines of a Python file that name a page type or one of its fields."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from wizard.project.source.usage_names import Names

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

# Calls that take a field by its name as a keyword; others call their own parameters so.
QUERIES = {
    *("filter", "exclude", "get", "create", "update", "get_or_create", "update_or_create"),
    *("aget", "acreate", "aupdate", "aget_or_create", "aupdate_or_create", "Q"),
}
# Calls that take a mapping's key, which is no field.
MAPPINGS = {"get", "pop", "setdefault", "getlist"}
# Calls that take the name by which Django reaches the class or the fields' rows.
REACHING = {"hasattr", "getattr", "select_related", "prefetch_related", "Prefetch"}
# A comment at the end of a line, after what is no comment: strings, and all but quotes and #.
COMMENT = re.compile(r"""^((?:[^#'"]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*)#.*""")

# What is called like a page type, and is none, by how its base class is called.
OTHERS = ("Block", "Form", "View", "Serializer", "Enum", "TestCase")
TYPES = {"get_model", "get_by_natural_key"}  # and `model=` of a content type


def is_migration(tree: ast.Module) -> bool:
    """Return whether the module is a migration, wherever it lies."""
    return any(
        isinstance(node, ast.ClassDef)
        and node.name == "Migration"
        and any(_last(base) == "Migration" for base in node.bases)
        for node in tree.body
    )


def reverse_names(
    tree: ast.Module, old_class: str, app: str, fields: Sequence[str]
) -> Iterator[str]:
    """Yield the accessors that the fields of the class give to what they refer to."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef) or node.name != old_class:
            continue
        for statement in node.body:
            if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
                continue
            names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
            if names.isdisjoint(fields):
                continue
            given = {
                keyword.arg: keyword.value.value
                for keyword in statement.value.keywords
                if isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str)
            }
            name = given.get("related_name")
            if name is None and _last(statement.value.func).endswith(("Key", "ToManyField")):
                yield f"{old_class.lower()}_set"
            elif name and not name.endswith("+"):
                name = name.replace("%(class)s", old_class.lower())
                yield name.replace("%(app_label)s", app)
            if given.get("related_query_name"):
                yield given["related_query_name"]


def python_lines(tree: ast.Module, text: str, names: Names) -> list[int]:
    """Return the lines of a module that name the class, one of its fields or of its accessors."""
    finder = _Finder(tree, text.split("\n"), names)
    finder.visit(tree)
    return finder.lines


def loose_lines(text: str, names: Names) -> list[int]:
    """Return the lines of a text that cannot be parsed, by patterns, and without comments."""
    attributes = "|".join(map(re.escape, sorted(names.attributes)))
    wanted = re.compile(
        rf"\b{re.escape(names.old_class)}\b|(?<=[\w)\]])\.(?:{attributes})(?!\w)"
        rf"|(?<!\w)(?:\w+__)*(?:{attributes})__|__(?:{attributes})(?!\w)"
    )
    lines = [COMMENT.sub("\\1", line) for line in text.split("\n")]
    return [
        number
        for number, line in enumerate(lines, 1)
        if wanted.search(line) or names.labels.search(line)
    ]


class _Finder(ast.NodeVisitor):
    def __init__(self, tree: ast.Module, source: list[str], names: Names) -> None:
        self.source = source
        self.names = names
        self.lines: list[int] = []
        self.classes: list[set[str]] = []  # around this node, what each defines
        self.called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
        self.aliases = _aliases(tree, names.old_class)

    # The class

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == self.names.old_class:
                self.lines.append(alias.lineno)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in self.aliases:
            self.lines.append(node.lineno)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        own = self.names.fields if node.name == self.names.old_class else frozenset()
        self.classes.append(_defined(node) - own)
        self._visit_body(node)
        self.classes.pop()

    # Its fields

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        name = node.attr
        is_field = name in self.names.fields and node not in self.called
        if not is_field and name not in {
            self.names.old_class,
            self.names.accessor,
            *self.names.accessors,
        }:
            return
        own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        if not own or not self.classes or name not in self.classes[-1]:
            self.lines.append(node.end_lineno or node.lineno)

    def visit_Call(self, node: ast.Call) -> None:
        function = _last(node.func)
        first = node.func
        while isinstance(first, ast.Attribute | ast.Call):
            first = first.value if isinstance(first, ast.Attribute) else first.func
        of_class = isinstance(first, ast.Name) and first.id in self.aliases
        for keyword in node.keywords:
            name = keyword.arg or ""
            if self.names.in_lookup(name) or (
                name in self.names.attributes and (of_class or function in QUERIES)
            ):
                self.lines.append(keyword.lineno)
            if name == "model" and self._is_model(keyword.value):
                self.lines.append(keyword.value.lineno)
        if function not in MAPPINGS:
            self._strings(node.args, reaching=function in REACHING)
        if function in TYPES:
            self.lines += [value.lineno for value in node.args if self._is_model(value)]
        self.generic_visit(node)

    # Strings

    def visit_List(self, node: ast.List) -> None:
        self._strings(node.elts)
        self.generic_visit(node)

    visit_Tuple = visit_List  # type: ignore[assignment]
    visit_Set = visit_List  # type: ignore[assignment]

    def visit_Constant(self, node: ast.Constant) -> None:
        if not isinstance(node.value, str):
            return
        if node.value == self.names.old_class or self.names.in_lookup(node.value):
            self.lines.append(node.lineno)
        for match in self.names.labels.finditer(node.value):
            self.lines.append(self._line_of(node, match[0]))

    def visit_Module(self, node: ast.Module) -> None:
        self._visit_body(node)

    def visit_FunctionDef(self, node: Function) -> None:
        self._visit_body(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def _visit_body(self, node: ast.Module | ast.ClassDef | Function) -> None:
        """Visit everything but the docstring."""
        documented = ast.get_docstring(node, clean=False) is not None
        for child in ast.iter_child_nodes(node):
            if not (documented and child is node.body[0]):
                self.visit(child)

    def _strings(self, values: list[ast.expr], *, reaching: bool = False) -> None:
        """Note the strings that are a field's name, and nothing else."""
        wanted = self.names.fields | self.names.accessors
        if reaching:
            wanted = self.names.attributes
        self.lines += [
            value.lineno
            for value in values
            if isinstance(value, ast.Constant)
            and isinstance(value.value, str)
            and value.value.removeprefix("-") in wanted
        ]

    def _is_model(self, value: ast.expr) -> bool:
        """Return whether a value is the name that a content type has for the class."""
        return isinstance(value, ast.Constant) and value.value == self.names.accessor

    def _line_of(self, node: ast.Constant, text: str) -> int:
        """Return on which line of a string of several lines a text stands."""
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
            if text in self.source[line - 1]:
                return line
        return node.lineno


def _aliases(tree: ast.Module, old_class: str) -> set[str]:
    """Return what the class is called in the module, unless that is another class's name there."""
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == old_class
    }
    others = {
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and any(_last(base).endswith(OTHERS) for base in node.bases)
    }
    return names | {old_class} - others


def _defined(node: ast.ClassDef) -> set[str]:
    """Return the attributes that a class defines, in its body or on `self`."""
    names = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store):
            if isinstance(child.value, ast.Name) and child.value.id == "self":
                names.add(child.attr)
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            names.add(child.id)
    names |= {
        child.name
        for child in node.body
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return names


def _last(node: ast.expr) -> str:
    """Return the last part of a dotted name."""
    if isinstance(node, ast.Call):
        return _last(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
