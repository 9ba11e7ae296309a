"""A database with an object of every kind that an ordinary role may make."""

EVERY_KIND = r"""
    CREATE SCHEMA "Odd; schema";
    CREATE TYPE mood AS ENUM ('so', 'it''s', E'back\\slash');
    CREATE TYPE pair AS (a int, b text);
    CREATE TYPE span AS RANGE (subtype = numeric);
    CREATE DOMAIN short AS varchar(9) DEFAULT 'x' CONSTRAINT few CHECK (length(VALUE) < 9);
    CREATE COLLATION plain FROM "C";
    CREATE SEQUENCE counted START 7 OWNED BY NONE;
    SELECT setval('counted', 41, false);
    CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE RETURN $1 * 2;
    CREATE FUNCTION body(a int) RETURNS int LANGUAGE sql
        BEGIN ATOMIC SELECT CASE WHEN a > 0 THEN 1 ELSE 2 END; SELECT a + 1; END;
    CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RETURN NEW; END$$;
    CREATE PROCEDURE doing() LANGUAGE plpgsql AS $$BEGIN PERFORM 1; COMMIT; END$$;
    CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int);
    CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
    CREATE CONVERSION conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
    CREATE CAST (pair AS mood) WITH INOUT;
    CREATE TEXT SEARCH DICTIONARY dict (TEMPLATE = simple);
    CREATE TEXT SEARCH CONFIGURATION conf (COPY = simple);
    ALTER TEXT SEARCH CONFIGURATION conf ALTER MAPPING FOR asciiword WITH dict;
    CREATE TABLE page (
        id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text NOT NULL DEFAULT E'a\n;b',
        mood mood, two pair, real float8, big numeric, yes boolean, bits bit(3), raw bytea,
        "odd; ""name" text COLLATE plain, made int GENERATED ALWAYS AS (twice(7)) STORED,
        CONSTRAINT known CHECK (title <> '')
    );
    INSERT INTO page (title, mood, two, real, big, yes, bits, raw, "odd; ""name") VALUES
        ('it''s; \ $$ -- /* ', 'so', '(1,"x")', 'NaN', 1e30, true, B'101', '\x00ff', NULL),
        (E'two\nlines\t\\.', NULL, NULL, -1.5e-7, -3, false, NULL, NULL, ''),
        ('\.', 'it''s', NULL, '-Infinity', 'NaN', NULL, B'000', '', E'\r\n');
    CREATE TABLE empty ();
    CREATE UNLOGGED TABLE "Odd; schema"."Table; $$" (id int);
    CREATE TABLE parted (id int, at date) PARTITION BY RANGE (id);
    CREATE TABLE part PARTITION OF parted FOR VALUES FROM (1) TO (10);
    CREATE INDEX parted_at ON parted (at);
    INSERT INTO parted VALUES (1, '2026-11-28');
    CREATE TABLE child (page int REFERENCES page DEFERRABLE INITIALLY DEFERRED) INHERITS (empty);
    CREATE UNIQUE INDEX page_title ON page (lower(title)) WHERE id > 0;
    ALTER TABLE page CLUSTER ON page_pkey;
    ALTER TABLE page ALTER title SET STATISTICS 50, ALTER title SET STORAGE EXTERNAL;
    ALTER TABLE page REPLICA IDENTITY FULL;
    CREATE STATISTICS stats ON mood, yes FROM page;
    CREATE VIEW view AS SELECT id, title FROM page WHERE title <> ';';
    ALTER VIEW view ALTER COLUMN title SET DEFAULT 'x';
    CREATE RULE ruled AS ON INSERT TO view DO INSTEAD
        (SELECT 1; INSERT INTO child (page) VALUES (NULL));
    CREATE MATERIALIZED VIEW kept AS SELECT count(*) AS many FROM page;
    CREATE TRIGGER touching BEFORE UPDATE ON page FOR EACH ROW EXECUTE FUNCTION touched();
    CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON page DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION touched();
    ALTER TABLE page DISABLE TRIGGER touching;
    ALTER TABLE page ENABLE ROW LEVEL SECURITY;
    CREATE POLICY mine ON page FOR SELECT USING (title <> 'COMMIT;');
    COMMENT ON TABLE page IS E'it''s; a\\b';
    COMMENT ON COLUMN page.title IS 'x';
    COMMENT ON CONSTRAINT known ON page IS 'x';
    COMMENT ON FUNCTION twice(int) IS 'x';
    COMMENT ON TRIGGER touching ON page IS 'x';
    COMMENT ON POLICY mine ON page IS 'x';
    COMMENT ON OPERATOR === (int, int) IS 'x';
    GRANT SELECT ON page TO PUBLIC;
    ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
    SELECT lo_from_bytea(4711, 'large'), lo_create(4712);
    COMMENT ON LARGE OBJECT 4711 IS 'x';
"""
