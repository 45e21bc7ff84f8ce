-- Adds a state to the list.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key  text: of an entry that shows what was changed
INSERT INTO state (code, name, zone)
SELECT 'ZZZ', 'Rehearsal', 'west'
ON CONFLICT DO NOTHING
RETURNING 'all' AS key
