-- Adds the states of the demo store.
--
-- Parameters
--   $1 text  rows: a JSON array of objects with
--     code, name, zone: text
-- Result: none
INSERT INTO state (
  code, name, zone
)
SELECT
  given.code,
  given.name,
  given.zone
FROM json_to_recordset($1::json) AS given (
  code text,
  name text,
  zone text
)
