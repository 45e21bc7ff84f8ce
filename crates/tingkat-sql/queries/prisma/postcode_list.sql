-- All postcodes. Of the districts that share one, the first by name is the primary one.
--
-- Parameters: none
-- Result: one row per code, in any order
--   code        text: five digits
--   cities      text: JSON [name], the primary one first
--   state_code  text: the primary city's
--   state_name  text
--   zone        text: west, east
SELECT
  place.code::text AS code,
  place.cities::text AS cities,
  place.state_code::text AS state_code,
  -- Without foreign keys a state may come after its postcodes.
  coalesce(states.name::text, place.state_code::text) AS state_name,
  CASE WHEN place.state_code IN ('LBN', 'SBH', 'SRW', 'SWK') THEN 'east' ELSE 'west' END AS zone
FROM (
  SELECT
    postcodes.postcode AS code,
    json_agg(postcodes.district ORDER BY postcodes.district COLLATE "C") AS cities,
    (array_agg(postcodes."stateCode" ORDER BY postcodes.district COLLATE "C"))[1] AS state_code
  FROM malaysian_postcodes AS postcodes
  GROUP BY postcodes.postcode
) AS place
LEFT JOIN malaysian_states AS states ON states.id = place.state_code
