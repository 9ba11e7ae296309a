"""The ways in which a secret may be written: in a traceback, in JSON, in a URL, line by line."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

SHORTEST = 4  # characters; shorter values would blank out ordinary words
FRAGMENT = 8  # characters of a line, or of a piece of base64, that are one's own
LONGEST = 4096  # characters of a secret whose every spelling is looked for

NAMED = re.compile(
    r"passw|secret|token|passphrase|credential|api_?key|private_?key|signing_?key|dsn"
    r"|(?:^|_)(?:pwd|pass|keys?|salt|auth)(?:$|_|\d)",
    re.IGNORECASE,
)
"""Names under which an environment has secrets: MAIL_PWD, SIGNING_KEY, SENTRY_DSN."""

_USERINFO = re.compile(r"://([^\s:@/]*):([^\s/]+)@")  # up to the last @ before a slash
_TO_THE_LAST = re.compile(r"://([^\s:@/]*):(.+)@", re.DOTALL)  # a slash may be part of it
_TO_THE_FIRST = re.compile(r"://([^\s:@/]*):([^\s@]+)@")
_PORT = re.compile(r"\w*https?://[^\s:@/]*:\d{1,5}/")  # http://localhost:8000/@team
_PARAMETER = re.compile(r"(?:^|[?&;\s])(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&;]*)")  # libpq's, too
_MEMBER = re.compile(r'"([^"\\]*)"\s*:\s*("(?:[^"\\]|\\.)*")')  # of JSON
_TOKEN = re.compile(r"://([^\s:@/]{16,})@")  # https://token@host


def within(value: str) -> Iterator[str]:
    """Yield the secrets that a value of an environment has in it: a URL's password, a parameter's,
    a member's of JSON."""
    for pattern in (_USERINFO, _TO_THE_LAST, _TO_THE_FIRST):
        for match in pattern.finditer(value):
            if not _PORT.match(value[max(match.start() - 5, 0) :]):
                yield match[2]
    yield from _TOKEN.findall(value)
    for name, text in _PARAMETER.findall(value):
        if NAMED.search(name):
            yield re.sub(r"\\(.)", r"\1", text[1:-1]) if text[:1] == "'" else text
    for name, text in _MEMBER.findall(value):
        if NAMED.search(name):
            try:
                yield str(json.loads(text))
            except ValueError:
                continue


def spellings(secret: str) -> set[str]:
    """Return all that is to be masked for a secret, itself included."""
    if len(secret) > LONGEST:
        return {secret, *_lines(secret)}
    found: set[str] = set()
    for text in {secret, unquote(secret), unquote_plus(secret), secret.replace("\\n", "\n")}:
        found |= {text, *_escaped(text), *_encoded(text), *_in_base64(text)}
    for line in _lines(secret):
        found |= {line, *_escaped(line), *_encoded(line)}
    return {text for text in found if len(text) >= SHORTEST}


def _lines(secret: str) -> Iterator[str]:
    """Yield the lines of a secret that has several, such as a key in PEM, or in an environment
    with `\\n` for their ends."""
    lines = secret.replace("\\n", "\n").splitlines()
    for line in (one.strip() for one in lines if len(lines) > 1):
        if len(line) >= FRAGMENT and not line.startswith("-----"):
            yield line


def _escaped(text: str) -> set[str]:
    """Return the text within a literal of Python or JSON, and within one of the other again."""
    once = _literals(text)
    return once.union(*map(_literals, once)) if once != {text} else once


def _literals(text: str) -> set[str]:
    found = set()
    for show in (repr, ascii):
        # Which quotes are escaped depends on what else is in the literal.
        found |= {show(f"\"'{text}")[4:-1], show(f"'{text}")[1:-1].removeprefix("\\")[1:]}
    found |= {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    found.add(repr(b"\"'" + text.encode(errors="surrogateescape"))[5:-1])
    return found


def _encoded(text: str) -> set[str]:
    """Return the text in a URL, in HTML, in SQL and in a shell's line."""
    data = text.encode(errors="surrogateescape")
    found = {quote(data, safe=safe) for safe in ("", "/", "!~*'()", "/:@!$&'()*+,;=")}
    found |= {quote_plus(data), data.hex(), html.escape(text), html.escape(text, quote=False)}
    found |= {re.sub("%..", lambda code: code[0].lower(), one) for one in found}
    found |= {text.replace("'", "''"), text.replace("\\", "\\\\").replace("'", "\\'")}
    return found | {shlex.quote(text).removeprefix("'").removesuffix("'")}


def _in_base64(text: str) -> set[str]:
    """Return what of it is the same in base64 whatever stands before and after it, as in the
    `user:password` of HTTP."""
    data = text.encode(errors="surrogateescape")
    found = set()
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"\0" * before + data).decode().rstrip("=")
            first = (0, 2, 3)[before]
            last = len(whole) if (before + len(data)) % 3 == 0 else len(whole) - 1
            found.add(whole[first:last])
    return {one for one in found if len(one) >= FRAGMENT}
