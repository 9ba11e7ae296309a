"""The lists of the new class: those of the old one with entries for the prefixed fields added.

Where the old class has an edit_handler, Wagtail shows that and no other list. So the new class
gets one of its own: the old one's, with the prefixed fields in the places of the moved ones.
"""

from __future__ import annotations

from collections.abc import Collection

import libcst as cst

from wizard.project.source.entries import Reference, SourceEntry, direct, items
from wizard.project.source.lists import Key, Lists, Source, label
from wizard.project.source.new_meta import reindented
from wizard.project.source.parsed import Edit
from wizard.project.source.scope import qualified
from wizard.project.source.words import refused

# The panels that Wagtail itself reads; entries found in any other list of panels go to the first.
_PANELS = ("content_panels", "promote_panels", "settings_panels")


def new_lists(
    lists: Lists, owner: cst.ClassDef, fields: Collection[str], prefix: str, indent: str
) -> list[str]:
    """Return the assignments that add the prefixed fields to the lists of the old class."""
    return _NewLists(lists, owner, fields, prefix, indent).lines()


class _NewLists:
    def __init__(
        self, lists: Lists, owner: cst.ClassDef, fields: Collection[str], prefix: str, indent: str
    ) -> None:
        self.lists = lists
        self.old = owner.name.value
        self.fields = fields
        self.prefix = prefix
        self.indent = indent
        self.keys = lists.attributes(self.old)
        handler = self.keys.pop("edit_handler", None)
        self.handler = handler if handler and lists.named(handler, fields) else None
        # Attributes that the new class gets of its own.
        self.own: dict[str, Key] = {
            name: key for name, key in self.keys.items() if lists.named(key, fields)
        }
        if self.handler is not None:
            classes = (self.old, *lists.ancestors(self.old))
            for source, item in lists.walk([self.handler], fields):
                if not isinstance(item, Reference):
                    continue
                key = lists.resolve(source.owner, item.node)
                if key and key[0] in classes and lists.named(key, fields):
                    self.own.setdefault(key[1], key)

    def lines(self) -> list[str]:
        entries: dict[str, list[str]] = {}
        tuples: set[str] = set()
        lines = []
        for name, key in self.own.items():
            if self._nested(key):
                continue
            if name.endswith("panels") and name not in _PANELS and self.handler is None:
                name = _PANELS[0]
            elif self.lists.is_tuple(key):
                tuples.add(name)
            texts = entries.setdefault(name, [])
            texts += [text for text in self._entries(key, self.indent * 2) if text not in texts]
        newline = self.lists.module.newline
        for name, texts in entries.items():
            opening, closing = "()" if name in tuples else "[]"
            inside = "".join(f"{self.indent * 2}{text},{newline}" for text in texts)
            lines.append(
                f"{name} = {self.old}.{name} + {opening}{newline}{inside}{self.indent}{closing}"
            )
        lines += [
            f"{name} = {self._copied(key)}" for name, key in self.own.items() if self._nested(key)
        ]
        if self.handler is not None:
            lines.append(f"edit_handler = {self._copied(self.handler)}")
        return lines

    def _nested(self, key: Key) -> bool:
        """Whether an edit_handler shows the moved fields as children of what is in the list, as
        in a list of tabs: then the new class needs those again.
        """
        if self.handler is None or key[1] in _PANELS:
            return False
        for source in self.lists.sources[key]:
            within = [source.value] if source.element else list(direct(source.value))
            for item in source.items(self.fields):
                if isinstance(item, SourceEntry) and item.value not in within:
                    return True
                if isinstance(item, Reference) and item.node not in within:
                    inner = self.lists.resolve(source.owner, item.node)
                    if inner is not None and self.lists.named(inner, self.fields):
                        return True
        return False

    def _entries(self, key: Key, indent: str) -> list[str]:
        """Return the entries of a list that name moved fields, as they name the copies."""
        return list(
            dict.fromkeys(
                self._text(source, entry.value, [self._prefixed(entry)], indent)
                for source, entry in self.lists.named(key, self.fields)
            )
        )

    def _prefixed(self, entry: SourceEntry) -> Edit:
        at = self.lists.module.inside(entry.name)
        return Edit(at, at, self.prefix)

    def _text(
        self, source: Source, value: cst.BaseExpression, edits: Collection[Edit], indent: str
    ) -> str:
        """Return an expression as it means the same in the new class."""
        module, owner = self.lists.module, source.owner
        outer = qualified(module, owner, source.line, [value], but=self.own) if owner else []
        return reindented(module, value, [*edits, *outer], indent)

    def _copied(self, key: Key) -> str:
        """Return a list or edit_handler of the old class, with the new fields in the places of the
        moved ones, and the lists that it is made of replaced by those of the new class.
        """
        *earlier, source = self.lists.sources[key]
        if source.extends or earlier:
            raise refused(
                self.lists.module,
                source.line,
                f"The edit_handler of {self.old} shows {label(key)}, which is put together by "
                "several statements, so one for the new class cannot be derived from it.",
                "Write it as one expression.",
            )
        edits = []
        for item in items(source.value, self.fields):
            if isinstance(item, SourceEntry):
                edits.append(self._prefixed(item))
            elif isinstance(item, Reference):
                edits += self._replaced(source, item.node)
        return self._text(source, source.value, edits, self.indent)

    def _replaced(self, source: Source, node: cst.Name | cst.Attribute) -> list[Edit]:
        module = self.lists.module
        key = self.lists.resolve(source.owner, node)
        if key is None or not (texts := self._entries(key, self.indent * 2)):
            return []
        start, end = module.span(node)
        if self.own.get(key[1]) == key:
            return [Edit(start, end, key[1])] if isinstance(node, cst.Attribute) else []
        if self._nested(key):
            return [Edit(start, end, f"({self._copied(key)})")]
        # The name of this list stays, for its other entries.
        opening, closing = "()" if self.lists.is_tuple(key) else "[]"
        comma = "," if closing == ")" else ""
        more = f"{opening}{', '.join(texts)}{comma}{closing}"
        return [Edit(start, start, "("), Edit(end, end, f" + {more})")]
