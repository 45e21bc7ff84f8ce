-- Renames a state that a postcode shows.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
UPDATE state
SET name = state.name || '~'
FROM (
  SELECT place.code, place.state_code
  FROM postcode AS place
  JOIN state AS shown ON shown.code = place.state_code
  LIMIT 1 FOR UPDATE OF shown SKIP LOCKED
) AS one
WHERE state.code = one.state_code
RETURNING
  one.code AS key,
  json_build_array(
    json_build_array('state', state.code)
  )::text AS deps
