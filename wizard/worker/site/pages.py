"""Pages found by what an operator knows of them, and the aliases that have to come along."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from ..protocol import Refusal, Reply
from . import tree
from .database import page_connection, require_postgresql
from .models import base_page, page_model
from .tree import quoted
from .types import Instance, Model, QuerySet

ONE = ("slug", "path", "id")  # these name exactly one page
SHOWN = 20  # pages that an error names


def find_pages(
    reply: Reply, *, model: str, selectors: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the pages of exactly this model that the selectors name, in the tree's order.

    A selector is one of

    - `{slug}`, `{path}` (a URL path in the tree, `/home/blog/`, or below a site's root page,
      `/blog/`) or `{id}`, which name exactly one page;
    - `{under: path}`, every page of the model below the page with this path;
    - `{all: true}`, every page of the model;
    - `{where: {lookup: value}}`, every page of the model that a Django filter finds.

    Their aliases come along, and the aliases of those. Raise Refusal `no_page`, `ambiguous`,
    or `placement` where an alias is selected and its source is not, or has another type.
    """
    page_type = page_model(model)
    if not selectors:
        raise Refusal("no_page", "No page is named to be converted.")
    ids: set[int] = set()
    named: dict[str, list[Any]] = {}
    for selector in selectors:
        kind, value = _read(selector)
        if kind in ONE:
            named.setdefault(kind, []).append(value)
        else:
            ids |= _several(page_type, kind, value)
    for kind, values in named.items():
        ids |= _each(page_type, kind, values)
    ids |= _aliases(page_type, ids)
    return _facts(ids)


def of_type(model: Model) -> QuerySet:
    """Return pages of exactly this model, not of its children."""
    from django.contrib.contenttypes.models import ContentType

    return model._base_manager.filter(content_type=ContentType.objects.get_for_model(model))


def _read(selector: dict[str, Any]) -> tuple[str, Any]:
    """Return a selector's kind and its value, which is of the type that the kind needs."""
    known = (*ONE, "under", "all", "where")
    if len(selector) != 1 or next(iter(selector)) not in known:
        raise Refusal(
            "no_page",
            f"A page is selected by one of {', '.join(known)}.",
            found=f"The selector is {selector!r}.",
            hint="Pages of several selectors are united: write one entry for each.",
        )
    ((kind, value),) = selector.items()
    if kind == "id":
        try:
            return kind, int(value)
        except (TypeError, ValueError):
            raise Refusal("no_page", f"A page's id is a number, not {value!r}.") from None
    if kind in ("path", "under"):
        parts = str(value).strip("/")
        return kind, f"/{parts}/" if parts else "/"
    if kind == "all" and value is not True:
        raise Refusal("no_page", f"`all` is true or left out, not {value!r}.")
    return kind, str(value) if kind == "slug" else value


def _each(model: Model, kind: str, values: list[Any]) -> set[int]:
    """Return the one page of the model for each of the values, which are all of one kind."""
    wanted = {value: {value} for value in values}
    if kind == "path":
        roots = _site_roots()
        wanted = {path: _spellings(path, roots) for path in values}
    column = {"id": "pk", "slug": "slug", "path": "url_path"}[kind]
    anywhere = set().union(*wanted.values())
    matches: dict[Any, list[int]] = {}
    for page, value in (
        of_type(model).filter(**{f"{column}__in": anywhere}).values_list("pk", column)
    ):
        matches.setdefault(value, []).append(page)
    ids = set()
    for value, spellings in wanted.items():
        pages = [page for spelling in spellings for page in matches.get(spelling, ())]
        if not pages:
            raise _nobody(model, kind, value)
        if len(pages) > 1:
            raise _ambiguous(f"{model._meta.label} pages", kind, value, pages)
        ids.add(pages[0])
    return ids


def _several(model: Model, kind: str, value: Any) -> set[int]:
    """Return every page of the model that a selector of many pages names, at least one."""
    pages = of_type(model)
    if kind == "under":
        top = _top(value)
        pages = pages.filter(path__startswith=top["path"], depth__gt=top["depth"])
    ids = _filtered(model, value) if kind == "where" else set(pages.values_list("pk", flat=True))
    if not ids:
        what = {"under": f"is below {value}", "all": "is there", "where": f"fits {value!r}"}[kind]
        raise Refusal(
            "no_page",
            f"No {model._meta.label} page {what}.",
            found=f"{of_type(model).count()} {model._meta.label} pages in all, "
            "those of its child types not counted.",
            hint="Look the pages up in the admin, or change conversion.from.",
        )
    return ids


def _top(path: str) -> dict[str, Any]:
    """Return the page of whatever type that a subtree is named by."""
    # `/` is the url_path of the tree's root; as a path below the sites' roots it says nothing.
    spellings = {path} if path == "/" else _spellings(path, _site_roots())
    pages = base_page()._base_manager
    tops = list(pages.filter(url_path__in=spellings).values("pk", "path", "depth"))
    if not tops:
        known = list(pages.filter(numchild__gt=0).values_list("url_path", flat=True)[:5000])
        near = difflib.get_close_matches(path, known, n=3, cutoff=0.4)
        raise Refusal(
            "no_page",
            f"No page has the path {path!r}, so nothing is below it.",
            hint=f"Did you mean {' or '.join(near)}?" if near else "Look the path up in the admin.",
        )
    if len(tops) > 1:
        by_path = "Say which by treebeard's path: `{where: {path__startswith: ...}}`."
        raise _ambiguous("pages", "path", path, [top["pk"] for top in tops], by_path)
    return dict(tops[0])


def _filtered(model: Model, where: object) -> set[int]:
    """Return pages of the model that fit Django's filter lookups, which come from YAML."""
    from django.core.exceptions import FieldError, ValidationError
    from django.db import DatabaseError

    if not isinstance(where, dict) or not where:
        raise Refusal(
            "no_page",
            f"`where` is a table of Django lookups and their values, not {where!r}.",
            hint="For example {where: {live: true, title__startswith: Episode}}.",
        )
    for lookup, value in where.items():
        # filter() has arguments of its own beside the lookups (_connector, _negated).
        if not isinstance(lookup, str) or any(part[:1] in ("_", "") for part in lookup.split("__")):
            raise Refusal("no_page", f"{lookup!r} is not the name of a lookup.")
        if isinstance(value, dict) or (
            isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value)
        ):
            raise Refusal(
                "no_page",
                f"The value of {lookup!r} is not a plain one, nor a list of such.",
                found=repr(value),
            )
    try:
        return set(of_type(model).filter(**where).values_list("pk", flat=True))
    except FieldError as error:
        raise Refusal(
            "no_page",
            f"The pages cannot be selected by {where!r}.",
            found=str(error),
            hint=f"Lookups start from a field of {model._meta.label}, as in Django's filter().",
        ) from None
    except (ValidationError, ValueError, TypeError, OverflowError, DatabaseError) as error:
        reason = "; ".join(error.messages) if isinstance(error, ValidationError) else str(error)
        raise Refusal(
            "no_page",
            f"A value of {where!r} does not fit its field.",
            found=reason.strip(),
        ) from None


def _spellings(path: str, roots: list[str]) -> set[str]:
    """Return the url_paths that a path may stand for: itself, and below the root of each site."""
    return {path, *(root + path[1:] for root in roots)}


def _site_roots() -> list[str]:
    from wagtail.models import Site

    return list(Site.objects.values_list("root_page__url_path", flat=True))


def _ambiguous(
    what: str, kind: str, value: object, ids: list[int], hint: str = "Name the page by its id."
) -> Refusal:
    return Refusal(
        "ambiguous",
        f"{len(ids)} {what} have the {kind} {value!r}.",
        found="\n".join(
            f"id {page['id']}: {page['title']!r} at {page['url_path']}, "
            f"under {page['parent_title']!r} (id {page['parent_id']}), treebeard {page['path']}"
            for page in _facts(ids)[:SHOWN]
        ),
        hint=hint,
    )


def _nobody(model: Model, kind: str, value: object) -> Refusal:
    label = model._meta.label
    other = base_page()._base_manager.filter(**{"pk" if kind == "id" else "slug": value}).first()
    if kind != "path" and other is not None:
        return Refusal(
            "no_page",
            f"The page with the {kind} {value!r} is not a {label}.",
            found=f"id {other.pk}: {other.title!r} is a {_type_name(other)}.",
            hint="Name a page of that type, or change conversion.from.",
        )
    column = {"id": "pk", "slug": "slug", "path": "url_path"}[kind]
    known = [str(item) for item in of_type(model).values_list(column, flat=True)[:5000]]
    near = difflib.get_close_matches(str(value), known, n=3, cutoff=0.4)
    return Refusal(
        "no_page",
        f"No {label} page has the {kind} {value!r}.",
        found=f"{len(known)} {label} pages, among them: {', '.join(near or known[:3]) or 'none'}",
        hint=f"Did you mean {' or '.join(near)}?" if near else "Look the page up in the admin.",
    )


def _type_name(page: Instance) -> str:
    """Return a page's type, also of one whose model the project has no more."""
    model = page.specific_class
    return str(model._meta.label if model else page.cached_content_type)


def _aliases(model: Model, ids: set[int]) -> set[int]:
    """Return aliases of the pages, and theirs. Raise Refusal `placement`; see `find_pages`.

    Wagtail updates only those aliases that have their source's type (Page.update_aliases in
    wagtail/models/pages.py), so that an alias and its source are converted together.
    """
    from django.contrib.contenttypes.models import ContentType

    type_id = ContentType.objects.get_for_model(model).pk
    with page_connection().cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE taken (id) AS (
                SELECT unnest(%s::bigint[])
                 UNION
                SELECT a.id FROM {tree.table()} a JOIN taken t ON a.alias_of_id = t.id
            )
            SELECT p.id, p.content_type_id = %s, p.alias_of_id,
                   p.alias_of_id IS NULL OR p.alias_of_id IN (SELECT id FROM taken)
              FROM taken t JOIN {tree.table()} p ON p.id = t.id ORDER BY p.path
            """,
            [list(ids), type_id],
        )
        taken = cursor.fetchall()
    label = model._meta.label
    alone = [(page, origin) for page, _, origin, together in taken if not together]
    if alone:
        raise Refusal(
            "placement",
            f"{len(alone)} of the selected {label} pages are aliases whose source is not selected.",
            found="\n".join(
                f"page {page} is an alias of page {origin}" for page, origin in alone[:SHOWN]
            ),
            hint="Convert the source instead: its aliases are converted together with it.",
        )
    others = [(page, origin) for page, same, origin, _ in taken if not same]
    if others:
        raise Refusal(
            "placement",
            f"{len(others)} aliases of the selected pages are not {label} pages.",
            found="\n".join(
                f"page {page} is an alias of page {origin}" for page, origin in others[:SHOWN]
            ),
            hint="Make each a page of its own (`Convert alias` in the admin), or delete it.",
        )
    return {page for page, *_ in taken}


def _facts(ids: Iterable[int]) -> list[dict[str, Any]]:
    """Return what a plan shows of the pages, in the tree's order, by one query."""
    from wagtail.models import Locale

    names = (
        *("id", "title", "slug", "path", "depth", "url_path", "live", "locked"),
        *("has_unpublished_changes", "alias_of", "locale", "parent_id", "parent_title"),
        "children",
    )
    with page_connection().cursor() as cursor:
        cursor.execute(
            f"""
            SELECT p.id, p.title, p.slug, p.path, p.depth, p.url_path, p.live, p.locked,
                   p.has_unpublished_changes, p.alias_of_id, l.language_code,
                   parent.id, parent.title, p.numchild
              FROM {tree.table()} p
              LEFT JOIN {tree.table()} parent
                ON parent.path = left(p.path, -{tree.step()}) AND p.depth > 1
              LEFT JOIN {quoted(Locale._meta.db_table)} l ON l.id = p.locale_id
             WHERE p.id = ANY(%s) ORDER BY p.path
            """,
            [list(ids)],
        )
        return [dict(zip(names, row)) for row in cursor.fetchall()]


def tree_problems(reply: Reply) -> dict[str, list[int]]:
    """Return ids of pages that are wrong in the tree, by kind of fault."""
    connection = page_connection()
    require_postgresql(connection)
    with connection.cursor() as cursor:
        return tree.problems(cursor)
