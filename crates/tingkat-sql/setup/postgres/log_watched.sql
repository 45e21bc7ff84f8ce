-- The tables that have triggers of the change log.
--
-- Parameters: none
-- Result: one row per table, ordered by name
--   name  text: as SQL has it, with its schema where the search path needs it
SELECT DISTINCT found.tgrelid::regclass::text AS name
FROM pg_catalog.pg_trigger AS found
JOIN pg_catalog.pg_proc AS routine ON routine.oid = found.tgfoid
JOIN pg_catalog.pg_namespace AS schema ON schema.oid = routine.pronamespace
WHERE schema.nspname = 'tingkat'
ORDER BY name
