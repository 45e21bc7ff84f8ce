-- One postcode of each state, which stands for the state where nothing else is known.
--
-- Parameters: none
-- Result: one row per state that has a postcode, in the order of states
--   key    text: a code
--   score  integer: 0
SELECT min(postcode.code) AS key, 0 AS score
FROM postcode
JOIN state ON state.code = postcode.state_code
WHERE postcode.position = 0
GROUP BY state.code
ORDER BY state.code
