"""Schemas at random: every object hangs on some of those before it."""

from __future__ import annotations

import random
from collections.abc import Callable

Draw = Callable[["Schema", str], str]


class Schema:
    """Statements, some of which PostgreSQL may refuse; and what they make."""

    def __init__(self, seed: int, size: int = 60) -> None:
        self.random = random.Random(seed)
        self.statements: list[str] = []
        self.tables: list[str] = []
        self.relations: list[str] = []
        self.functions = ["now()"]
        for number in range(3):
            name = f"base_{number}"
            self.statements.append(f"CREATE TABLE {name} (a text UNIQUE, b text, c text)")
            self.tables.append(name)
            self.relations.append(name)
        for number in range(size):
            self.statements.append(self.random.choice(KINDS)(self, f"x{number}"))

    @property
    def table(self) -> str:
        """A table."""
        return self.random.choice(self.tables)

    @property
    def relation(self) -> str:
        """A table or a view, rather an early one."""
        return self.random.choice(self.relations)

    @property
    def column(self) -> str:
        """A column that each of them has."""
        return self.random.choice("abc")

    @property
    def call(self) -> str:
        """An expression that calls a function."""
        return f"{self.random.choice(self.functions)}::text"

    def relating(self, name: str, statement: str) -> str:
        """Have later ones read it."""
        self.relations.append(name)
        return statement

    def as_table(self, name: str, statement: str) -> str:
        """Have later ones alter it as well."""
        self.tables.append(name)
        return self.relating(name, statement)

    def calling(self, name: str, statement: str) -> str:
        """Have later ones call it."""
        self.functions.append(name)
        return statement


def _select(s: Schema) -> str:
    one, other = s.relation, s.relation
    what = s.random.choice(
        [
            f"SELECT r.{s.column} AS a, r.{s.column} AS b, o.{s.column} AS c",
            f"SELECT {s.call} AS a, max(r.{s.column}) AS b, max(o.{s.column}) AS c",
            f"SELECT 'x'::text AS a, to_json(r)::text AS b, o.{s.column} AS c",
        ]
    )
    return f"{what} FROM {one} r, {other} o"


def _body(s: Schema) -> str:
    return f"BEGIN ATOMIC SELECT max({s.column}) || {s.call} FROM {s.relation}; END"


KINDS: list[Draw] = [
    lambda s, n: s.relating(n, f"CREATE VIEW {n} AS {_select(s)}"),
    lambda s, n: s.relating(n, f"CREATE VIEW {n} AS SELECT * FROM {s.relation}"),
    lambda s, n: s.relating(n, f"CREATE MATERIALIZED VIEW {n} AS {_select(s)} WITH NO DATA"),
    lambda s, n: s.calling(
        f"{n}()", f"CREATE FUNCTION {n}() RETURNS text LANGUAGE sql IMMUTABLE {_body(s)}"
    ),
    lambda s, n: s.calling(
        f"{n}()",
        f"CREATE FUNCTION {n}(r {s.relation} DEFAULT NULL) RETURNS text LANGUAGE sql IMMUTABLE"
        " AS 'SELECT NULL::text'",
    ),
    lambda s, n: f"CREATE PROCEDURE {n}() LANGUAGE sql {_body(s)}",
    lambda s, n: s.as_table(n, f"CREATE TABLE {n} (a text DEFAULT {s.call}, b text, c text)"),
    lambda s, n: s.as_table(n, f"CREATE TABLE {n} (a text, b {s.relation}, c text)"),
    lambda s, n: s.as_table(
        n, f"CREATE TABLE {n} (a text, b text, c text) PARTITION BY LIST ({s.column})"
    ),
    lambda s, n: s.as_table(n, f"CREATE TABLE {n} PARTITION OF {s.table} FOR VALUES IN ('{n}')"),
    lambda s, n: s.as_table(n, f"CREATE TABLE {n} (own text) INHERITS ({s.table})"),
    lambda s, n: s.as_table(n, f"CREATE TABLE {n} () INHERITS ({s.table}, {s.table})"),
    lambda s, n: s.as_table(
        n,
        f"CREATE TABLE {n} (a serial, b text, c text GENERATED ALWAYS AS (b || 'x') STORED)",
    ),
    lambda s, n: (
        f"ALTER TABLE {s.table} ADD {n} text GENERATED ALWAYS AS ({s.column} || 'x') STORED"
    ),
    lambda s, n: f"ALTER TABLE {s.table} ADD {n} text DEFAULT {s.call}",
    lambda s, n: f"ALTER TABLE {s.table} ADD CHECK ({s.column} <> {s.column}), ADD CHECK (a <> '')",
    lambda s, n: f"ALTER TABLE {s.table} ADD CHECK ({s.column} <> {s.call})",
    lambda s, n: f"ALTER TABLE {s.table} ADD UNIQUE ({s.column})",
    lambda s, n: f"ALTER TABLE {s.table} ADD PRIMARY KEY ({s.column})",
    lambda s, n: f"ALTER TABLE {s.table} ADD FOREIGN KEY ({s.column}) REFERENCES {s.table} (a)",
    lambda s, n: f"ALTER TABLE {s.table} ALTER {s.column} SET NOT NULL",
    lambda s, n: f"CREATE INDEX {n} ON {s.relation} ({s.column}, ({s.column} || 'x'))",
    lambda s, n: f"CREATE INDEX {n} ON {s.table} ({s.column}) WHERE {s.column} <> 'x'",
    lambda s, n: f"CREATE STATISTICS {n} ON {s.column}, (lower({s.column})) FROM {s.relation}",
    lambda s, n: (
        f"CREATE POLICY {n} ON {s.table} USING (EXISTS (SELECT FROM {s.relation} o"
        f" WHERE o.{s.column} = {s.column}))"
    ),
    lambda s, n: (
        f"CREATE TRIGGER {n} AFTER UPDATE OF {s.column} ON {s.table}"
        " FOR EACH ROW EXECUTE FUNCTION noted()"
    ),
    lambda s, n: (
        f"CREATE TRIGGER {n} AFTER UPDATE ON {s.table} FOR EACH ROW"
        f" WHEN (NEW.{s.column} <> '') EXECUTE FUNCTION noted()"
    ),
    lambda s, n: (
        f"CREATE TRIGGER {n} INSTEAD OF INSERT ON {s.relation}"
        " FOR EACH ROW EXECUTE FUNCTION noted()"
    ),
    lambda s, n: (
        f"CREATE RULE {n} AS ON DELETE TO {s.table} DO ALSO"
        f" UPDATE {s.table} SET {s.column} = OLD.{s.column}"
    ),
    lambda s, n: f"CREATE DOMAIN {n} AS text CHECK (VALUE <> {s.call})",
    lambda s, n: f"CREATE PUBLICATION {n} FOR TABLE {s.table} ({s.column}, {s.column})",
    lambda s, n: f"CREATE PUBLICATION {n} FOR TABLE {s.table} WHERE ({s.column} <> '')",
]
NOTED = "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
