-- Adds the postcodes of the demo store.
--
-- Parameters
--   $1 text  rows: a JSON array of objects with
--     code, city, state_code: text
--     position: integer
-- Result: none
INSERT INTO postcode (
  code, position, city, state_code
)
SELECT
  given.code,
  given.position,
  given.city,
  given.state_code
FROM json_to_recordset($1::json) AS given (
  code text,
  position integer,
  city text,
  state_code text
)
