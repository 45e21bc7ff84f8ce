-- Which of these tables there are. Also tells that the database answers at all.
--
-- Parameters
--   $1 text[]  names of tables
-- Result: one row per table or view of that name, ordered by name
--   name          text
--   is_readable   boolean: this user may select from it
--   is_in_target  boolean: it is in the schema in which new tables are created
SELECT
  wanted.name,
  has_table_privilege(relation.oid, 'SELECT') AS is_readable,
  coalesce(relation.relnamespace = to_regnamespace(quote_ident(current_schema())), false)
    AS is_in_target
FROM unnest($1::text[]) AS wanted (name)
JOIN pg_catalog.pg_class AS relation ON relation.oid = to_regclass(quote_ident(wanted.name))
ORDER BY wanted.name COLLATE "C"
