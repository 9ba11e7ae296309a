"""One change of an object of each kind, and the account's lines that have to name it.

They are made in the database of `tests/cases/postgres/many-kinds.sql` and of `MORE`.
"""

from __future__ import annotations

MORE = """
CREATE SEQUENCE counted;
CREATE TABLE empty (id int, of_both int, CONSTRAINT positive CHECK (id > 0));
CREATE TABLE inherited () INHERITS (empty);
CREATE TABLE typed OF pair;
CREATE VIEW plain_view AS SELECT id FROM auth_user;
CREATE FUNCTION doubled(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';
CREATE FUNCTION as_text(pair) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ($1).b';
CREATE CAST (pair AS text) WITH FUNCTION as_text(pair) AS ASSIGNMENT;
CREATE TYPE span AS RANGE (subtype = int4);
CREATE OPERATOR FAMILY whole USING btree;
CREATE OPERATOR CLASS whole_ops FOR TYPE int4 USING btree FAMILY whole AS
    OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 btint4cmp(int4, int4);
CREATE TEXT SEARCH DICTIONARY words (TEMPLATE = simple);
CREATE TEXT SEARCH PARSER plain (
    START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype
);
CREATE TEXT SEARCH TEMPLATE same (LEXIZE = dsimple_lexize, INIT = dsimple_init);
CREATE CONVERSION to_utf8 FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE FOREIGN DATA WRAPPER elsewhere;
CREATE SERVER remote FOREIGN DATA WRAPPER elsewhere OPTIONS (host 'a');
CREATE USER MAPPING FOR deploy SERVER remote OPTIONS (user_name 'a');
CREATE FOREIGN TABLE far_away (id int) SERVER remote;
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watched ON ddl_command_end EXECUTE FUNCTION watch();
ALTER EVENT TRIGGER watched DISABLE;
CREATE TRANSFORM FOR int4 LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal));
COMMENT ON FUNCTION doubled(int) IS 'twice';
CREATE TABLE indexed (id int, a int, b int);
CREATE INDEX indexed_a ON indexed (a);
CREATE TABLE closed (id int);
ALTER TABLE closed ENABLE ROW LEVEL SECURITY;
CREATE POLICY none ON closed USING (false);
CREATE TABLE unique_one (id int CONSTRAINT only_once UNIQUE);
CREATE TABLE watching (id int);
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touching BEFORE INSERT ON watching FOR EACH ROW EXECUTE FUNCTION touched();
CREATE TABLE defaulted (id int DEFAULT 1, at timestamptz DEFAULT now());
CREATE TABLE hashed (id int) PARTITION BY HASH (id);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE stored (id int, t text);
CREATE TABLE many (id int, a int, b int);
CREATE STATISTICS many_st (ndistinct) ON a, b FROM many;
CREATE DOMAIN short AS varchar(3);
CREATE COLLATION own (provider = builtin, locale = 'C.UTF-8');
CREATE PROCEDURE run_it() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE summed(int) (SFUNC = int4pl, STYPE = int);
CREATE SCHEMA to_go;
CREATE SCHEMA owned;
CREATE PUBLICATION other FOR TABLE many;
CREATE TABLE referring (id int, of_user int CONSTRAINT a_user REFERENCES auth_user);
CREATE MATERIALIZED VIEW counted_view AS SELECT 1 AS one;
CREATE TABLE ruled (id int);
CREATE RULE ruling AS ON UPDATE TO ruled DO INSTEAD NOTHING;
CREATE TABLE identified (id int GENERATED ALWAYS AS IDENTITY);
CREATE TABLE tired (id int) WITH (fillfactor = 80);
CREATE TABLE worded (
    state varchar(9) CHECK (state IN ('open', 'it''s, in')), code char(2) CHECK (code IN ('a', 'b'))
);
CREATE UNIQUE INDEX worded_open ON worded (code) WHERE state IN ('open', 'new');
CREATE VIEW worded_view AS SELECT code FROM worded WHERE state NOT IN ('open', 'done');
CREATE SEQUENCE of_many OWNED BY many.id;
CREATE TABLE handed (id int PRIMARY KEY);
CREATE TABLE shown (id int);
GRANT SELECT ON shown TO app_rw;
"""

CHANGES = {
    # The database itself
    "ALTER DATABASE harbour CONNECTION LIMIT 56": "DATABASE PROPERTIES: another definition",
    "REVOKE CREATE ON DATABASE harbour FROM app_rw": "ACL DATABASE: another definition",
    "COMMENT ON DATABASE harbour IS NULL": "COMMENT DATABASE: is not there",
    # Schemas, and what hangs on them
    "DROP SCHEMA to_go": "SCHEMA to_go: is not there",
    "ALTER SCHEMA owned OWNER TO app_rw": "SCHEMA owned: another owner",
    "COMMENT ON SCHEMA public IS 'another'": "COMMENT SCHEMA public: another definition",
    'REVOKE USAGE ON SCHEMA "Häfen" FROM "Lese Zugriff ü"': 'ACL SCHEMA "Häfen": is not there',
    "CREATE SCHEMA more": "SCHEMA more: is new",
    # Tables
    "ALTER TABLE empty DROP of_both": "TABLE public empty: another definition",
    "ALTER TABLE child ALTER note SET STATISTICS 400": "TABLE public child: another definition",
    "ALTER TABLE inherited NO INHERIT empty": "TABLE public inherited: another definition",
    "DROP TABLE typed": "TABLE public typed: is not there",
    "ALTER TABLE tired SET (fillfactor = 90)": "TABLE public tired: another definition",
    "ALTER TABLE cachetable SET LOGGED": "TABLE public cachetable: another definition",
    "ALTER TABLE stored ALTER t SET STORAGE EXTERNAL": "TABLE public stored: another definition",
    "ALTER TABLE handed OWNER TO app_rw": "TABLE public handed: another owner",
    "ALTER TABLE hashed DETACH PARTITION hashed_0": "TABLE ATTACH public hashed_0: is not there",
    "GRANT INSERT ON shown TO app_rw": "ACL public TABLE shown: another definition",
    'REVOKE UPDATE (last_login) ON auth_user FROM "Lese Zugriff ü"': (
        "ACL public COLUMN auth_user.last_login: is not there"
    ),
    '''COMMENT ON COLUMN "Häfen"."Kai ""7"""."Länge" IS NULL''': (
        'COMMENT Häfen COLUMN "Kai ""7"""."Länge": is not there'
    ),
    "ALTER TABLE defaulted ALTER id SET DEFAULT 2": "TABLE public defaulted: another definition",
    "ALTER TABLE wagtailcore_page ALTER id DROP DEFAULT": (
        "DEFAULT public wagtailcore_page id: is not there"
    ),
    # Constraints, indexes, triggers, rules, policies, statistics
    "ALTER TABLE unique_one DROP CONSTRAINT only_once": (
        "CONSTRAINT public unique_one only_once: is not there"
    ),
    "ALTER TABLE referring DROP CONSTRAINT a_user": (
        "FK CONSTRAINT public referring a_user: is not there"
    ),
    "ALTER TABLE wagtailcore_page SET WITHOUT CLUSTER": (
        "CONSTRAINT public wagtailcore_page wagtailcore_page_pkey: another definition"
    ),
    "DROP INDEX indexed_a": "INDEX public indexed_a: is not there",
    "CREATE INDEX indexed_b ON indexed (b)": "INDEX public indexed_b: is new",
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'child_u'::regclass": (
        "INDEX public child_u: is not there\nINVALID INDEX public child_u: is new"
    ),
    "ALTER TABLE watching DISABLE TRIGGER touching": (
        "TRIGGER public watching touching: another definition"
    ),
    "ALTER EVENT TRIGGER watched ENABLE": "EVENT TRIGGER watched: another definition",
    "DROP RULE ruling ON ruled": "RULE public ruled ruling: is not there",
    "ALTER TABLE closed DISABLE ROW LEVEL SECURITY": "ROW SECURITY public closed: is not there",
    "ALTER POLICY none ON closed USING (true)": "POLICY public closed none: another definition",
    "ALTER STATISTICS many_st SET STATISTICS 50": "STATISTICS public many_st: another definition",
    # Views
    "CREATE OR REPLACE VIEW plain_view AS SELECT id + 0 AS id FROM auth_user": (
        "VIEW public plain_view: another definition"
    ),
    "ALTER VIEW live_pages RESET (security_barrier)": "VIEW public live_pages: another definition",
    "REFRESH MATERIALIZED VIEW empty_mv": "MATERIALIZED VIEW DATA public empty_mv: another "
    "definition",
    "ALTER MATERIALIZED VIEW counted_view OWNER TO app_rw": (
        "MATERIALIZED VIEW public counted_view: another owner"
    ),
    # Sequences
    "ALTER SEQUENCE counted INCREMENT 5": "SEQUENCE public counted: another definition",
    "ALTER SEQUENCE of_many OWNED BY NONE": "SEQUENCE OWNED BY public of_many: is not there",
    "ALTER TABLE identified ALTER id SET INCREMENT 3": (
        "SEQUENCE public identified_id_seq: another definition"
    ),
    'REVOKE USAGE ON SEQUENCE loose FROM "Lese Zugriff ü"': (
        "ACL public SEQUENCE loose: is not there"
    ),
    # Functions and what is made of them
    "ALTER FUNCTION doubled(int) STRICT": "FUNCTION public doubled(integer): another definition",
    "COMMENT ON FUNCTION doubled(int) IS 'double'": (
        "COMMENT public FUNCTION doubled(integer): another definition"
    ),
    "GRANT EXECUTE ON FUNCTION is_even(int) TO app_rw": (
        "ACL public FUNCTION is_even(i integer): another definition"
    ),
    "ALTER PROCEDURE run_it() SECURITY DEFINER": "PROCEDURE public run_it(): another definition",
    "DROP AGGREGATE summed(int)": "AGGREGATE public summed(integer): is not there",
    "DROP CAST (pair AS text)": "CAST CAST (public.pair AS text): is not there",
    "ALTER OPERATOR === (int, int) OWNER TO deploy": "OPERATOR public ===: another owner",
    "ALTER OPERATOR CLASS whole_ops USING btree OWNER TO app_rw": (
        "OPERATOR CLASS public whole_ops: another owner"
    ),
    "ALTER OPERATOR FAMILY whole USING btree OWNER TO app_rw": (
        "OPERATOR FAMILY public whole: another owner"
    ),
    "DROP TRANSFORM FOR int4 LANGUAGE sql": "TRANSFORM TRANSFORM FOR integer LANGUAGE sql: is not "
    "there",
    # Types
    "ALTER TYPE mood ADD VALUE 'so so'": "TYPE public mood: another definition",
    "ALTER TYPE span OWNER TO app_rw": "TYPE public span: another owner",
    "ALTER DOMAIN short SET NOT NULL": "DOMAIN public short: another definition",
    # Text search, collations, conversions
    "ALTER TEXT SEARCH CONFIGURATION hafen_de DROP MAPPING FOR word": (
        "TEXT SEARCH CONFIGURATION public hafen_de: another definition"
    ),
    "ALTER TEXT SEARCH DICTIONARY words (StopWords = english)": (
        "TEXT SEARCH DICTIONARY public words: another definition"
    ),
    "DROP TEXT SEARCH PARSER plain": "TEXT SEARCH PARSER public plain: is not there",
    "DROP TEXT SEARCH TEMPLATE same": "TEXT SEARCH TEMPLATE public same: is not there",
    "ALTER COLLATION own OWNER TO app_rw": "COLLATION public own: another owner",
    "DROP CONVERSION to_utf8": "CONVERSION public to_utf8: is not there",
    # Elsewhere
    "ALTER FOREIGN DATA WRAPPER elsewhere OPTIONS (ADD a 'b')": (
        "FOREIGN DATA WRAPPER elsewhere: another definition"
    ),
    "ALTER SERVER remote OPTIONS (SET host 'b')": "SERVER remote: another definition",
    "ALTER USER MAPPING FOR deploy SERVER remote OPTIONS (SET user_name 'b')": (
        "USER MAPPING USER MAPPING deploy SERVER remote: another definition"
    ),
    "ALTER FOREIGN TABLE far_away OPTIONS (ADD a 'b')": (
        "FOREIGN TABLE public far_away: another definition"
    ),
    "ALTER PUBLICATION pub SET (publish = 'insert')": "PUBLICATION pub: another definition",
    "ALTER PUBLICATION other DROP TABLE many": "PUBLICATION TABLE public other many: is not there",
    # Large objects, default privileges
    "SELECT lo_unlink(4711)": "LARGE OBJECT 4711: is not there",
    "GRANT SELECT ON LARGE OBJECT 4712 TO deploy": "LARGE OBJECT 4712: another definition",
    'ALTER DEFAULT PRIVILEGES FOR ROLE deploy REVOKE SELECT ON TABLES FROM "Lese Zugriff ü"': (
        "DEFAULT ACL DEFAULT PRIVILEGES FOR TABLES: is not there"
    ),
}
