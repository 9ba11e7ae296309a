"""The lists of the file that name fields, wherever they are written.

The panels of a page class may be an attribute of its body, be given to it below the class
(`Blog.api_fields = [...]`, `.append(...)`), come from an abstract base, or be put together from
variables of the module (`PANELS = [...]`). Followed here as Python would look the names up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import libcst as cst

from wizard.project.source.entries import (
    Item,
    Reference,
    SourceEntry,
    Unclear,
    element_items,
    is_listing,
    items,
)
from wizard.project.source.parsed import Module, classes, statements
from wizard.project.source.scope import bound_names, scope_names
from wizard.project.source.words import AtImport, mentioned, refused, speaking

Key = tuple[str, str]
"""A class and its attribute; "" and a variable of the module."""

_ELEMENT = {"append": 0, "insert": 1}


@dataclass(frozen=True, eq=False)
class Source:
    """A statement that gives a list its entries, or adds some."""

    key: Key
    owner: cst.ClassDef | None  # in whose body it stands
    line: cst.SimpleStatementLine
    value: cst.BaseExpression
    element: bool = False  # `value` is one element: append, insert
    extends: bool = False

    def items(self, fields: Collection[str]) -> Iterator[Item]:
        return element_items(self.value, fields) if self.element else items(self.value, fields)


class Lists:
    """Who gives which list its entries, in one file."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.classes = {node.name.value: node for node in classes(module)}
        self.sources: dict[Key, list[Source]] = {}
        self.regular: set[cst.BaseStatement] = set()  # statements that are sources
        self._other: dict[Key, list[cst.BaseStatement]] = {}  # whatever else binds the name
        for owner, line in self._lines():
            source = _source(owner, line)
            if source is not None:
                self.sources.setdefault(source.key, []).append(source)
                self.regular.add(line)
                continue
            for name in bound_names(line):
                key = (owner.name.value if owner else "", name)
                self._other.setdefault(key, []).append(line)

    def _lines(self) -> Iterator[tuple[cst.ClassDef | None, cst.BaseStatement]]:
        for line in self.module.tree.body:
            yield None, line
            if isinstance(line, cst.ClassDef):
                for inner in statements(line):
                    yield line, inner

    def bases(self, name: str) -> list[str]:
        """Return the classes of this file that a class names as its bases."""
        node = self.classes.get(name)
        given = [arg.value for arg in node.bases] if node else []
        return [
            one.value for one in given if isinstance(one, cst.Name) and one.value in self.classes
        ]

    def ancestors(self, name: str) -> list[str]:
        """Return the classes of this file that a class inherits from, the nearest first."""
        order: list[str] = []
        for base in self.bases(name):
            order += [one for one in (base, *self.ancestors(base)) if one != name]
        return list(dict.fromkeys(order))

    def descendants(self, name: str) -> list[str]:
        """Return the classes of this file that inherit from a class, in their order."""
        return [one for one in self.classes if name in self.ancestors(one)]

    def resolve(self, owner: cst.ClassDef | None, node: cst.BaseExpression) -> Key | None:
        """Return what a name or attribute stands for, if this file says it."""
        match node:
            case cst.Name(value=name):
                tried = [(owner.name.value, name)] if owner else []
                tried.append(("", name))
            case cst.Attribute(value=cst.Name(value=cls), attr=cst.Name(value=name)):
                if cls not in self.classes:
                    return None
                tried = [(one, name) for one in (cls, *self.ancestors(cls))]
            case _:
                return None
        return next((key for key in tried if key in self.sources or key in self._other), None)

    def defines(self, node: cst.BaseExpression) -> bool:
        """Whether a name of the module is defined in this file, and not imported."""
        key = self.resolve(None, node)
        other = self._other.get(key, []) if key else []
        return key in self.sources or any(not _imports(line) for line in other)

    def attributes(self, cls: str) -> dict[str, Key]:
        """Return the lists that a class has, its own and those it inherits within this file."""
        keys: dict[str, Key] = {}
        for one in (cls, *self.ancestors(cls)):
            for owner, name in self.sources:
                if owner == one and is_listing(name):
                    keys.setdefault(name, (owner, name))
        return keys

    def walk(self, roots: Iterable[Key], fields: Collection[str]) -> Iterator[tuple[Source, Item]]:
        """Yield the parts of the lists, those of the lists they are made of in their place."""
        yield from self._visit(roots, fields, set())

    def _visit(
        self, keys: Iterable[Key], fields: Collection[str], seen: set[Key]
    ) -> Iterator[tuple[Source, Item]]:
        for key in keys:
            if key in seen:
                continue
            seen.add(key)
            for source in self.sources.get(key, ()):
                for item in source.items(fields):
                    yield source, item
                    if isinstance(item, Reference):
                        inner = self.resolve(source.owner, item.node)
                        yield from self._visit([inner] if inner else [], fields, seen)

    def reached(self, roots: Iterable[Key], fields: Collection[str]) -> list[Key]:
        """Return the lists themselves and all that they are made of, as far as this file says."""
        seen: set[Key] = set()
        for _ in self._visit(roots, fields, seen):
            pass
        return sorted(seen)

    def roots(self, cls: str) -> list[Key]:
        """Return the lists of a class and of its children in this file."""
        members = (cls, *self.descendants(cls))
        return list(dict.fromkeys(key for one in members for key in self.attributes(one).values()))

    def family(self, cls: str, fields: Collection[str]) -> list[Source]:
        """Return the statements that give those lists their entries, wherever they stand."""
        keys = self.reached(self.roots(cls), fields)
        return [source for key in keys for source in self.sources.get(key, ())]

    def named(self, key: Key, fields: Collection[str]) -> list[tuple[Source, SourceEntry]]:
        """Return the entries of a list that name the fields, in order."""
        parts = self.walk([key], fields)
        return [(source, item) for source, item in parts if isinstance(item, SourceEntry)]

    def is_tuple(self, key: Key) -> bool:
        """Whether a list is a tuple, as far as the text says."""
        return any(
            self._kind(source.owner, source.value, {key}) == "tuple"
            for source in self.sources.get(key, ())
            if not source.element
        )

    def _kind(self, owner: cst.ClassDef | None, value: cst.BaseExpression, seen: set[Key]) -> str:
        match value:
            case cst.List():
                return "list"
            case cst.Tuple():
                return "tuple"
            case cst.Call(func=cst.Name(value="list" | "tuple" as name)):
                return name
            case cst.BinaryOperation():
                return self._kind(owner, value.right, seen) or self._kind(owner, value.left, seen)
        key = self.resolve(owner, value)
        if key is None or key in seen:
            return ""
        sources = self.sources.get(key, ())
        kinds = [self._kind(one.owner, one.value, {*seen, key}) for one in sources]
        return next((kind for kind in kinds if kind), "")

    def speaks(
        self, owner: cst.ClassDef | None, node: cst.CSTNode, fields: Collection[str]
    ) -> cst.CSTNode | None:
        """Return the first string that names one of the fields, in `node` or in what it looks up
        in this file: variables, functions, classes.
        """
        seen: set[Key] = set()

        def look(owner: cst.ClassDef | None, node: cst.CSTNode) -> cst.CSTNode | None:
            direct = speaking(node, fields, computed=True)
            if direct is not None:
                return direct
            lookups = _Lookups()
            node.visit(lookups)
            for expression in [*lookups.attributes, *scope_names(node)]:
                key = self.resolve(owner, expression)
                if key is None or key in seen:
                    continue
                seen.add(key)
                lines = [one.line for one in self.sources.get(key, ())]
                for line in [*lines, *self._other.get(key, ())]:
                    if isinstance(line, cst.ClassDef) and key[1] not in lookups.called:
                        continue
                    inner = look(self.classes.get(key[0]), line)
                    if inner is not None:
                        return inner
            return None

        return look(owner, node)

    def unreadable(self, roots: Collection[Key], fields: Collection[str]) -> None:
        """Raise SourceError when entries of the fields may be where they cannot be edited."""
        for source, item in self.walk(roots, fields):
            if isinstance(item, Unclear):
                word = self.speaks(source.owner, item.node, fields)
                if word is not None:
                    raise self._refused(word, source.key)
        for key in self.reached(roots, fields):
            for line in self._other.get(key, ()):
                word = speaking(line, fields, computed=True)
                if word is not None:
                    raise self._refused(word, key)

    def _refused(self, word: cst.CSTNode, key: Key) -> Exception:
        return refused(
            self.module,
            word,
            f"The list {label(key)} may name a field that moves, in a way that cannot be edited.",
            'Write the entry out, `FieldPanel("name")` or the like, in a list literal '
            f"that is assigned, or appended, to {key[1]} on a line of its own, outside of any "
            "`if` or loop.",
        )

    def users(
        self, key: Key, inside: Collection[cst.BaseStatement], classes: Collection[str]
    ) -> Iterator[cst.BaseStatement]:
        """Yield the statements other than `inside` that look a variable or attribute up, but for
        those in the bodies of `classes`.
        """
        for owner, line in self._lines():
            if owner is not None and owner.name.value in classes:
                continue
            if line in inside or (owner is None and isinstance(line, cst.ClassDef)):
                continue
            if not self.module.says(line, [key[1]]):
                continue
            if key[0]:
                used = any(self.resolve(owner, one) == key for one in _at_import(line))
            else:
                used = mentioned_anywhere(line, key[1])
            if used:
                yield line


def label(key: Key) -> str:
    """Return a list's name as an operator would write it."""
    return ".".join(part for part in key if part)


def mentioned_anywhere(node: cst.CSTNode, name: str) -> bool:
    """Whether a name is looked up below `node`, in functions as well."""
    if mentioned(node, [name]):
        return True
    finder = _Functions(lambda inner: mentioned(inner, [name]))
    node.visit(finder)
    return finder.there


class _Functions(cst.CSTVisitor):
    def __init__(self, holds: Callable[[cst.CSTNode], bool]) -> None:
        super().__init__()
        self.holds = holds
        self.there = False

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self.there = self.there or self.holds(node.body)

    def visit_Lambda(self, node: cst.Lambda) -> None:
        self.there = self.there or self.holds(node.body)


def _at_import(node: cst.CSTNode) -> list[cst.BaseExpression]:
    """Return the names, and the attributes of names, that `node` looks up at import."""
    finder = _LookupsAtImport()
    node.visit(finder)
    names: list[cst.BaseExpression] = [*scope_names(node)]
    return [*finder.attributes, *names]


class _Lookups(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.attributes: list[cst.BaseExpression] = []
        self.called: set[str] = set()

    def visit_Attribute(self, node: cst.Attribute) -> None:
        if isinstance(node.value, cst.Name):
            self.attributes.append(node)

    def visit_Call(self, node: cst.Call) -> None:
        if isinstance(node.func, cst.Name):
            self.called.add(node.func.value)


class _LookupsAtImport(AtImport, _Lookups):
    pass


def _imports(line: cst.BaseStatement) -> bool:
    return isinstance(line, cst.SimpleStatementLine) and all(
        isinstance(one, cst.Import | cst.ImportFrom) for one in line.body
    )


def _source(owner: cst.ClassDef | None, line: cst.BaseStatement) -> Source | None:
    """Return the list that a statement gives entries to; None where it does anything else."""
    if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        return None
    match line.body[0]:
        case cst.Assign(targets=[cst.AssignTarget(target=target)], value=value):
            key, extends, element = _key(owner, target), False, False
        case cst.AnnAssign(target=target, value=cst.BaseExpression() as value):
            key, extends, element = _key(owner, target), False, False
        case cst.AugAssign(target=target, operator=cst.AddAssign(), value=value):
            key, extends, element = _key(owner, target), True, False
        case cst.Expr(
            value=cst.Call(func=cst.Attribute(value=target, attr=cst.Name(value=verb)), args=args)
        ):
            position = 0 if verb == "extend" else _ELEMENT.get(verb, -1)
            if len(args) != position + 1 or any(arg.keyword or arg.star for arg in args):
                return None
            value, element, extends = args[position].value, verb != "extend", True
            key = _key(owner, target)
        case _:
            return None
    if key is None:
        return None
    return Source(key, owner, line, value, element, extends)


def _key(owner: cst.ClassDef | None, target: cst.BaseExpression) -> Key | None:
    match target:
        case cst.Name(value=name):
            return (owner.name.value if owner else "", name)
        case cst.Attribute(value=cst.Name(value=cls), attr=cst.Name(value=name)):
            return (cls, name) if owner is None else None
    return None
