"""The first stories of both blogs, as somebody wrote them.

A story's parts become the blocks of a post. `[[slug|words]]` in a paragraph is a link to an
earlier page: a post, a blog (`notes`, `show`) or the front page (`home`).
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Heading:
    text: str


@dataclass(frozen=True)
class Text:
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Photo:
    name: str


@dataclass(frozen=True)
class Quote:
    text: str
    attribution: str = ""


@dataclass(frozen=True)
class Links:
    """Slugs of pages, each with a note."""

    pages: tuple[tuple[str, str], ...]


Part = Heading | Text | Photo | Quote | Links


@dataclass(frozen=True)
class Story:
    blog: str
    slug: str
    title: str
    tags: tuple[str, ...]
    parts: tuple[Part, ...] = field(repr=False)
    draft: bool = False


def text(*paragraphs: str) -> Text:
    return Text(paragraphs)


# In the order in which they were told, the two blogs taking turns.
STORIES = (
    Story(
        "show",
        "hello-from-the-harbour-wall",
        "Hello from the harbour wall",
        ("harbour", "people"),
        (
            text(
                "This is the first of what we hope will be many. Every other Thursday we take the "
                "recorder down to the wall and ask somebody what they are doing there. Today it is "
                "Callum Reid, who has been harbour master since the winter of the two storms.",
                "He shows us the ledger that his predecessor kept in pencil, because ink freezes.",
            ),
            Photo("wall"),
            Quote("You don't run a harbour. You keep it from running away.", "Callum Reid"),
            Links((("show", "all episodes, newest first"),)),
        ),
    ),
    Story(
        "notes",
        "re-caulking-the-marigold",
        "Re-caulking the Marigold",
        ("boats", "workshop"),
        (
            text(
                "She came up the slip on Monday with eleven seams weeping. We raked out the old "
                "oakum as far as the garboards and found it dry as tobacco. Two threads of cotton "
                "in the narrow seams, oakum in the wide ones, and nobody is to hammer after six.",
            ),
            Photo("slip"),
            Heading("What we would do differently"),
            text(
                "Start at the stern. The light is better there in the morning and one's temper is "
                "better in the morning, too. Callum has more to say about her in "
                "[[hello-from-the-harbour-wall|the first episode]] of [[show|the Harbour Show]].",
            ),
        ),
    ),
    Story(
        "show",
        "the-keeper-who-never-learned-to-swim",
        "The keeper who never learned to swim",
        ("lighthouse", "people"),
        (
            text(
                "Wim de Vries kept the light on the north mole for thirty-one years, and in all "
                "that time he went into the water once, by accident, in his Sunday suit. He tells "
                "us about the winter when the relief boat could not land for nineteen days.",
                "We also hear the old fog signal, which he can still do with his mouth. The first "
                "part of our talk is [[hello-from-the-harbour-wall|here]].",
            ),
            Quote("The lamp was company. It turned to me six times a minute.", "Wim de Vries"),
            Photo("lighthouse"),
            Links(
                (
                    ("hello-from-the-harbour-wall", "where Callum speaks about the same winter"),
                    ("re-caulking-the-marigold", "the boat that brought him ashore"),
                )
            ),
        ),
    ),
    Story(
        "notes",
        "a-jig-for-bending-ribs",
        "A jig for bending ribs",
        ("workshop", "tools"),
        (
            text(
                "Green oak, twenty minutes in the steam box for every half inch, and then about "
                "eight seconds before it stops listening to you. The new jig has pegs on a grid, "
                "so that one person can clamp alone. We broke two ribs out of fourteen.",
            ),
            Links((("show", "Maren explains the steam box in an episode to come"),)),
        ),
    ),
    Story(
        "show",
        "bad-admin",
        "bad [/admin]",
        ("website",),
        (
            text(
                "No, that is not the name of an episode. It is what our form made of the title "
                "that Priya typed in, and by the time we saw it the feed had gone out to everybody "
                "with it. We leave it standing as a monument.",
                "The real subject is the [b]ooth[/b] in the old ticket office where "
                "[[show|the show]] is now recorded, and the egg boxes on its walls.",
            ),
        ),
    ),
    Story(
        "notes",
        "linseed-oil-and-when-not-to-use-it",
        "Linseed oil, and when not to use it",
        ("workshop", "paint"),
        (
            text(
                "Raw oil on spruce looks splendid for one summer. By the second it is black in the "
                "grain and you will be scraping until the herring come back. Boiled oil with a "
                "third of turpentine, four coats, a week between them, and rags under water!",
            ),
            Quote("More sheds were lost to rags than to lightning.", "Okello Adeyemi"),
        ),
    ),
    Story(
        "show",
        "members-evening-the-slipway-accounts",
        "Members' evening: the slipway accounts",
        ("members",),
        (
            text(
                "For members of the association only, as agreed in March. Josie Pell goes through "
                "the accounts of the slipway line by line, and the winch turns out to have paid "
                "for itself. The questions begin at minute forty.",
            ),
            Links((("re-caulking-the-marigold", "the largest item"),)),
        ),
    ),
    Story(
        "notes",
        "the-crane-passed-its-inspection",
        "The crane passed its inspection",
        ("harbour", "tools"),
        (
            text(
                "Five tonnes at four metres, tested with the concrete block that has been lying "
                "behind the ice house since 1974. The inspector asked for a new hook latch and a "
                "sign. Both are in place. Whoever borrows the key signs the book.",
            ),
            Photo("crane"),
        ),
    ),
    Story(
        "show",
        "what-the-tide-gauge-knows",
        "What the tide gauge knows",
        ("harbour", "weather"),
        (
            text(
                "There is a copper tube under the harbour office with a float in it, and a pen "
                "that has drawn the same curve twice a day for ninety years. Priya Nair and her "
                "class have read all of it. The sea here stands nineteen centimetres higher.",
            ),
            Heading("Before it is published"),
            text(
                "The survey is with its reviewers until the summer. Until then this page asks for "
                "a password, and everybody who was recorded has it. Listen to "
                "[[the-keeper-who-never-learned-to-swim|Wim]] in the meantime.",
            ),
        ),
    ),
    Story(
        "notes",
        "saturday-club-builds-a-pram-dinghy",
        "Saturday club builds a pram dinghy",
        ("boats", "people"),
        (
            text(
                "Nine children, two sheets of plywood, one very patient Maren. They stitched the "
                "panels with copper wire, filled the seams, and argued about the colour for "
                "longer than both of these together. She will be called Second Breakfast.",
                "Hear them do it on [[show|the Harbour Show]], where the argument is unabridged.",
            ),
            Photo("dinghy"),
        ),
    ),
    Story(
        "show",
        "autumn-programme-to-be-confirmed",
        "Autumn programme (to be confirmed)",
        ("members",),
        (
            text(
                "Draft, please do not share: fog signals in September, the ice house in October, "
                "and if the ferry people agree a whole night on the bridge in November. "
                "[[what-the-tide-gauge-knows|The tide gauge]] gets its second part.",
            ),
        ),
        draft=True,
    ),
    Story(
        "notes",
        "an-inventory-of-the-rope-loft",
        "An inventory of the rope loft",
        ("workshop", "tools"),
        (
            text(
                "Four coils of manila, one of them sound. Sixty fathoms of hemp that we keep for "
                "its smell. Polyester in three sizes, marked with whipping twine: red for ten "
                "millimetres, green for twelve, blue for sixteen. Please put it back.",
            ),
            Links((("show", "what the loft sounds like"), ("home", ""))),
        ),
    ),
)
