-- Adds the states of the demo store.
--
-- Parameters
--   ?1 text  rows: a JSON array of objects with
--     code, name, zone: text
-- Result: none
INSERT INTO state (
  code, name, zone
)
SELECT
  given.value ->> 'code',
  given.value ->> 'name',
  given.value ->> 'zone'
FROM json_each(?1) AS given
