-- Renames a city.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key  text: of an entry that shows what was changed
UPDATE postcode
SET city = postcode.city || '~'
WHERE (postcode.code, postcode.position) = (
  SELECT one.code, one.position FROM postcode AS one LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING postcode.code AS key
