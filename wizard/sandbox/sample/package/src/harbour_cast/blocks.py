"""The blocks a post's body is made of."""

from wagtail import blocks
from wagtail.images.blocks import ImageChooserBlock


class QuoteBlock(blocks.StructBlock):
    """Somebody's words, and who said them."""

    text = blocks.TextBlock()
    attribution = blocks.CharBlock(required=False)

    class Meta:
        icon = "openquote"
        template = "cast/blocks/quote.html"


class PageLinkBlock(blocks.StructBlock):
    """Another page of the site, and why one would go there."""

    page = blocks.PageChooserBlock()
    note = blocks.CharBlock(required=False)

    class Meta:
        icon = "link"


class BodyBlock(blocks.StreamBlock):
    """A post's body."""

    heading = blocks.CharBlock(form_classname="title", icon="title")
    paragraph = blocks.RichTextBlock()
    image = ImageChooserBlock(template="cast/blocks/image.html")
    quote = QuoteBlock()
    links = blocks.ListBlock(PageLinkBlock(), icon="link", template="cast/blocks/links.html")
