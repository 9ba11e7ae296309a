"""Pictures of the harbour, drawn and not taken, so that nobody has to be asked."""

from io import BytesIO
from random import Random

from PIL import Image, ImageDraw

SKIES = (
    ((247, 214, 170), (214, 120, 96)),
    ((198, 222, 240), (120, 168, 204)),
    ((60, 72, 110), (148, 120, 150)),
    ((236, 240, 242), (176, 190, 198)),
    ((250, 226, 190), (132, 180, 190)),
)


def picture(seed: int, width: int, height: int) -> bytes:
    """A PNG of sky, sea, a lighthouse and some sails; the same one for the same seed."""
    random = Random(seed)
    top, bottom = SKIES[seed % len(SKIES)]
    horizon = int(height * random.uniform(0.55, 0.7))
    image = Image.new("RGB", (width, height), (38, 74, 98))
    draw = ImageDraw.Draw(image)
    for y in range(horizon):
        share = y / horizon
        shade = tuple(round(a + (b - a) * share) for a, b in zip(top, bottom, strict=True))
        draw.line([(0, y), (width, y)], fill=shade)
    for _ in range(40):
        x, y = random.randint(0, width), random.randint(horizon + 4, height)
        draw.line([(x, y), (x + random.randint(15, 60), y)], fill=(70, 110, 134), width=2)
    _lighthouse(draw, int(width * random.uniform(0.1, 0.3)), horizon, height // 3)
    for _ in range(random.randint(1, 4)):
        x = random.randint(width // 2, width - 40)
        size = random.randint(height // 12, height // 6)
        draw.polygon([(x, horizon), (x, horizon - size), (x + size // 2, horizon)], (250, 248, 240))
        draw.line([(x - size // 3, horizon + 2), (x + size // 2, horizon + 2)], (90, 52, 40), 5)
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _lighthouse(draw: ImageDraw.ImageDraw, x: int, ground: int, height: int) -> None:
    half = height // 8
    for band in range(5):
        y = ground - height * (band + 1) // 5
        fill = (196, 62, 54) if band % 2 else (250, 248, 240)
        draw.rectangle([x - half, y, x + half, y + height // 5], fill=fill)
    lamp = ground - height
    draw.rectangle([x - half, lamp - half, x + half, lamp], fill=(252, 212, 96))
    draw.polygon(
        [(x - half - 4, lamp - half), (x, lamp - 2 * half), (x + half + 4, lamp - half)],
        fill=(60, 40, 40),
    )
