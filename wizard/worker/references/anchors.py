"""Links to pages in rich text: which digits in it are the id of one.

Wagtail has two readers of rich text, and a link that either of them takes for one is a link: what
one follows and the other leaves alone would be broken for its reader.

The site renders and indexes references by regular expressions (wagtail/rich_text/rewriters.py,
alike in every Wagtail that is supported): a tag begins with `<a` and ends at the first `>`,
attributes are `name="value"` in double quotes, names are as they are written, and a word before
`="` is a name even inside of another value.

The editor opens it by Python's HTML parser (wagtail/admin/rich_text/converters, since 2.0): other
quotes or none, upper case, space around `=`, a `>` inside of a quoted value, and entities.

Of several attributes of one name both take the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Tuple

Span = Tuple[int, int]

START = re.compile(r"<[aA]")

RENDERED = re.compile(r"<a\b[^>]*>")
RENDERED_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')

# Each alternative begins otherwise, so that a tag that does not end is given up at once.
EDITED = re.compile(
    r"""<[aA](?=[\s/])(?:[^>=]|=\s*"[^"]*"|=\s*'[^']*'|=(?!\s*["']))*>""",
)
EDITED_ATTRIBUTE = re.compile(
    r"""(?<=[\s/"'])([^\s/>="'][^\s/>=]*)(?:\s*=+\s*(?:"([^"]*)"|'([^']*)'|(?!["'])([^\s>]*)))?"""
)

# The one form that Wagtail writes is read alike by both.
WRITTEN = re.compile(r'<a(?: [a-z-]+="[^"<>&]*")*>')

NUMBER = re.compile(r"\s*\+?0*([1-9][0-9]{0,18})\s*")  # as Django makes a number of a text


def page_ids(html: str) -> list[Span]:
    """Return where the ids stand that links to pages have in a rich text, in order."""
    starts = len(START.findall(html))
    if not starts:
        return []
    tags = list(RENDERED.finditer(html))
    spans = {span for tag in tags if "linktype" in tag[0] for span in _rendered(tag)}
    if sum(WRITTEN.fullmatch(tag[0]) is not None for tag in tags) < starts:
        spans.update(span for tag in EDITED.finditer(html) for span in _edited(tag))
    return sorted(spans)


def _rendered(tag: re.Match[str]) -> Iterator[Span]:
    """Yield where the id is that the site reads in a tag, if it is a link to a page."""
    kind, page = "", None
    for attribute in RENDERED_ATTRIBUTE.finditer(tag[0]):
        if attribute[1] == "linktype":
            kind = attribute[2]
        elif attribute[1] == "id":
            page = attribute.span(2)
    if kind == "page" and page is not None:
        yield from _number(tag, page)


def _edited(tag: re.Match[str]) -> Iterator[Span]:
    """Yield where the id is that the editor reads in a tag, if it is a link to a page."""
    kind, page = "", None
    for attribute in EDITED_ATTRIBUTE.finditer(tag[0]):
        name = attribute[1].lower()
        which = attribute.lastindex or 1
        if name == "linktype":
            kind = unescape(attribute[which]) if which > 1 else ""
        elif name == "id":
            page = attribute.span(which) if which > 1 else None
    if kind == "page" and page is not None:
        yield from _number(tag, page)


def _number(tag: re.Match[str], within: Span) -> Iterator[Span]:
    """Yield where the digits are, if there is nothing else in this part of a tag."""
    number = NUMBER.fullmatch(tag[0], *within)
    if number:
        start, end = number.span(1)
        yield tag.start() + start, tag.start() + end
