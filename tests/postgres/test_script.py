"""Taking plain dumps apart: every portioning gives the same, and what is no dump is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wizard.base.errors import VerificationFailed
from wizard.base.events import Report
from wizard.postgres.dumps import script
from wizard.postgres.dumps.script import Piece, Splitter

HEAD = "--\n-- PostgreSQL database dump\n--\n\n"
TAIL = "--\n-- PostgreSQL database dump complete\n--\n\n"
WHOLE = (
    HEAD
    + r"""
\restrict aB3
-- Dumped from database version 17.4 (Debian 17.4-1)
-- Dumped by pg_dump version 18.1

SET statement_timeout = 0;
SELECT 'a;b', E'it\'s;', "odd;""name", $$;$$, $tag$ ; $$ \! $tag$, 5-3, 1/2; -- a ; remark
/* nested /* ; */ \! ; */
CREATE FUNCTION public.copies() RETURNS void LANGUAGE plpgsql AS $_$
BEGIN
COPY t FROM stdin;
\.
END;
$_$;
CREATE OR REPLACE FUNCTION public.body(a integer) RETURNS integer LANGUAGE sql
    BEGIN ATOMIC
 SELECT CASE WHEN $1 > 0 THEN 1; ELSE 2 END;
 SELECT 3;
END;
CREATE RULE r AS ON INSERT TO v DO INSTEAD ( SELECT 1; SELECT (2); );
COPY public.page (id, title) FROM stdin;
1	a \\. \N
2	\\.
\.

COPY public.empty (id) FROM stdin;
\.

SELECT pg_catalog.setval('public.page_id_seq', 2, true);
"""
    + TAIL
    + "\\unrestrict aB3\n"
)


def split(text: str, size: int = 1 << 20) -> list[Piece]:
    splitter, found = Splitter("db.sql"), list[Piece]()
    data = text.encode()
    for at in range(0, len(data), size):
        found += splitter.feed(data[at : at + size])
    splitter.close()
    return found


def joined(pieces: list[Piece]) -> list[tuple[str, bytes]]:
    """Without how rows were portioned."""
    found: list[tuple[str, bytes]] = []
    for piece in pieces:
        if found and piece.kind == found[-1][0] == "rows":
            found[-1] = ("rows", found[-1][1] + piece.data)
        else:
            found.append((piece.kind, piece.data))
    return found


def test_tells_statements_from_rows() -> None:
    pieces = split(WHOLE)
    assert [(piece.kind, piece.data[:18]) for piece in pieces] == [
        ("statement", b"SET statement_time"),
        ("statement", b"SELECT 'a;b', E'it"),
        ("statement", b"CREATE FUNCTION pu"),
        ("statement", b"CREATE OR REPLACE "),
        ("statement", b"CREATE RULE r AS O"),
        ("copy", b"COPY public.page ("),
        ("rows", b"1\ta \\\\. \\N\n2\t\\\\.\n"),
        ("end", b"\\.\n"),
        ("copy", b"COPY public.empty "),
        ("end", b"\\.\n"),
        ("statement", b"SELECT pg_catalog."),
    ]
    assert pieces[2].data.endswith(b"$_$;") and pieces[3].data.endswith(b"END;")
    lines = WHOLE.splitlines()
    assert [lines[piece.line - 1].encode()[:8] for piece in pieces if piece.kind != "end"] == [
        piece.data[:8].split(b"\n")[0] for piece in pieces if piece.kind != "end"
    ]
    splitter = Splitter("db.sql")
    list(splitter.feed(WHOLE.encode()))
    assert (splitter.server_version, splitter.dump_version) == ("17.4", "18.1")


@given(st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_reads_the_same_in_any_portions(size: int) -> None:
    assert joined(split(WHOLE, size)) == joined(split(WHOLE))
    assert [p.line for p in split(WHOLE, size) if p.kind in ("copy", "statement")] == [
        p.line for p in split(WHOLE) if p.kind in ("copy", "statement")
    ]


@given(st.integers(0, len(WHOLE) - len("\n--\n\n\\unrestrict aB3\n") - 1))
@settings(max_examples=150, deadline=None)
def test_finds_every_cut(size: int) -> None:
    """Wherever it is cut before its closing line: in a comment, a string, a COPY, between two."""
    with pytest.raises(VerificationFailed):
        split(WHOLE[:size])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("\\! touch x", "may run anything"),
        ("\\unrestrict `touch x`", "may run anything"),
        ("\\restrict", "may run anything"),
        ("\\connect other", "may run anything"),
        ("\\copy t from program 'id'", "may run anything"),
        ("SELECT 1 \\g |id", "may run anything"),
        ("SELECT 1 /* x */ \\gexec", "may run anything"),
        ("COPY t FROM '/etc/passwd';", "not FROM stdin"),
        ("COPY t TO PROGRAM 'id';", "not FROM stdin"),
        ("COPY t FROM stdin; SELECT 1;", "not FROM stdin"),
    ],
)
def test_refuses_psql_commands_and_server_files(line: str, words: str) -> None:
    with pytest.raises(VerificationFailed, match=words) as caught:
        split(f"{HEAD}SELECT 0;\n{line}\n{TAIL}")
    assert "line 6" in caught.value.message
    assert caught.value.found and caught.value.found in line


def test_refuses_text_after_the_closing_line() -> None:
    with pytest.raises(VerificationFailed, match="after its closing line"):
        split(HEAD + TAIL + "DROP TABLE page;\n")


def test_a_closing_line_in_a_value_does_not_close() -> None:
    for text in (
        "SELECT $$\n{}$$;\n",
        "COPY t FROM stdin;\n{}\\.\n",
        "/*\n{}*/\n",
        "SELECT 1\n{};\n",
    ):
        with pytest.raises(VerificationFailed, match="closing line is missing"):
            split(HEAD + text.format(TAIL))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        gzip.compress(b""),
        gzip.compress(WHOLE.encode())[:-9],
        gzip.compress(WHOLE.encode())[:60],
        gzip.compress(WHOLE.encode()) + b"more",
        b"pg_dump: warning: x\n" + WHOLE.encode(),
        b"--\n-- PostgreSQL database cluster dump\n--\n\n\\connect template1\n",
        b"PGDMP",
    ],
    # gzip writes the time into what it makes; what a test is called must not change with it.
    ids=["empty", "nothing", "trailer", "cut", "more", "noise", "cluster", "archive"],
)
async def test_refuses_files_that_are_no_whole_script(
    content: bytes, tmp_path: Path, report: Report
) -> None:
    path = tmp_path / "db.sql.gz"
    path.write_bytes(content)
    with pytest.raises(VerificationFailed):
        await script.read_whole(path, report)
