-- Which of these tables there are. Also tells that the database answers at all.
--
-- Parameters
--   ?1 text  names of tables: a JSON array of texts
-- Result: one row per table or view of that name, ordered by name
--   name          text
--   is_readable   integer: always 1
--   is_in_target  integer: always 1
SELECT relation.name, 1 AS is_readable, 1 AS is_in_target
FROM json_each(?1) AS wanted
JOIN sqlite_schema AS relation ON relation.name = wanted.value
WHERE relation.type IN ('table', 'view')
ORDER BY relation.name
