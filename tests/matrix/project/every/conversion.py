"""What the field map computes."""


def teaser(page):
    """The first words of a page's introduction."""
    return " ".join(page.intro.split()[:3])


def length(page):
    """How long a page's introduction is."""
    return str(len(page.intro))
