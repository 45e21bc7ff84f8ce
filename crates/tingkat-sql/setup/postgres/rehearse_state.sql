-- Renames a state that a postcode shows.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key  text: of an entry that shows what was changed
UPDATE state
SET name = state.name || '~'
FROM (
  SELECT place.code, place.state_code
  FROM postcode AS place
  JOIN state AS shown ON shown.code = place.state_code
  LIMIT 1 FOR UPDATE OF shown SKIP LOCKED
) AS one
WHERE state.code = one.state_code
RETURNING one.code AS key
