"""The page tree, read level by level, a hundred pages at a time.

What is not looked at is not read, so that a site of 100,000 pages opens as fast as one of ten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.style import Style
from rich.text import Text
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from screens.theme import BLUE, MUTED, ORANGE, PAGES_DONE, PAGES_PLANNED, YELLOW
from wizard.base.errors import RemodelError
from wizard.base.redaction import shown

if TYPE_CHECKING:
    from wizard.project.pagetree import Node, PageTree

PAGE = 100  # children read at once


@dataclass(frozen=True)
class More:
    """Stands for the children that were not read yet."""

    offset: int
    left: int


class PagesTree(Tree["Node | More | None"]):
    """Pages with type, status and number of children; marked when they are new, moved or going."""

    def __init__(self, pages: PageTree, *, widget_id: str | None = None) -> None:
        super().__init__("Pages", None, id=widget_id)
        self.show_root = False
        self.guide_depth = 2
        self._pages = pages
        self._marks: Mapping[int, str] = {}
        self._planned = False
        self._version = -1
        self._open: set[int] = set()
        self._shut: set[int] = set()
        self._loading: set[int] = set()

    def show(self, marks: Mapping[int, str], *, planned: bool, version: int) -> None:
        """Mark the pages; read them again when the tree in the database has changed."""
        changed = marks is not self._marks or planned != self._planned  # the model makes new ones
        self._marks, self._planned = marks, planned
        if version != self._version or changed:
            self._version = version
            self.run_worker(self._reload(), group="pages", exclusive=True)

    async def _reload(self) -> None:
        """Read again what was open, and open the way to the first marked page."""
        try:
            for page in [page for page, mark in self._marks.items() if mark != "new"][:1]:
                lineage = await self._pages.lineage(page)
                self._open.update(node.id for node in lineage[:-1])
            top = await self._pages.children(None, offset=0, limit=PAGE)
        except RemodelError as error:
            self._say(error)
            return
        self._loading.clear()
        self.root.remove_children()
        self._add(self.root, top, 0, len(top))
        self.root.expand()

    def _say(self, error: RemodelError) -> None:
        self.root.remove_children()
        self.root.add_leaf(Text(f"· {error.message}", MUTED), None)
        self.root.expand()

    def _add(
        self,
        parent: TreeNode[Node | More | None],
        nodes: list[Node],
        offset: int,
        total: int,
    ) -> None:
        for page in nodes:
            # A label of its own is never drawn; `render_label` makes it from the data.
            child = parent.add(Text(shown(page.title)), page, allow_expand=page.children > 0)
            alone = total == 1 and page.id not in self._shut  # the root, the home page
            if page.children and (alone or page.id in self._open):
                child.expand()
        left = total - offset - len(nodes)
        if left > 0 and nodes:
            parent.add_leaf(Text("more"), More(offset + len(nodes), left))

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[Node | More | None]) -> None:
        """Read the children of a page when it is opened for the first time."""
        event.stop()
        page = event.node.data
        if page is None or isinstance(page, More):
            return
        self._open.add(page.id)
        self._shut.discard(page.id)
        if not event.node.children and page.id not in self._loading:
            self._loading.add(page.id)
            self.run_worker(self._load(event.node, page, 0), group="pages")

    def on_tree_node_collapsed(self, event: Tree.NodeCollapsed[Node | More | None]) -> None:
        """Leave it closed when the tree is read again."""
        event.stop()
        if event.node.data is not None and not isinstance(event.node.data, More):
            self._open.discard(event.node.data.id)
            self._shut.add(event.node.data.id)

    def on_tree_node_highlighted(self, event: Tree.NodeHighlighted[Node | More | None]) -> None:
        """Read on when the last line is reached."""
        event.stop()
        node = event.node
        parent = node.parent
        if not isinstance(node.data, More) or parent is None or parent.data is None:
            return
        page = parent.data
        if not isinstance(page, More) and page.id not in self._loading:
            self._loading.add(page.id)
            self.run_worker(self._load(parent, page, node.data.offset, node.remove), group="pages")

    async def _load(
        self,
        parent: TreeNode[Node | More | None],
        page: Node,
        offset: int,
        before: Callable[[], object] = lambda: None,
    ) -> None:
        try:
            nodes = await self._pages.children(page.path, offset=offset, limit=PAGE)
        except RemodelError as error:
            parent.add_leaf(Text(f"· {error.message}", MUTED), None)
            return
        finally:
            self._loading.discard(page.id)
        before()
        self._add(parent, nodes, offset, page.children)

    def render_label(
        self, node: TreeNode[Node | More | None], base_style: Style, style: Style
    ) -> Text:
        """Return `▾ → will move  Show  cast.Blog · live · 31 below`, a title's markup unread."""
        page = node.data
        if page is None:
            return Text(str(node.label), base_style + style + Style(color=MUTED))
        if isinstance(page, More):
            return Text(f"… {page.left:,} more", base_style + style + Style(color=BLUE))
        icon = ("▾ " if node.is_expanded else "▸ ") if page.children else "  "
        text = Text(icon, base_style)
        mark = (PAGES_PLANNED if self._planned else PAGES_DONE).get(self._marks.get(page.id, ""))
        if mark:  # before what a narrow tree cuts off
            text.append(f"{mark}  ", base_style + Style(color=mark.colour, bold=True))
        text.append(shown(page.title), base_style + style)
        status, colour = _status(page)
        text.append(f"  {page.type} · ", base_style + Style(color=MUTED))
        text.append(status, base_style + Style(color=colour))
        if page.children:
            text.append(f" · {page.children:,} below", base_style + Style(color=MUTED))
        return text


def _status(page: Node) -> tuple[str, str]:
    if not page.live:
        return "draft", YELLOW
    return ("live, with a draft", ORANGE) if page.has_unpublished_changes else ("live", MUTED)


def legend(marks: Mapping[int, str], *, planned: bool) -> Text:
    """Return how many pages bear each mark: `+ 1 will be new   → 31 will move   ✗ 1 will go`."""
    text = Text(no_wrap=True, overflow="ellipsis")
    counts = Counter(marks.values())
    for name, mark in (PAGES_PLANNED if planned else PAGES_DONE).items():
        if count := counts[name]:
            text.append(f"{mark.glyph} {count:,} {mark.word}   ", mark.colour)
    if not text:
        text.append("the local database as it is", MUTED)
    return text
