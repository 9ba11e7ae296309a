"""The pages that remodel.yml names, looked up in production before anything else.

Of several that a path or a slug fits, the one of the old type is meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wizard.base.errors import ConfigError
from wizard.base.yamlfile import nearest
from wizard.engine.context import Context
from wizard.project.pagetree import Node, PageTree


async def look_up(context: Context, tree: PageTree) -> None:
    """Look up in production the pages that remodel.yml names: a typing error shows early."""
    for selector in context.config.conversion.pages:
        (kind,) = selector
        if kind == "where":
            context.report.finding(
                f"pages where {selector[kind]}", "looked for with the conversion's trial", "info"
            )
        elif kind == "all":
            await _some(context, tree, "", "in the tree")
        elif kind == "under":
            top = await _one(tree, selector)
            await _some(context, tree, top.path, f"under {top.url_path}")
        else:
            page = await _one(tree, selector, context.config.conversion.old_type)
            context.report.finding(f"page {page.url_path}", f"{page.type} {page.title!r}")


async def _one(tree: PageTree, selector: Mapping[str, Any], of_type: str = "") -> Node:
    """Return the one page that a selector names; of several, the one of the type."""
    ((kind, value),) = selector.items()
    wanted = f"the {'path' if kind == 'under' else kind} {value!r}"
    named = await tree.select(selector)
    if not named:
        near = nearest(str(value), await tree.slugs()) if kind == "slug" else ""
        raise ConfigError(f"No page has {wanted}.", hint=near or "Look it up in the admin.")
    pages = [page for page in named if page.type.lower() == of_type.lower() or not of_type]
    if not pages:
        raise ConfigError(
            f"No page that has {wanted} is a {of_type}.",
            found="\n".join(map(_line, named)),
            hint="Has it been converted already? Correct conversion in remodel.yml.",
        )
    if len(pages) > 1:
        by_path = "Say which by treebeard's path: `{where: {path__startswith: ...}}`."
        raise ConfigError(
            f"{len(pages)} pages have {wanted}.",
            found="\n".join(map(_line, pages)),
            hint=f"{by_path if kind == 'under' else 'Name the page by its id.'} "
            "Correct conversion.pages.",
        )
    return pages[0]


def _line(page: Node) -> str:
    return f"{page.type} {page.title!r} at {page.url_path} (id {page.id}, treebeard {page.path})"


async def _some(context: Context, tree: PageTree, below: str, where: str) -> None:
    """Report the first page of the old type below a treebeard path. Raise where there is none."""
    old_type = context.config.conversion.old_type
    page = await tree.first(old_type, below=below)
    if page is None:
        raise ConfigError(
            f"No {old_type} is {where}.",
            hint="Has everything been converted already? Correct conversion.pages.",
        )
    context.report.finding(f"pages {where}", f"{old_type}; the first is {page.title!r}")
