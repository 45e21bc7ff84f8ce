-- What there is of the change log, and whether this role may use it.
--
-- Parameters: none
-- Result: one row
--   version     text or null: what the schema says of itself; null without one
--   missing     text: JSON [name], tables that are not there or are logged, and functions
--   refused     text: JSON [name], what this role may not use
--   is_standby  boolean
WITH schema AS (
  SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'tingkat'
), wanted_table (name) AS (
  VALUES ('change'), ('change_old'), ('state'), ('tick')
), found_table AS (
  SELECT relation.relname AS name, relation.oid, relation.relpersistence = 'u' AS is_unlogged
  FROM pg_catalog.pg_class AS relation
  JOIN schema ON schema.oid = relation.relnamespace
), wanted_function (name) AS (
  VALUES ('append'), ('compact'), ('forget'), ('renew'), ('system_id')
), found_function AS (
  SELECT routine.proname AS name, routine.oid
  FROM pg_catalog.pg_proc AS routine
  JOIN schema ON schema.oid = routine.pronamespace
)
SELECT
  (SELECT coalesce(obj_description(oid, 'pg_namespace'), '') FROM schema) AS version,
  coalesce((
    SELECT json_agg('tingkat.' || missing.name ORDER BY missing.name)
    FROM (
      SELECT name FROM wanted_table
      WHERE name NOT IN (SELECT name FROM found_table WHERE is_unlogged)
      UNION ALL
      SELECT name FROM wanted_function WHERE name NOT IN (SELECT name FROM found_function)
    ) AS missing
  )::text, '[]') AS missing,
  coalesce((
    SELECT json_agg(refused.name ORDER BY refused.name)
    FROM (
      SELECT 'USAGE ON SCHEMA tingkat' AS name FROM schema
      WHERE NOT has_schema_privilege(oid, 'USAGE')
      UNION ALL
      SELECT 'SELECT ON tingkat.' || name FROM found_table
      WHERE name IN (SELECT name FROM wanted_table) AND name <> 'tick'
        AND NOT has_table_privilege(oid, 'SELECT')
      UNION ALL
      SELECT 'EXECUTE ON tingkat.' || name FROM found_function
      WHERE name IN (SELECT name FROM wanted_function)
        AND NOT has_function_privilege(oid, 'EXECUTE')
    ) AS refused
  )::text, '[]') AS refused,
  pg_is_in_recovery() AS is_standby
