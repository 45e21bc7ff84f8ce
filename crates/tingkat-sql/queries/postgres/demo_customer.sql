-- Adds the customers of the demo store.
--
-- Parameters
--   $1 text  rows: a JSON array of objects with
--     id, name, email, postcode: text
-- Result: none
INSERT INTO customer (
  id, name, email, postcode
)
SELECT
  given.id,
  given.name,
  given.email,
  given.postcode
FROM json_to_recordset($1::json) AS given (
  id text,
  name text,
  email text,
  postcode text
)
