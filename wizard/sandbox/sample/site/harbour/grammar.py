"""More stories than anybody would write: a small grammar, the same ones for the same seed."""

from random import Random

from harbour.stories import Heading, Links, Part, Photo, Quote, Story, Text

PEOPLE = (
    ("Tove Lindqvist", "who pilots the ferry"),
    ("Inês Duarte", "who mends nets"),
    ("Callum Reid", "the harbour master"),
    ("Maren Holt", "boatbuilder in the third generation"),
    ("Okello Adeyemi", "of the chandlery"),
    ("Wim de Vries", "the last keeper of the light"),
    ("Priya Nair", "who teaches at the harbour school"),
    ("Josie Pell", "baker and treasurer"),
    ("Anders Bøe", "who dives for the insurance"),
    ("Ruth Amsel", "of the seed library"),
    ("Gwen Trevanion", "coxswain of the lifeboat"),
    ("Tomasz Zieliński", "who smokes the fish"),
    ("Hana Mori", "who draws the charts"),
    ("Samir Haddad", "at the weather station"),
    ("Elspeth Kerr", "organist and crab fisher"),
    ("Luca Ferrante", "who repairs the clocks"),
)
SUBJECTS = (
    "mending nets in the dark",
    "the winter of the two storms",
    "reading ice from the bridge",
    "splicing wire without losing blood",
    "the ferry that came back by itself",
    "why the clock on the fish hall is right",
    "seaweed as a fertiliser",
    "the sound of a good hull",
    "growing leeks below the high-water mark",
    "the night the chain parted",
    "steam bending for beginners",
    "counting eiders at first light",
    "the great plaice of 1962",
    "painting a name on a transom",
    "the lost bell of the north mole",
    "how to leave a berth without a motor",
    "the ice house and who cooled it",
    "salt in everything",
    "a compass that points to the bakery",
    "the customs shed and its ghosts",
    "what grows on a mooring line",
    "rowing to school",
    "the harbour choir in November",
    "patching a sail on a moving deck",
)
BOATS = ("the Marigold", "the Second Breakfast", "the Aurora", "the Kittiwake", "the Good Intent")
PLACES = (
    "the harbour office",
    "the rope loft",
    "the old ticket office",
    "the north mole",
    "the ice house",
    "Pell's bakery",
    "the fish hall",
    "the slipway",
)
MONTHS = ("February", "April", "June", "August", "October", "December")
TRICKS = (
    "start before you feel ready and stop before you feel tired",
    "keep the tar warm and the tools cold",
    "look at the water and not at the boat",
    "write it down on the day, in pencil",
    "ask the person who did it last time",
    "let the rope tell you where it wants to lie",
)
ARGUMENTS = (
    "the proper colour for a buoy",
    "whether the tide was ever this early",
    "who borrowed the long ladder",
    "the price of diesel",
    "the spelling of the pub",
)
QUOTES = (
    "It floats until it doesn't, and then you learn something.",
    "My grandmother did this with one hand and a pipe in the other.",
    "There is no bad weather. There is only the wrong side of the wall.",
    "Half of it is patience. The other half is more patience, and a wedge.",
    "If it looks right and holds water out, it is right.",
)
TAGS = ("harbour", "boats", "people", "workshop", "tools", "weather", "food", "history")
PHOTOS = ("wall", "slip", "lighthouse", "crane", "dinghy")


def more_stories(number: int, seed: int) -> list[Story]:
    """`number` stories, the two blogs taking turns. No two have the same slug."""
    random = Random(seed)
    return [
        _story(random, "show" if place % 2 == 0 else "notes", place // 2 + 1)
        for place in range(number)
    ]


def _story(random: Random, blog: str, number: int) -> Story:
    name, role = random.choice(PEOPLE)
    subject = random.choice(SUBJECTS)
    if blog == "show":
        title, slug = f"{name} on {subject}", f"episode-{number + 6}"
    else:
        title, slug = f"{subject[0].upper()}{subject[1:]}", f"note-{number + 6}"
    parts: list[Part] = [Text((_opening(random, name, role, subject), _middle(random, name)))]
    if random.random() < 0.3:
        parts.append(Photo(random.choice(PHOTOS)))
    if random.random() < 0.4:
        parts.append(Quote(random.choice(QUOTES), name))
    if random.random() < 0.5:
        parts += [Heading("Afterwards"), Text((_ending(random),))]
    if random.random() < 0.25:
        parts.append(Links((("show", "more of this"), ("hello-from-the-harbour-wall", ""))))
    return Story(blog, slug, title, tuple(random.sample(TAGS, 2)), tuple(parts))


def _opening(random: Random, name: str, role: str, subject: str) -> str:
    place, month = random.choice(PLACES), random.choice(MONTHS)
    return random.choice(
        (
            f"{name}, {role}, came to {place} on a wet evening in {month} to talk about {subject}.",
            f"We had been meaning to ask {name}, {role}, about {subject} for years. In {month} we "
            f"met at {place} by chance and simply did it.",
            f"“It began in {month}”, says {name}, {role}. The rest of it is about {subject}, and "
            f"some of it about {place}.",
        )
    )


def _middle(random: Random, name: str) -> str:
    boat, days = random.choice(BOATS), random.randint(3, 40)
    sentences = [
        f"It takes about {days} days if the weather holds, and twice that if it does not.",
        f"The trick, says {name.split()[0]}, is to {random.choice(TRICKS)}.",
        f"For most of that time {boat} lay at {random.choice(PLACES)} with a tarpaulin over her.",
        f"We measured it twice: {random.randint(12, 95)} fathoms, which is more than the old "
        "harbour book gives.",
        f"Nobody had tried since {random.randint(1921, 1998)}, and it shows.",
        f"It has cost {random.randint(40, 900)} in materials and one pair of good trousers.",
    ]
    return " ".join(random.sample(sentences, 4))


def _ending(random: Random) -> str:
    return random.choice(
        (
            f"There was tea in {random.choice(PLACES)}, and the usual argument about "
            f"{random.choice(ARGUMENTS)}.",
            "If you remember it differently, write to us: [[show|the show]] reads every letter.",
            f"We went home along {random.choice(PLACES)} and agreed on nothing, least of all on "
            f"{random.choice(ARGUMENTS)}.",
        )
    )
