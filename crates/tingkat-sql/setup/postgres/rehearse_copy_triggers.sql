-- Gives the copy those triggers that the table has.
--
-- Parameters: none
-- Result: none
DO $$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT
      trigger.tgname AS name,
      -- 4 INSERT, 8 DELETE, 16 UPDATE, 32 TRUNCATE.
      concat_ws(
        ' OR ',
        CASE WHEN trigger.tgtype & 4 <> 0 THEN 'INSERT' END,
        CASE WHEN trigger.tgtype & 8 <> 0 THEN 'DELETE' END,
        CASE WHEN trigger.tgtype & 16 <> 0 THEN 'UPDATE' END,
        CASE WHEN trigger.tgtype & 32 <> 0 THEN 'TRUNCATE' END
      ) AS events,
      'REFERENCING ' || nullif(
        concat_ws(
          ' ',
          'OLD TABLE AS ' || quote_ident(trigger.tgoldtable),
          'NEW TABLE AS ' || quote_ident(trigger.tgnewtable)
        ),
        ''
      ) AS tables,
      schema.nspname AS schema,
      routine.proname AS routine
    FROM pg_catalog.pg_trigger AS trigger
    JOIN pg_catalog.pg_proc AS routine ON routine.oid = trigger.tgfoid
    JOIN pg_catalog.pg_namespace AS schema ON schema.oid = routine.pronamespace
    WHERE trigger.tgrelid = coalesce(
        pg_partition_root('{table}'::regclass)::oid, '{table}'::regclass::oid
      )
      AND schema.nspname = 'tingkat'
      AND trigger.tgenabled IN ('O', 'A')
      AND trigger.tgtype & 1 = 0
  LOOP
    EXECUTE format(
      'CREATE TRIGGER %I AFTER %s ON pg_temp.tingkat_rehearsal %s FOR EACH STATEMENT EXECUTE FUNCTION %I.%I()',
      found.name, found.events, found.tables, found.schema, found.routine
    );
  END LOOP;
END
$$
