-- All states.
--
-- Parameters: none
-- Result: one row per state, ordered by code
--   code  text: three letters
--   name  text
--   zone  text: west, east
SELECT state.code, state.name, state.zone
FROM state
ORDER BY state.code COLLATE "C"
