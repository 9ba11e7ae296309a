"""What each object is called, how it is made, whose it is, and who may use it.

A query for each of the catalog's classes; the columns are those of `Description`. Names in
definitions have their schema while search_path is pinned to pg_catalog.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from wizard.postgres.dependants.walk import Thing

# The grants that are not the owner's usual ones, and the usual ones that were taken away.
PRIVILEGES: LiteralString = """
    ARRAY(SELECT p.privilege_type || {of} || CASE WHEN p.given THEN ' granted to '
                                                  ELSE ' revoked from ' END
                 || CASE p.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(p.grantee)::text END
                 || CASE WHEN p.given AND p.is_grantable THEN ' with grant option' ELSE '' END
          FROM ((SELECT privilege_type, grantee, is_grantable, true FROM aclexplode({acl})
                 EXCEPT SELECT privilege_type, grantee, is_grantable, true
                 FROM aclexplode({usual}))
                UNION ALL
                (SELECT privilege_type, grantee, is_grantable, false FROM aclexplode({usual})
                 WHERE {acl} IS NOT NULL
                 EXCEPT SELECT privilege_type, grantee, is_grantable, false
                 FROM aclexplode({acl}))) p (privilege_type, grantee, is_grantable, given)
          ORDER BY 1)
"""


def privileges(acl: LiteralString, usual: LiteralString, of: LiteralString = "''") -> LiteralString:
    """Return SQL for an array of privileges in words, where `usual` is what nobody has granted."""
    return PRIVILEGES.replace("{acl}", acl).replace("{usual}", usual).replace("{of}", of)


def _identity(of: LiteralString, oid: LiteralString, sub: LiteralString = "0") -> LiteralString:
    return f"(pg_identify_object('{of}'::regclass, {oid}, {sub})).identity"


COLUMN_PRIVILEGES = privileges("a.attacl", "NULL::aclitem[]", "format(' (%%I)', a.attname)")
RELATION_PRIVILEGES = privileges(
    "c.relacl",
    """acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)""",
)
RELATION = _identity("pg_class", "c.oid")
ON = _identity("pg_class", "t.oid")
PLAIN_INDEX = """
    i.indnatts = 1 AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indoption[0] = 0
    AND NOT i.indisunique AND EXISTS (
        SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
        WHERE o.oid = i.indclass[0] AND (o.opcdefault AND m.amname IN ('btree', 'gist')
            OR o.opcname IN ('varchar_pattern_ops', 'text_pattern_ops')))
"""
RELATIONS: LiteralString = f"""
    SELECT c.oid::bigint, 0,
           CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
               WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'S' THEN 'sequence'
               WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type' ELSE 'table' END,
           {RELATION},
           concat_ws(E';\\n', CASE
               WHEN c.relkind IN ('v', 'm') THEN
                   format(E'CREATE %%s %%s%%s AS\\n%%s', CASE c.relkind WHEN 'v' THEN 'VIEW'
                              ELSE 'MATERIALIZED VIEW' END, {RELATION},
                          ' WITH (' || array_to_string(c.reloptions, ', ') || ')',
                          rtrim(pg_get_viewdef(c.oid), ';'))
               WHEN c.relkind IN ('i', 'I') THEN pg_get_indexdef(c.oid) END,
               CASE WHEN i.indisclustered THEN format('ALTER TABLE %%s CLUSTER ON %%I', {ON},
                                                      c.relname) END,
               CASE WHEN c.relkind IN ('v', 'm') THEN (
                   SELECT string_agg(format('ALTER VIEW %%s ALTER COLUMN %%I SET DEFAULT %%s',
                              {RELATION}, a.attname, pg_get_expr(d.adbin, d.adrelid)), E';\\n'
                              ORDER BY a.attnum)
                   FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid
                       AND d.adnum = a.attnum WHERE a.attrelid = c.oid) END,
               CASE WHEN c.relkind IN ('v', 'm', 'f') THEN (
                   SELECT string_agg(format('COMMENT ON COLUMN %%s.%%I IS %%L', {RELATION},
                              a.attname, col_description(c.oid, a.attnum)), E';\\n'
                              ORDER BY a.attnum)
                   FROM pg_attribute a WHERE a.attrelid = c.oid
                       AND col_description(c.oid, a.attnum) IS NOT NULL) END),
           CASE WHEN c.relkind NOT IN ('i', 'I') THEN pg_get_userbyid(c.relowner)::text ELSE '' END,
           {RELATION_PRIVILEGES} || ARRAY(
               SELECT p FROM pg_attribute a CROSS JOIN LATERAL unnest({COLUMN_PRIVILEGES}) p
               WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL ORDER BY p),
           obj_description(c.oid, 'pg_class'), c.relname::text, i.indrelid::bigint,
           i.indkey::int2[]::int[],
           coalesce({PLAIN_INDEX} OR c.relkind = 'S', false)
    FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
    LEFT JOIN pg_class t ON t.oid = i.indrelid
    JOIN unnest(%(oids)s::oid[], %(subs)s::int[]) o (oid, sub) ON o.oid = c.oid AND o.sub = 0
    WHERE c.relnamespace::regnamespace::text !~ '^pg_toast'
"""
COLUMNS: LiteralString = f"""
    SELECT a.attrelid::bigint, a.attnum::int,
           CASE WHEN a.attgenerated <> '' THEN 'generated column' ELSE 'column' END,
           {_identity("pg_class", "a.attrelid", "a.attnum")},
           format('ALTER TABLE %%s ADD COLUMN %%I %%s%%s', {RELATION}, a.attname,
                  format_type(a.atttypid, a.atttypmod),
                  CASE a.attgenerated WHEN 's' THEN ' GENERATED ALWAYS AS ('
                      || pg_get_expr(d.adbin, d.adrelid) || ') STORED'
                      WHEN 'v' THEN ' GENERATED ALWAYS AS ('
                      || pg_get_expr(d.adbin, d.adrelid) || ') VIRTUAL' ELSE '' END),
           '', {COLUMN_PRIVILEGES}, col_description(a.attrelid, a.attnum), a.attname::text,
           a.attrelid::bigint, ARRAY[a.attnum::int], false
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    JOIN unnest(%(oids)s::oid[], %(subs)s::int[]) o (oid, sub)
        ON o.oid = a.attrelid AND o.sub = a.attnum
"""
FUNCTIONS: LiteralString = f"""
    SELECT p.oid::bigint, 0,
           CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
           {_identity("pg_proc", "p.oid")},
           CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END,
           pg_get_userbyid(p.proowner)::text,
           {privileges("p.proacl", "acldefault('f', p.proowner)")},
           obj_description(p.oid, 'pg_proc'), p.proname::text, NULL::bigint, NULL::int[], false
    FROM pg_proc p WHERE p.oid = ANY(%(oids)s::oid[])
"""
CONSTRAINTS: LiteralString = f"""
    SELECT k.oid::bigint, 0,
           CASE k.contype WHEN 'c' THEN 'check constraint' WHEN 'f' THEN 'foreign key'
               WHEN 'u' THEN 'unique constraint' WHEN 'p' THEN 'primary key'
               WHEN 'x' THEN 'exclusion constraint' WHEN 'n' THEN 'not null'
               ELSE 'constraint' END,
           {_identity("pg_constraint", "k.oid")},
           format('ALTER %%s ADD CONSTRAINT %%I %%s', coalesce('TABLE ' || {ON},
                      'DOMAIN ' || format_type(k.contypid, NULL)),
                  k.conname, pg_get_constraintdef(k.oid)),
           '', ARRAY[]::text[], obj_description(k.oid, 'pg_constraint'), k.conname::text,
           k.conrelid::bigint, k.conkey::int[],
           CASE k.contype WHEN 'n' THEN true WHEN 'p' THEN true
               WHEN 'u' THEN pg_get_constraintdef(k.oid) ~ '^UNIQUE \\([^()]*\\)$'
               WHEN 'f' THEN k.condeferrable AND k.condeferred
               WHEN 'c' THEN array_length(k.conkey, 1) = 1 AND pg_get_constraintdef(k.oid) = (
                   SELECT format('CHECK ((%%I >= 0))', a.attname) FROM pg_attribute a
                   WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1])
               ELSE false END
    FROM pg_constraint k LEFT JOIN pg_class t ON t.oid = k.conrelid
    WHERE k.oid = ANY(%(oids)s::oid[])
"""
POLICIES: LiteralString = f"""
    SELECT p.oid::bigint, 0, 'policy', {_identity("pg_policy", "p.oid")},
           format('CREATE POLICY %%I ON %%s%%s FOR %%s TO %%s%%s%%s', p.polname, {ON},
                  CASE WHEN NOT p.polpermissive THEN ' AS RESTRICTIVE' ELSE '' END,
                  CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                      WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                  (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC'
                       ELSE quote_ident(pg_get_userbyid(r)) END, ', ')
                   FROM unnest(p.polroles) r),
                  ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
                  ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'),
           '', ARRAY[]::text[], obj_description(p.oid, 'pg_policy'), p.polname::text,
           p.polrelid::bigint, NULL::int[], false
    FROM pg_policy p JOIN pg_class t ON t.oid = p.polrelid WHERE p.oid = ANY(%(oids)s::oid[])
"""
STATISTICS: LiteralString = f"""
    SELECT s.oid::bigint, 0, 'statistics', {_identity("pg_statistic_ext", "s.oid")},
           pg_get_statisticsobjdef(s.oid), pg_get_userbyid(s.stxowner)::text, ARRAY[]::text[],
           obj_description(s.oid, 'pg_statistic_ext'), s.stxname::text, s.stxrelid::bigint,
           s.stxkeys::int2[]::int[], false
    FROM pg_statistic_ext s WHERE s.oid = ANY(%(oids)s::oid[])
"""
TRIGGERS: LiteralString = f"""
    SELECT g.oid::bigint, 0, 'trigger', {_identity("pg_trigger", "g.oid")},
           pg_get_triggerdef(g.oid) || CASE g.tgenabled WHEN 'O' THEN ''
               ELSE format(E';\\nALTER TABLE %%s %%s TRIGGER %%I', {ON},
                           CASE g.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA'
                               ELSE 'ENABLE ALWAYS' END, g.tgname) END,
           '', ARRAY[]::text[], obj_description(g.oid, 'pg_trigger'), g.tgname::text,
           g.tgrelid::bigint, g.tgattr::int2[]::int[], false
    FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid WHERE g.oid = ANY(%(oids)s::oid[])
"""
DEFAULTS: LiteralString = f"""
    SELECT d.oid::bigint, 0, 'default', {_identity("pg_class", "d.adrelid", "d.adnum")},
           format('ALTER TABLE %%s ALTER COLUMN %%I SET DEFAULT %%s', {ON}, a.attname,
                  pg_get_expr(d.adbin, d.adrelid)),
           '', ARRAY[]::text[], NULL, a.attname::text, d.adrelid::bigint, ARRAY[d.adnum::int],
           pg_get_expr(d.adbin, d.adrelid) ~ '^nextval\\('
    FROM pg_attrdef d JOIN pg_class t ON t.oid = d.adrelid
    JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE d.oid = ANY(%(oids)s::oid[])
"""
RULES: LiteralString = f"""
    SELECT r.oid::bigint, 0, 'rule', {_identity("pg_rewrite", "r.oid")},
           rtrim(pg_get_ruledef(r.oid), ';') || CASE r.ev_enabled WHEN 'O' THEN ''
               ELSE format(E';\\nALTER TABLE %%s %%s RULE %%I', {ON},
                           CASE r.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA'
                               ELSE 'ENABLE ALWAYS' END, r.rulename) END,
           '', ARRAY[]::text[],
           obj_description(r.oid, 'pg_rewrite'), r.rulename::text, r.ev_class::bigint, NULL::int[],
           false
    FROM pg_rewrite r JOIN pg_class t ON t.oid = r.ev_class WHERE r.oid = ANY(%(oids)s::oid[])
"""
PUBLICATION: LiteralString = f"""
    SELECT r.oid::bigint, 0,
           CASE WHEN {{listed}} THEN 'publication column list'
                WHEN {{filtered}} THEN 'publication row filter' ELSE 'publication' END,
           {_identity("pg_publication_rel", "r.oid")},
           format('ALTER PUBLICATION %%I ADD TABLE %%s%%s', p.pubname, {ON}, {{detail}}),
           pg_get_userbyid(p.pubowner)::text, ARRAY[]::text[],
           NULL, p.pubname::text, r.prrelid::bigint, NULL::int[], false
    FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
    JOIN pg_class t ON t.oid = r.prrelid WHERE r.oid = ANY(%(oids)s::oid[])
"""
PUBLICATION_DETAIL: LiteralString = """concat(
    ' (' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname) FROM pg_attribute a
             WHERE a.attrelid = r.prrelid AND a.attnum = ANY(r.prattrs::int2[])) || ')',
    ' WHERE (' || pg_get_expr(r.prqual, r.prrelid) || ')')
"""
ANYTHING: LiteralString = """
    SELECT o.oid::bigint, o.sub, i.type, i.identity, '', '', ARRAY[]::text[],
           obj_description(o.oid, %(of)s::text::name), coalesce(i.name, ''), NULL::bigint,
           NULL::int[], false
    FROM unnest(%(oids)s::oid[], %(subs)s::int[]) o (oid, sub),
         pg_identify_object(%(of)s::text::regclass, o.oid, o.sub) i
"""
QUERIES: dict[str, list[LiteralString]] = {
    "pg_class": [RELATIONS, COLUMNS],
    "pg_proc": [FUNCTIONS],
    "pg_constraint": [CONSTRAINTS],
    "pg_policy": [POLICIES],
    "pg_statistic_ext": [STATISTICS],
    "pg_trigger": [TRIGGERS],
    "pg_attrdef": [DEFAULTS],
    "pg_rewrite": [RULES],
}


@dataclass(frozen=True)
class Description:
    """An object as the catalog has it. `table` and `keys` are the table it is on, and the columns
    there by number (0 for an expression); `plain` is one that Django would make like this."""

    kind: str
    identity: str
    definition: str
    owner: str
    privileges: tuple[str, ...]
    comment: str
    name: str
    table: int
    keys: tuple[int, ...]
    plain: bool


async def describe(
    connection: psycopg.AsyncConnection[Any], things: Sequence[Thing]
) -> dict[Thing, Description]:
    """Return what each of these objects is."""
    by_class: dict[str, list[Thing]] = defaultdict(list)
    for thing in things:
        by_class[thing.of].append(thing)
    described = {}
    for of, some in by_class.items():
        given = {"of": of, "oids": [each.oid for each in some], "subs": [each.sub for each in some]}
        for query in _queries(of, connection.info.server_version // 10_000):
            for oid, sub, *row in await (await connection.execute(query, given)).fetchall():
                described[Thing(of, oid, sub)] = _description(row)
    return described


def _queries(of: str, major: int) -> list[LiteralString]:
    if of != "pg_publication_rel":
        return QUERIES.get(of, [ANYTHING])
    listed: LiteralString = "r.prattrs IS NOT NULL" if major >= 15 else "false"
    filtered: LiteralString = "r.prqual IS NOT NULL" if major >= 15 else "false"
    detail: LiteralString = PUBLICATION_DETAIL if major >= 15 else "''"
    query: LiteralString = (
        PUBLICATION.replace("{listed}", listed)
        .replace("{filtered}", filtered)
        .replace("{detail}", detail)
    )
    return [query]


def _description(row: Sequence[Any]) -> Description:
    kind, identity, definition, owner, granted, comment, name, table, keys, plain = row
    return Description(
        kind,
        identity,
        definition or "",
        owner or "",
        tuple(granted),
        comment or "",
        name,
        table or 0,
        tuple(keys or ()),
        plain,
    )
