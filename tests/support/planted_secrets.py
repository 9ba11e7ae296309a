"""Secrets as an operator has them, and the search for them wherever they must not be."""

from __future__ import annotations

import base64
import html
import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

from dotenv import dotenv_values

from tests.support.sandbox import REMODEL, Demo

# Another test at the same time may show its secrets on purpose: each process has its own.
DSN_PASSWORD = f"planted@dsn/{os.getpid()}:end"
QUOTED = f"planted 'phrase' \"{os.getpid()}\" \\ é&%41"
PEM = "\n".join(
    [
        "-----BEGIN PRIVATE KEY-----",
        *(f"planted+line/{os.getpid()}/{number}AbCdEfGhIjKlMnOp" for number in range(3)),
        "-----END PRIVATE KEY-----",
    ]
)
PLANTED = {
    "DATABASE_URL": f"postgres://dev:{DSN_PASSWORD}@db.example.org/site",
    "DEPLOY_KEY_PASSPHRASE": f"a planted phrase, {os.getpid()}",
    "MAIL_PWD": QUOTED,
    "SIGNING_KEY": PEM,
}


@dataclass
class Ran:
    """A command that has ended: what it said, and which of the secrets an argument list had."""

    returncode: int
    stdout: str
    stderr: str
    in_arguments: set[str] = field(default_factory=set)


@contextmanager
def planted(demo: Demo) -> Iterator[set[str]]:
    """The secrets in the sandbox's .env, and two more there: a DSN, and a key's passphrase."""
    path = demo.root / ".env"
    before = path.read_text()
    path.write_text(before + "".join(f"{name}={_quoted(text)}\n" for name, text in PLANTED.items()))
    known = {
        value for name, value in dotenv_values(path).items() if value and "PASSWORD" in name
    } | {DSN_PASSWORD, PLANTED["DEPLOY_KEY_PASSPHRASE"], QUOTED, *PEM.splitlines()[1:-1]}
    assert len(known) >= 4 and all(len(secret) > 8 for secret in known)
    try:
        yield known
    finally:
        path.write_text(before)


def _quoted(text: str) -> str:
    """As python-dotenv reads it."""
    for one in ("\\", '"'):
        text = text.replace(one, f"\\{one}")
    return '"' + text.replace("\n", "\\n") + '"'


def forms(secret: str) -> set[str]:
    """The spellings under which a secret may be found: tracebacks, JSON, URLs, headers."""
    texts = {secret, unquote(secret)}
    texts |= {repr(text)[1:-1] for text in texts} | {ascii(text)[1:-1] for text in texts}
    texts |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    texts |= {json.dumps(repr(secret))[2:-2], repr(secret.encode())[2:-1]}
    texts |= {quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret)}
    texts.add(base64.b64encode(secret.encode()).decode().rstrip("=")[:-1])
    return {text for text in texts if len(text) > 8}


def run(
    arguments: Sequence[str | Path],
    folder: Path,
    known: set[str],
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """Run a command while every argument list on this machine is looked at."""
    process = subprocess.Popen(
        arguments,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    ended, seen = threading.Event(), set[str]()

    def watch() -> None:
        while not ended.wait(0.03):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = path.read_bytes().decode(errors="replace")
                except OSError:
                    continue
                seen.update(secret for secret in known if secret in words)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        out, err = process.communicate(timeout=280)
    finally:
        ended.set()
        watching.join()
    return Ran(process.returncode, out, err, seen)


def remodel(demo: Demo, known: set[str], *arguments: str, **environment: str) -> Ran:
    """Run `remodel` in the sandbox with the secrets in its environment too."""
    return run([REMODEL, *arguments], demo.root, known, {**PLANTED, **environment})


def leaks(demo: Demo, known: set[str], ran: Ran) -> list[str]:
    """Where a secret is: in what was said, in an argument list, in a file of a session."""
    found = [f"arguments: {secret}" for secret in ran.in_arguments]
    spelled = [form for secret in known for form in forms(secret)]
    found += [f"output: {form}" for form in spelled if form in ran.stdout + ran.stderr]
    for path in (demo.root / ".remodel").rglob("*"):
        data = b"" if path.is_dir() else path.read_bytes()
        found += [f"{path}: {form}" for form in spelled if form.encode() in data]
    return found
