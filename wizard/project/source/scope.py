"""Which names an expression in a class body looks up in that class.

Python resolves a bare name in a class body in the class first; but a class body is no scope
for what is nested in it: the bodies of functions, lambdas and comprehensions, and other
classes, do not see its names (Python reference, 4.2.2 "Resolution of names").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import libcst as cst

from wizard.project.source.parsed import Edit, Module, statements


def scope_names(node: cst.CSTNode) -> list[cst.Name]:
    """Return the bare names below `node` that are evaluated in the scope that `node` stands in."""
    finder = _Names()
    node.visit(finder)
    return finder.found


def qualified(
    module: Module,
    owner: cst.ClassDef,
    line: cst.SimpleStatementLine,
    expressions: Iterable[cst.CSTNode],
    *,
    but: Collection[str] = (),
) -> list[Edit]:
    """Edits that make expressions of a class body mean the same in another class.

    `choices=EXPLICIT_CHOICES` becomes `choices=Blog.EXPLICIT_CHOICES` when the body of Blog
    defines that name above `line`. A name that is only defined at `line` or below was the
    module's when the line ran: `uuid = models.UUIDField(default=uuid.uuid4)`. Names in `but`
    are left as they are.
    """
    above = [one for one in statements(owner) if module.span(one)[1] <= module.span(line)[0]]
    defined = {name for statement in above for name in bound_names(statement)}
    return [
        Edit(module.inner_span(name)[0], module.inner_span(name)[0], f"{owner.name.value}.")
        for expression in expressions
        for name in scope_names(expression)
        if name.value in defined and name.value not in but
    ]


def bound_names(statement: cst.BaseStatement) -> set[str]:
    """Return the names that a statement of a class body leaves in the class."""
    finder = _Bound()
    statement.visit(finder)
    return finder.found


class _Names(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[cst.Name] = []

    def visit_Name(self, node: cst.Name) -> None:
        self.found.append(node)

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_AssignTarget(self, node: cst.AssignTarget) -> bool:
        if not isinstance(node.target, cst.Name):
            node.target.visit(self)
        return False

    def visit_AnnAssign(self, node: cst.AnnAssign) -> bool:
        node.annotation.visit(self)
        if node.value is not None:
            node.value.visit(self)
        return False

    def visit_Param(self, node: cst.Param) -> bool:
        if node.default is not None:
            node.default.visit(self)
        return False

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        for decorator in node.decorators:
            decorator.visit(self)
        node.params.visit(self)
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        node.params.visit(self)
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        for base in (*node.decorators, *node.bases, *node.keywords):
            base.visit(self)
        return False

    def _comprehension(self, node: cst.BaseComp) -> bool:
        # Only the first iterable is evaluated outside the comprehension.
        node.for_in.iter.visit(self)
        return False

    def visit_ListComp(self, node: cst.ListComp) -> bool:
        return self._comprehension(node)

    def visit_SetComp(self, node: cst.SetComp) -> bool:
        return self._comprehension(node)

    def visit_DictComp(self, node: cst.DictComp) -> bool:
        return self._comprehension(node)

    def visit_GeneratorExp(self, node: cst.GeneratorExp) -> bool:
        return self._comprehension(node)


class _Bound(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        self.found.add(node.name.value)
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        self.found.add(node.name.value)
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return False

    def visit_AssignTarget(self, node: cst.AssignTarget) -> bool:
        self._bind(node.target)
        return False

    def visit_AnnAssign(self, node: cst.AnnAssign) -> bool:
        if node.value is not None:
            self._bind(node.target)
        return False

    def visit_For(self, node: cst.For) -> None:
        self._bind(node.target)

    def visit_TypeAlias(self, node: cst.TypeAlias) -> bool:
        self._bind(node.name)
        return False

    def visit_AsName(self, node: cst.AsName) -> None:
        self._bind(node.name)

    def visit_ImportAlias(self, node: cst.ImportAlias) -> None:
        if node.asname is None:
            name: cst.BaseExpression = node.name
            while isinstance(name, cst.Attribute):  # `import a.b` binds a
                name = name.value
            self._bind(name)

    def _bind(self, target: cst.BaseExpression) -> None:
        match target:
            case cst.Name():
                self.found.add(target.value)
            case cst.Tuple() | cst.List():
                for element in target.elements:
                    self._bind(element.value)
