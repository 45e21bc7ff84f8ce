-- Adds the postcodes of the demo store.
--
-- Parameters
--   ?1 text  rows: a JSON array of objects with
--     code, city, state_code: text
--     position: integer
-- Result: none
INSERT INTO postcode (
  code, position, city, state_code
)
SELECT
  given.value ->> 'code',
  given.value ->> 'position',
  given.value ->> 'city',
  given.value ->> 'state_code'
FROM json_each(?1) AS given
