"""From a story's parts to what Wagtail stores: rich text, and the blocks of a StreamField."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from harbour.stories import Heading, Links, Photo, Quote, Story, Text

LINK = re.compile(r"\[\[([\w-]+)\|(.+?)\]\]")

PageId = Callable[[str], int]


def body(
    story: Story, page_id: PageId, images: Mapping[str, int], uuid: Callable[[], UUID]
) -> list[dict[str, Any]]:
    """The raw value of a post's body."""
    return [{**_block(part, page_id, images, uuid), "id": str(uuid())} for part in story.parts]


def _block(
    part: object, page_id: PageId, images: Mapping[str, int], uuid: Callable[[], UUID]
) -> dict[str, Any]:
    match part:
        case Heading(text):
            return {"type": "heading", "value": text}
        case Text(paragraphs):
            return {"type": "paragraph", "value": rich(paragraphs, page_id, uuid)}
        case Photo(name):
            return {"type": "image", "value": images[name]}
        case Quote(text, attribution):
            return {"type": "quote", "value": {"text": text, "attribution": attribution}}
        case Links(pages):
            items = [
                {"type": "item", "id": str(uuid()), "value": {"page": page_id(slug), "note": note}}
                for slug, note in pages
            ]
            return {"type": "links", "value": items}
    raise TypeError(part)


def rich(paragraphs: Iterable[str], page_id: PageId, uuid: Callable[[], UUID]) -> str:
    """Paragraphs as Wagtail's editor writes them, with `[[slug|words]]` made links to pages."""

    def link(match: re.Match[str]) -> str:
        return f'<a id="{page_id(match[1])}" linktype="page">{match[2]}</a>'

    return "".join(
        f'<p data-block-key="{uuid().hex[:5]}">{LINK.sub(link, paragraph)}</p>'
        for paragraph in paragraphs
    )
