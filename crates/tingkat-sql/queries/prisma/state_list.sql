-- All states. Sabah, Sarawak (by either of its codes) and Labuan are east.
--
-- Parameters: none
-- Result: one row per state, ordered by code
--   code  text: three letters
--   name  text
--   zone  text: west, east
SELECT
  states.id::text AS code,
  states.name::text AS name,
  CASE WHEN states.id IN ('LBN', 'SBH', 'SRW', 'SWK') THEN 'east' ELSE 'west' END AS zone
FROM malaysian_states AS states
ORDER BY states.id COLLATE "C"
