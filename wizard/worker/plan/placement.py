"""Whether the pages may be where they are as pages of the new type: Wagtail's own rules.

A fault prevents the conversion. A warning is what an operator should know of, and is carried all
the same. Rules are asked of the models as Wagtail's admin asks them
(PagePermissionTester.can_add_subpage in wagtail/models/pages.py), over `remodel_map`, for each
type or parent rather than for each page.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..site import tree
from ..site.models import base_page
from ..site.types import Cursor, Model
from . import condition

SHOWN = 20  # pages that a sentence names
LIMITS = ("is_creatable", "max_count", "max_count_per_parent")


def faults(cursor: Cursor, old_type: Model, new_type: Model, *, ids: str, prefix: str) -> list[str]:
    """Return a sentence for each rule that prevents the pages from being of the new type.

    A rule of parents and children that the old type breaks already is only warned of.
    """
    sentences = _roots(cursor)
    sentences += _aliases(cursor)
    sentences += [
        sentence for sentence, already in _misplaced(cursor, old_type, new_type) if not already
    ]
    sentences += _too_many(cursor, old_type, new_type)
    sentences += _refused_parents(cursor, new_type)
    if ids == "new":
        sentences += _slugs(cursor, prefix)
    return sentences


def warnings(cursor: Cursor, old_type: Model, new_type: Model, *, ids: str) -> list[dict[str, str]]:
    """Return what is carried, or goes on, and deserves a look: `{name, detail}` each."""
    already = [sentence for sentence, already in _misplaced(cursor, old_type, new_type) if already]
    nested = _nested_parents(cursor) if _rules(new_type) else []
    closed = not getattr(new_type, "is_creatable", True)
    states = [
        (
            "placement",
            already,
            f"So it is with {old_type._meta.label} already, and stays.",
        ),
        (
            "not creatable",
            [f"Editors cannot create {new_type._meta.label} pages (is_creatable)"] * closed,
            "They can edit the converted ones.",
        ),
        (
            "can_create_at",
            [f"page {page}" for page in nested],
            f"They are to be {new_type._meta.label} themselves, and are not yet: whether its "
            f"{' and '.join(_rules(new_type))} accepts them as parents cannot be asked beforehand.",
        ),
        *condition.found(cursor, old_type),
    ]
    return [
        {"name": name, "detail": f"{condition.listed(what)}. {becomes}"}
        for name, what, becomes in states
        if what
    ]


def _roots(cursor: Cursor) -> list[str]:
    cursor.execute(
        f"SELECT p.id FROM {tree.table()} p JOIN remodel_map m ON m.old = p.id WHERE p.depth < 2"
    )
    return [
        f"Page {page} is the root of the tree, which has no type of the project: leave it out."
        for (page,) in cursor.fetchall()
    ]


def _aliases(cursor: Cursor) -> list[str]:
    """Return aliases converted without their source, or the reverse; both need one type."""
    cursor.execute(
        f"""
        SELECT p.id, p.alias_of_id, mine.old IS NULL
          FROM {tree.table()} p
          LEFT JOIN remodel_map mine ON mine.old = p.id
          LEFT JOIN remodel_map origin ON origin.old = p.alias_of_id
         WHERE p.alias_of_id IS NOT NULL AND (mine.old IS NULL) <> (origin.old IS NULL)
         ORDER BY p.path
        """
    )
    return [
        f"Page {page} is an alias of page {origin}, which is to be converted without it: "
        "convert both, or make the alias a page of its own."
        if left
        else f"Page {page} is an alias of page {origin}, which is not to be converted: "
        "convert the source, and the alias goes with it."
        for page, origin, left in cursor.fetchall()
    ]


def _misplaced(cursor: Cursor, old_type: Model, new_type: Model) -> list[tuple[str, bool]]:
    """Return breaches of parent_page_types and subpage_types, and whether each was there before.

    A parent or child that is converted as well counts as what it will be.
    """
    pages, size = tree.table(), tree.step()
    breaches = []
    cursor.execute(
        f"""
        SELECT CASE WHEN above.old IS NULL THEN parent.content_type_id END,
               array_agg(p.id ORDER BY p.path)
          FROM remodel_map m
          JOIN {pages} p ON p.id = m.old AND p.depth > 1
          JOIN {pages} parent ON parent.path = left(p.path, -{size})
          LEFT JOIN remodel_map above ON above.old = parent.id
         GROUP BY 1 ORDER BY 1
        """
    )
    for type_id, ids in cursor.fetchall():
        parent = None if type_id is None else _model(type_id)
        was, will = (old_type, new_type) if type_id is None else (parent, parent)
        if was is not None and will is not None and (why := _forbidden(will, new_type)):
            breaches.append(
                (
                    f"{_pages(ids)} cannot be {new_type._meta.label} below "
                    f"{will._meta.label}: {why}.",
                    bool(_forbidden(was, old_type)),
                )
            )
    cursor.execute(
        f"""
        SELECT type_id, array_agg(id ORDER BY id), sum(number)::bigint FROM (
            SELECT child.content_type_id AS type_id, p.id, count(*) AS number
              FROM remodel_map m
              JOIN {pages} p ON p.id = m.old
              JOIN {pages} child
                ON left(child.path, -{size}) = p.path AND child.depth = p.depth + 1
              LEFT JOIN remodel_map below ON below.old = child.id
             WHERE below.old IS NULL
             GROUP BY 1, 2) counted
         GROUP BY 1 ORDER BY 1
        """
    )
    for type_id, ids, number in cursor.fetchall():
        child = _model(type_id)
        if child is not None and (why := _forbidden(new_type, child)):
            breaches.append(
                (
                    f"{_pages(ids)} cannot keep {_counted(number, 'child', 'children')} of the "
                    f"type {child._meta.label} as {new_type._meta.label}: {why}.",
                    bool(_forbidden(old_type, child)),
                )
            )
    return breaches


def _model(type_id: int) -> Model | None:
    """Return the model of a content type; None where the project has it no more."""
    from django.contrib.contenttypes.models import ContentType

    model: Model | None = ContentType.objects.get_for_id(type_id).model_class()
    return model


def _forbidden(parent: Model, child: Model) -> str:
    """Return why pages of one type may not be below those of the other; empty when they may."""
    above = parent in child.allowed_parent_page_models()
    below = child in parent.allowed_subpage_models()
    if above and below:
        return ""
    if parent not in child.clean_parent_page_models():
        return f"{parent.__name__} is not in {child.__name__}.parent_page_types"
    if child not in parent.clean_subpage_models():
        return f"{child.__name__} is not in {parent.__name__}.subpage_types"
    owner = child if not above else parent
    return f"{owner.__name__} has rules of its own that do not allow it"


def _too_many(cursor: Cursor, old_type: Model, new_type: Model) -> list[str]:
    """Return where max_count or max_count_per_parent would be exceeded in the end.

    Wagtail counts pages of child types too, so nothing grows when the new type is a parent of
    the old type. The time in which copy and original are both there does not count.
    """
    if issubclass(old_type, new_type):
        return []
    label, sentences = new_type._meta.label, []
    limit = getattr(new_type, "max_count", None)
    if limit is not None:
        cursor.execute("SELECT count(*) FROM remodel_map")
        there, more = new_type.objects.count(), cursor.fetchone()[0]
        if there + more > limit:
            sentences.append(
                f"There may be {_counted(limit, label + ' page', label + ' pages')} "
                f"({new_type.__name__}.max_count); {there} are there, {more} would be added: "
                "select fewer, or raise max_count."
            )
    limit = getattr(new_type, "max_count_per_parent", None)
    if limit is not None:
        cursor.execute(
            f"""
            SELECT parent.id, parent.title, count(m.old), count(*)
              FROM {tree.table()} p
              JOIN {tree.table()} parent ON parent.path = left(p.path, -{tree.step()})
              LEFT JOIN remodel_map m ON m.old = p.id
             WHERE p.depth > 1 AND (m.old IS NOT NULL OR p.content_type_id = ANY(%s))
             GROUP BY 1, 2 HAVING count(m.old) > 0 AND count(*) > %s
             ORDER BY 1
            """,
            [_types(new_type), limit],
        )
        sentences += [
            f"Below page {page} ({title!r}) there may be "
            f"{_counted(limit, label + ' page', label + ' pages')} "
            f"({new_type.__name__}.max_count_per_parent); {every - more} are there, "
            f"{more} would be added."
            for page, title, more, every in cursor.fetchall()
        ]
    return sentences


def _types(model: Model) -> list[int]:
    """Return content types of the model and its children, by which `type()` finds pages."""
    from django.contrib.contenttypes.models import ContentType
    from wagtail.models import get_page_models

    models = [page for page in get_page_models() if issubclass(page, model)]
    return [kind.pk for kind in ContentType.objects.get_for_models(*models).values()]


def _refused_parents(cursor: Cursor, new_type: Model) -> list[str]:
    """Return parents that the project's own can_create_at or can_exist_under refuses.

    Wagtail's own are not asked, as what they look at is looked at here, for all pages at once.
    """
    rules = _rules(new_type)
    if not rules:
        return []
    cursor.execute(
        f"""
        SELECT parent.id, array_agg(p.id ORDER BY p.path)
          FROM remodel_map m
          JOIN {tree.table()} p ON p.id = m.old AND p.depth > 1
          JOIN {tree.table()} parent ON parent.path = left(p.path, -{tree.step()})
         WHERE parent.id NOT IN (SELECT old FROM remodel_map)
         GROUP BY 1 ORDER BY 1
        """
    )
    below: dict[int, list[int]] = dict(cursor.fetchall())
    parents = base_page().objects.filter(pk__in=list(below)).order_by("path").specific()
    with _unlimited(new_type):
        return [
            f"{_pages(below[parent.pk])} cannot be {new_type._meta.label}: "
            f"its {' and '.join(rules)} does not accept page {parent.pk} ({parent.title!r}) "
            "as the parent."
            for parent in parents.iterator(chunk_size=200)
            if not all(getattr(new_type, rule)(parent) for rule in rules)
        ]


def _rules(new_type: Model) -> list[str]:
    """Return those of the two class methods on parents that the project has written itself."""
    own = []
    for name in ("can_create_at", "can_exist_under"):
        plain = getattr(base_page(), name, None)
        rule = getattr(new_type, name, None)
        if rule is not None and getattr(rule, "__func__", rule) is not getattr(
            plain, "__func__", plain
        ):
            own.append(name)
    return own


@contextmanager
def _unlimited(new_type: Model) -> Iterator[None]:
    """Lift the class's limits on how many there are; they are judged by the final number."""
    own = {name: vars(new_type)[name] for name in LIMITS if name in vars(new_type)}
    new_type.is_creatable, new_type.max_count, new_type.max_count_per_parent = True, None, None
    try:
        yield
    finally:
        for name in LIMITS:
            delattr(new_type, name)
        for name, value in own.items():
            setattr(new_type, name, value)


def _nested_parents(cursor: Cursor) -> list[int]:
    """Return pages of the map that are parents of other pages of the map."""
    cursor.execute(
        f"""
        SELECT parent.id FROM remodel_map above
          JOIN {tree.table()} parent ON parent.id = above.old
         WHERE EXISTS (
               SELECT FROM remodel_map m JOIN {tree.table()} p ON p.id = m.old
                WHERE left(p.path, -{tree.step()}) = parent.path AND p.depth > 1)
         ORDER BY parent.path
        """
    )
    return [row[0] for row in cursor.fetchall()]


def _slugs(cursor: Cursor, prefix: str) -> list[str]:
    """Return prefixed slugs that are too long, or that a sibling has."""
    field = base_page()._meta.get_field("slug")
    cursor.execute(
        f"""
        SELECT p.id, %s || p.slug FROM {tree.table()} p JOIN remodel_map m ON m.old = p.id
         WHERE length(%s || p.slug) > %s ORDER BY p.path
        """,
        [prefix, prefix, field.max_length],
    )
    sentences = [
        f"Page {page} cannot have the slug {slug!r}: it is longer than the {field.max_length} "
        "characters of a slug. Choose a shorter conversion.prefix."
        for page, slug in cursor.fetchall()
    ]
    cursor.execute(
        f"""
        SELECT p.id, beside.slug, beside.id, beside.title
          FROM remodel_map m
          JOIN {tree.table()} p ON p.id = m.old
          JOIN {tree.table()} beside ON beside.slug = %s || p.slug AND beside.depth = p.depth
           AND left(beside.path, -{tree.step()}) = left(p.path, -{tree.step()})
         ORDER BY p.path
        """,
        [prefix],
    )
    return sentences + [
        f"Page {page} cannot have the slug {slug!r}: page {other} ({title!r}) beside it has that. "
        "Rename that page, or choose another conversion.prefix."
        for page, slug, other, title in cursor.fetchall()
    ]


def _pages(ids: list[int]) -> str:
    shown = ", ".join(str(page) for page in ids[:SHOWN])
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"{'Page' if len(ids) == 1 else 'Pages'} {shown}{more}"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
