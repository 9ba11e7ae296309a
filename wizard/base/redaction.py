"""Secrets, and the one place that takes them out of what is shown, logged or recorded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wizard.base.spellings import NAMED, SHORTEST, spellings, within

_known: dict[str, str] = {}
"""Every spelling of every secret, and the secret as it was given."""
_public: set[str] = set()

MASK = "••••••"
_WORD = re.compile(r"[A-Za-z_]{1,15}")
_NAMED = re.compile(r"passw|secret|token|passphrase|api_?key|dsn", re.IGNORECASE)
_IN_URL = re.compile(r"(://[^/\s:@]*:)([^/\s@]+)(?=@)")  # postgresql://ana:this@host/name
# With an @, a slash or a colon in it, but for `://localhost:8000/@team`.
_SHOWN_IN_URL = re.compile(r"(://[^/\s:@\[]*:)(?!\d{1,5}(?:[/?#]|$))([^\s\"'<>]+)(?=@)")
_PEM = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)", re.DOTALL)
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY")
_OURS = re.compile(r"REMODEL_\w+_PASSWORD")
# ECMA-48: CSI and its end, OSC and the other strings with theirs, within a line; 7 and 8 bits.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[@-Z\\-_]"
)
# C0 but for tab and newline, C1, and what turns the direction of writing (Unicode's bidi controls),
# or ends a line where nobody sees it.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)


class Secret:
    """A value that must not be seen: no repr, no str, no comparison by accident.

    Making one registers its value, so that `redact` finds it in any text from then on.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        if len(value) >= SHORTEST and value not in _known:
            _known.update(dict.fromkeys(spellings(value), value))
            _known[value] = value

    def reveal(self) -> str:
        """Return the value itself, for the one call that hands it to PostgreSQL or SSH."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))


def register(environment: Mapping[str, str]) -> None:
    """Register the secrets of a project's environment, which its traceback may show.

    They are known by their names, or as the password within a URL.
    """
    for name, value in environment.items():
        for secret in within(value):
            Secret(secret)
        # A path is where a secret is, not one, and stands in many an innocent text.
        if NAMED.search(name) and len(value) >= 2 * SHORTEST and not value.startswith("/"):
            Secret(value)


def public(texts: Iterable[str]) -> None:
    """Register texts of the config that are no secret, such as a database's name: `sealed` does
    not mask them."""
    _public.update(texts)


def redact(text: str) -> str:
    """Return `text` for display: every known secret, in any spelling, every URL's password and
    every private key masked."""
    shown = _without(text)
    if "://" in shown:
        shown = _SHOWN_IN_URL.sub(rf"\1{MASK}", shown)
    return _PEM.sub(rf"\1{MASK}", shown) if "-----BEGIN" in shown else shown


def redacted(value: Any) -> Any:
    """Return `value` with every text in it redacted, at any depth of mappings and sequences.

    Call it before a value becomes JSON, which would escape a secret's quotes.
    """
    return _each(value, redact)


def sealed(value: Any) -> Any:
    """Return `value` for storage, to be read back by an undo: only unmistakable secrets masked.

    A password may be a plain word, or the database's name: with every `podcast` masked, a models
    file could not be put back.
    """
    return _each(value, lambda text: _without(text, _is_unmistakable))


def _is_unmistakable(spelling: str) -> bool:
    secret = _known[spelling]
    if _WORD.fullmatch(secret):
        return False
    return not any(secret in text or spelling in text for text in _public)


def exposed(name: str, text: str) -> bool:
    """Whether the value `text`, under this name, is a secret in the clear."""
    return bool(_NAMED.search(name)) or shows_secret(text) or MASK in sealed(text)


def shows_secret(text: str) -> bool:
    """Whether `text` has the form of a secret: a private key, or a URL with its password."""
    return bool(_KEY.search(text) or _IN_URL.search(text))


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for children that have no business with the databases' passwords."""
    return {name: value for name, value in environment.items() if not _OURS.fullmatch(name)}


def _without(text: str, masked: Callable[[str], bool] = lambda spelling: True) -> str:
    found = [spelling for spelling in _known if spelling in text and masked(spelling)]
    for spelling in sorted(found, key=len, reverse=True):  # a part of it may be another secret
        text = text.replace(spelling, MASK)
    return text


def _each(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_each(key, change): _each(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each(item, change) for item in value]
    return value


def printable(text: str) -> str:
    """Return `text` without what acts on a terminal: colors, a title's escapes, the direction of
    what follows."""
    return _CONTROL.sub("", _SEQUENCE.sub("", text))


def shown(text: str) -> str:
    """Return `text` as a terminal, or a file that is read on one, gets it."""
    # In this order: what a control character takes apart is a secret once that is gone.
    return redact(printable(text))


def all_shown(value: Any) -> Any:
    """Return `value` with every text in it as `shown`, at any depth of mappings and sequences."""
    return _each(value, shown)
