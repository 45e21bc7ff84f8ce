-- Renames a city.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
UPDATE postcode
SET city = postcode.city || '~'
WHERE (postcode.code, postcode.position) = (
  SELECT one.code, one.position FROM postcode AS one LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING
  postcode.code AS key,
  json_build_array(
    json_build_array('postcode', postcode.code),
    json_build_array('postcodes.list', NULL)
  )::text AS deps
