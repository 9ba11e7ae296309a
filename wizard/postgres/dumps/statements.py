r"""What a script may say: the statements that pg_dump 14 to 18 writes, and no others.

A list of what is refused can be got round by another spelling: set_config(...), a DO block, a
comment between two words. So each statement has to look as pg_dump writes it, letter for letter
where it acts at once, and by the kind of object where it defines one (src/bin/pg_dump/pg_dump.c,
pg_backup_archiver.c). The server gets each as one statement (see `loader`), so that none can
bring a second one along. What a function of the dump may do while it loads is seen by its effect.
"""

from __future__ import annotations

import re
from typing import Literal

Fate = Literal["sent", "left out", "refused"]

BRACKET = re.compile(rb"(?:BEGIN|COMMIT);")  # pg_dump's own, around large objects
NOT_OURS = re.compile(
    rb"""
      GRANT\s | REVOKE\s | ALTER\ DEFAULT\ PRIVILEGES\s
    | ALTER\ .*\ OWNER\ TO\ (?:"[^"]+"|[^\s";]+);\Z
    | COMMENT\ ON\ (?:EXTENSION|SCHEMA\ public)\s
    | (?:CREATE|ALTER)\ (?:PUBLICATION|SUBSCRIPTION)\s
    """,
    re.VERBOSE | re.DOTALL,
)
"""Owners, grants and replication, which a restored copy does without."""
SETTINGS = frozenset(
    (
        b"statement_timeout",
        b"lock_timeout",
        b"idle_in_transaction_session_timeout",
        b"transaction_timeout",
        b"client_encoding",
        b"standard_conforming_strings",
        b"check_function_bodies",
        b"xmloption",
        b"client_min_messages",
        b"row_security",
        b"escape_string_warning",
        b"default_tablespace",
        b"default_table_access_method",
        b"default_with_oids",
        b"search_path",  # by set_config, and only to ''
    )
)

_NAME = rb'(?:"(?:[^"]|"")+"|[A-Za-z_\x80-\xff][\w$\x80-\xff]*)'
_QUALIFIED = rb"%b(?:\.%b)?" % (_NAME, _NAME)
_COLUMNS = rb"\(%b(?:,\ %b)*\)" % (_NAME, _NAME)
_TEXT = rb"(?:[Ee]'(?:[^'\\]|\\.|'')*+'|[BbXx]?'(?:[^']|'')*+')"
_VALUE = rb"(?:NULL|DEFAULT|true|false|[-+]?[0-9][0-9.eE+-]*+|%b)" % _TEXT
_ARGUMENT = rb"%b(?:::[a-z ]+(?:\[\])?)?" % _VALUE

SETTING = re.compile(rb"SET (\w+) = (?:'([^']*)'|\"[^\"]*\"|(\w+));")
COPY = re.compile(rb"COPY %b (?:%b)? ?FROM stdin;" % (_QUALIFIED, _COLUMNS))

_KINDS = rb"""
    (?: ACCESS\ METHOD | AGGREGATE | CAST | COLLATION | COLUMN | CONSTRAINT
      | (?:DEFAULT\ )?CONVERSION | DOMAIN
      | EVENT\ TRIGGER | EXTENSION | FOREIGN\ DATA\ WRAPPER | FOREIGN\ TABLE | FUNCTION
      | (?:UNIQUE\ )?INDEX | (?:TRUSTED\ )?(?:PROCEDURAL\ )?LANGUAGE | LARGE\ OBJECT
      | MATERIALIZED\ VIEW | OPERATOR(?:\ CLASS|\ FAMILY)? | POLICY | PROCEDURE | PUBLICATION
      | ROUTINE | RULE | SCHEMA | (?:UNLOGGED\ )?SEQUENCE | SERVER | STATISTICS | SUBSCRIPTION
      | (?:UNLOGGED\ )?TABLE | TEXT\ SEARCH\ (?:CONFIGURATION|DICTIONARY|PARSER|TEMPLATE)
      | TRANSFORM | (?:CONSTRAINT\ )?TRIGGER | TYPE | USER\ MAPPING | VIEW )\s
"""
DEFINITION = re.compile(
    rb"""
      (?: CREATE\ (?:OR\ REPLACE\ )? | ALTER\  | DROP\  | COMMENT\ ON\  ) %b
    | SECURITY\ LABEL\ FOR\ %b\ ON\ %b
    | REFRESH\ MATERIALIZED\ VIEW\ %b;\Z
    """
    % (_KINDS, _NAME, _KINDS, _QUALIFIED),
    re.VERBOSE,
)
ACT = re.compile(
    rb"""
      SELECT\ pg_catalog\.
        (?: set_config\('search_path',\ '',\ false\)
          | setval\(%b,\ -?\d+,\ (?:true|false)\)
          | lo_create\('?\d+'?\) | lo_open\('?\d+'?,\ \d+\) | lo_close\(\d+\) | lo_unlink\('?\d+'?\)
          | lowrite\(\d+,\ %b\) );
    | SELECT\ pg_catalog\.lo_unlink\(oid\)\ FROM\ pg_catalog\.pg_largeobject_metadata
      \ WHERE\ oid\ =\ '?\d+'?;
    | SELECT\ \*\ FROM\ pg_catalog\.pg_(?:restore|clear)_(?:relation|attribute|extended)_stats\(
      \s*%b(?:,\s*%b)*\s*\);
    | INSERT\ INTO\ %b(?:\ %b)?(?:\ OVERRIDING\ SYSTEM\ VALUE)?
      (?: \ DEFAULT\ VALUES | \ VALUES\s*\(%b(?:,\ ?%b)*+\)(?:,\s*\(%b(?:,\ ?%b)*+\))*+ )
      (?:\ ON\ CONFLICT\ DO\ NOTHING)?;
    """
    % (
        *(_TEXT, _TEXT, _ARGUMENT, _ARGUMENT, _QUALIFIED, _COLUMNS),
        *(_VALUE, _VALUE, _VALUE, _VALUE),
    ),
    re.VERBOSE | re.DOTALL,
)


def fate(statement: bytes) -> Fate:
    """Return what becomes of a statement, which ends with its semicolon."""
    if BRACKET.fullmatch(statement) or NOT_OURS.match(statement):
        return "left out"
    if setting := SETTING.fullmatch(statement):
        known = setting[1] in SETTINGS - {b"search_path"}
        escapes = setting[1] == b"standard_conforming_strings" and setting[3] != b"on"
        return "sent" if known and not escapes else "refused"
    return "sent" if DEFINITION.match(statement) or ACT.fullmatch(statement) else "refused"
