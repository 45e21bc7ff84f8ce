-- What a changed row of `malaysian_states` writes. The list changes only with the states that there are.
--
-- Parameters: none
-- Result: one row per row of `rows` and dep
--   dep   text
--   seen  jsonb: what of the row this dep rests on
SELECT 'state:' || id AS dep, jsonb_build_array(name) AS seen FROM rows
UNION ALL
SELECT 'states.list', jsonb_build_array(id) FROM rows
