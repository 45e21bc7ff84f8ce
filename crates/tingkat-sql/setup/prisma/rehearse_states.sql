-- Adds a state to the list.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
INSERT INTO malaysian_states (id, name)
SELECT 'ZZZ', 'Rehearsal'
ON CONFLICT DO NOTHING
RETURNING
  'all' AS key,
  json_build_array(
    json_build_array('state', malaysian_states.id),
    json_build_array('states.list', NULL)
  )::text AS deps
