"""Values that may mention a page: searched for in SQL, and read some at a time.

A mention is the digits of a page's id, whatever they stand for; `content` knows what they mean.
"""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any, Generic, List, Tuple, TypeVar

from ..site.database import page_connection
from ..site.tree import quoted
from ..site.types import Field
from .rewrite import hashed

Rows = List[Tuple[Any, ...]]
Query = Tuple[str, List[Any]]
Asked = TypeVar("Asked")  # what a query was about

CHUNK = 500
AHEAD = 12  # chunks
READERS = 2  # connections: reading text out of JSON is work for the database
FEW = 10
RARE = 4  # digits of a number that is seldom found in a text without being meant
PATTERN_LIMIT = 1000  # more ids than this make a slower regular expression than no filter

DIGITS = re.compile(r"\d+")
ESCAPED = re.compile(r"\\u[0-9a-fA-F]{4}")

# Before a number in JSON may be an escape, whose last letter belongs to no word: `\n7`, `\u00227`.
BEFORE = r"(\m|\\[bfnrt]|\\u[0-9a-fA-F]{4})0*"


def mentions(column: str, pages: Collection[int]) -> tuple[str, list[Any]]:
    """Return an SQL condition that a text column may have one of the ids, and its parameters.

    Fit to leave out most of what has none, and cheap: a regular expression takes ten times as
    long as a search for digits, and is only better where the number is short.
    """
    if len(pages) > PATTERN_LIMIT:
        return f"{column} <> ''", []
    numbers = [str(page) for page in pages]
    pattern = BEFORE + "(" + "|".join(numbers) + r")\M"
    if len(pages) > FEW:
        return f"{column} ~ %s", [pattern]
    digits = " OR ".join(f"strpos({column}, %s) > 0" for _ in numbers)
    if all(len(number) >= RARE for number in numbers):
        return f"({digits})", numbers
    # Not AND: PostgreSQL would put the regular expression first, which counts as one operator.
    return f"CASE WHEN {digits} THEN {column} ~ %s ELSE false END", [*numbers, pattern]


def numbers(text: str, pages: Collection[int]) -> list[int]:
    """Return the pages whose ids seem to stand in the text; cheaper than parsing it."""
    if len(pages) <= FEW:  # no word boundaries, so that it may be more than there are
        return [page for page in pages for _ in range(text.count(str(page)))]
    if "\\u" in text:
        text = ESCAPED.sub(" ", text)
    return [number for number in map(int, DIGITS.findall(text)) if number in pages]


def query_of(
    table: str, key: str, field: Field, pages: Collection[int], condition: str = ""
) -> Query:
    """Return a query of a field's `(row's key, value, hash)`, of all rows `t` that mention a page.

    With a condition on the rows `t`, of those that meet it. `key` is SQL for the key.
    """
    column = f"t.{quoted(field.column)}::text"
    if condition:
        return f"SELECT {key}, {column}, 0 FROM {quoted(table)} t WHERE {condition}", []
    mentioned, given = mentions("v.value", pages)
    values = f"SELECT {key} AS key, {column} AS value FROM {quoted(table)} t OFFSET 0"
    return f"SELECT v.key, v.value, {hashed('v.value')} FROM ({values}) v WHERE {mentioned}", given


def read(query: str, given: list[Any]) -> Iterator[Rows]:
    """Yield rows of a query, some at a time, so that memory does not grow with their number."""
    with page_connection().chunked_cursor() as reading:
        reading.execute(query, given)
        while rows := reading.fetchmany(CHUNK):
            yield rows


class ReadAhead(Generic[Asked]):
    """Rows of several queries with what each was about, read while other things are done.

    By other connections, which see the exported `snapshot` and nothing of what this transaction
    has changed: only for before it changes anything, and without its temporary tables. A context
    manager, at whose end the other connections are closed.
    """

    def __init__(self, queries: Sequence[tuple[Asked, Query]], snapshot: str) -> None:
        self._snapshot = snapshot
        self._queries: queue.SimpleQueue[tuple[Asked, Query]] = queue.SimpleQueue()
        for query in queries:
            self._queries.put(query)
        self._chunks: queue.Queue[Any] = queue.Queue(maxsize=AHEAD)
        self._enough = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, name=f"remodel-reading-{number}", daemon=True)
            for number in range(READERS)
        ]

    def __enter__(self) -> ReadAhead[Asked]:
        for thread in self._threads:
            thread.start()
        return self

    def __iter__(self) -> Iterator[tuple[Asked, Rows]]:
        at_work = len(self._threads)
        while at_work:
            chunk = self._chunks.get()
            if isinstance(chunk, BaseException):
                raise chunk
            if chunk is None:
                at_work -= 1
            else:
                yield chunk

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        while any(thread.is_alive() for thread in self._threads):
            with suppress(queue.Empty):
                self._chunks.get(timeout=0.05)  # so that none is stuck with a full queue

    def _read(self) -> None:
        from django.db import transaction

        connection = page_connection()  # Django's connections are each thread's own
        try:
            with transaction.atomic(using=connection.alias), suppress(queue.Empty):
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    cursor.execute(f"SET TRANSACTION SNAPSHOT '{self._snapshot}'")
                while True:
                    about, query = self._queries.get_nowait()
                    for rows in read(*query):
                        if self._enough.is_set():
                            return
                        self._chunks.put((about, rows))
            self._chunks.put(None)
        except BaseException as error:
            self._chunks.put(error)
        finally:
            connection.close()
