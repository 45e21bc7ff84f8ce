-- Renames a district.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
UPDATE malaysian_postcodes
SET district = left(malaysian_postcodes.district, 99) || '~'
WHERE malaysian_postcodes.id = (
  SELECT one.id FROM malaysian_postcodes AS one LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING
  malaysian_postcodes.postcode AS key,
  json_build_array(
    json_build_array('postcode', malaysian_postcodes.postcode),
    json_build_array('postcodes.list', NULL)
  )::text AS deps
