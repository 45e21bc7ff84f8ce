-- Which of these tables report every change. A partition is looked at by its root.
--
-- Parameters
--   $1 text[]  schemas; empty for where the search path finds it
--   $2 text[]  names, as many
-- Result: one row per table, ordered by name
--   name      text: as SQL has it, with its schema where the search path needs it
--   is_whole  boolean: its four triggers are there and enabled
SELECT DISTINCT
  tables.oid::regclass::text AS name,
  coalesce((
    -- 4 INSERT, 8 DELETE, 16 UPDATE, 32 TRUNCATE; the lowest bit is for each row.
    SELECT bit_or(found.tgtype & 60) = 60
    FROM pg_catalog.pg_trigger AS found
    JOIN pg_catalog.pg_proc AS routine ON routine.oid = found.tgfoid
    JOIN pg_catalog.pg_namespace AS schema ON schema.oid = routine.pronamespace
    WHERE found.tgrelid = tables.oid
      AND schema.nspname = 'tingkat'
      AND found.tgenabled IN ('O', 'A')
      AND found.tgtype & 1 = 0
      AND found.tgqual IS NULL
  ), false) AS is_whole
FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
JOIN pg_catalog.pg_class AS relation
  ON relation.oid = to_regclass(
    CASE wanted.schema WHEN '' THEN '' ELSE quote_ident(wanted.schema) || '.' END
      || quote_ident(wanted.name)
  )
CROSS JOIN LATERAL (
  SELECT coalesce(pg_partition_root(relation.oid)::oid, relation.oid) AS oid
) AS tables
ORDER BY name
