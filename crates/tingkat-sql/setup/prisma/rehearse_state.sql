-- Renames a state that a postcode shows.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
UPDATE malaysian_states
SET name = malaysian_states.name || '~'
FROM (
  SELECT place.postcode, place."stateCode" AS code
  FROM malaysian_postcodes AS place
  JOIN malaysian_states AS shown ON shown.id = place."stateCode"
  LIMIT 1 FOR UPDATE OF shown SKIP LOCKED
) AS one
WHERE malaysian_states.id = one.code
RETURNING
  one.postcode AS key,
  json_build_array(
    json_build_array('state', malaysian_states.id)
  )::text AS deps
