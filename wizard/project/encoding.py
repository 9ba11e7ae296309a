"""The text of a Python file and its bytes, in the encoding that the file declares (PEP 263).

A byte order mark stays in the text, as its first character.
"""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

from wizard.base.errors import OperationFailed

SHOWN = 5  # characters that are named in an error


def declared(data: bytes) -> str:
    """Return the encoding that a file declares. Raise SyntaxError where Python knows none such."""
    name, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return "utf-8" if name == "utf-8-sig" else name


def decoded(data: bytes, path: Path) -> str:
    """Return the text of the file at `path`, line ends as they are.

    Raise OperationFailed where it cannot be read, or would come back as other bytes.
    """
    try:
        encoding = declared(data)
        text = data.decode(encoding)
        same = text.encode(encoding) == data
    except (SyntaxError, UnicodeError) as error:
        raise OperationFailed(
            f"{path.name} cannot be read in the encoding that it declares.",
            found=f"{path}: {error}",
            hint="Save it in the encoding that its first two lines name (UTF-8 where they name "
            "none), then try again.",
        ) from None
    if not same:
        raise OperationFailed(
            f"{path.name} is written in {encoding}, in which a text has several spellings: saving "
            "it would change bytes that nobody edited.",
            found=str(path),
            hint="Save it as UTF-8, and take the encoding out of its first two lines.",
        )
    return text


def encoded(text: str, path: Path) -> bytes:
    """Return the bytes of a text that goes into the file at `path`.

    Raise OperationFailed where its encoding does not have a character.
    """
    encoding = declared(text.encode("utf-8", "replace"))
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        pass
    missing = [
        f"line {number}: {character} (U+{ord(character):04X})"
        for number, line in enumerate(text.split("\n"), 1)
        for character in dict.fromkeys(line)
        if not _has(encoding, character)
    ]
    raise OperationFailed(
        f"{path.name} is written in {encoding}, which does not have every character of the text.",
        found="\n".join(missing[:SHOWN]).encode("utf-8", "backslashreplace").decode(),
        hint=r'Write them as escapes ("\u2013") in strings and leave them out of comments; or save '
        f"{path.name} as UTF-8 and take the encoding out of its first two lines.",
    )


def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
