-- One postcode of each state, which stands for the state where nothing else is known.
--
-- Parameters: none
-- Result: one row per state that has a postcode, in the order of states
--   key    text: a code
--   score  bigint: 0
SELECT min(postcodes.postcode::text COLLATE "C") AS key, 0::bigint AS score
FROM malaysian_postcodes AS postcodes
JOIN malaysian_states AS states ON states.id = postcodes."stateCode"
GROUP BY states.id
ORDER BY states.id COLLATE "C"
