-- Whether tables report their changes.
--
-- Parameters
--   ?1 text  JSON [[table, trigger]]: all triggers that there must be
-- Result: one row per table
--   name      text
--   is_whole  integer: 1 if it has all of them, else 0
SELECT
  wanted.value ->> 0 AS name,
  min(EXISTS (
    SELECT 1
    FROM sqlite_schema
    WHERE sqlite_schema.type = 'trigger'
      AND sqlite_schema.tbl_name = wanted.value ->> 0
      AND sqlite_schema.name = wanted.value ->> 1
  )) AS is_whole
FROM json_each(?1) AS wanted
GROUP BY wanted.value ->> 0
ORDER BY wanted.value ->> 0
