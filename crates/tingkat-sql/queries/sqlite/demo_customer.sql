-- Adds the customers of the demo store.
--
-- Parameters
--   ?1 text  rows: a JSON array of objects with
--     id, name, email, postcode: text
-- Result: none
INSERT INTO customer (
  id, name, email, postcode
)
SELECT
  given.value ->> 'id',
  given.value ->> 'name',
  given.value ->> 'email',
  given.value ->> 'postcode'
FROM json_each(?1) AS given
