-- All postcodes.
--
-- Parameters: none
-- Result: one row per code, in any order
--   code        text: five digits
--   cities      text: JSON [name], the primary one first
--   state_code  text: the primary city's
--   state_name  text
--   zone        text: west, east
SELECT
  place.code,
  place.cities,
  place.state_code,
  -- Without foreign keys a state may come after its postcodes.
  coalesce(state.name, place.state_code) AS state_name,
  coalesce(state.zone, iif(place.state_code IN ('LBN', 'SBH', 'SRW', 'SWK'), 'east', 'west')) AS zone
FROM (
  SELECT
    postcode.code,
    json_group_array(postcode.city ORDER BY postcode.position) AS cities,
    json_extract(json_group_array(postcode.state_code ORDER BY postcode.position), '$[0]')
      AS state_code
  FROM postcode
  GROUP BY postcode.code
) AS place
LEFT JOIN state ON state.code = place.state_code
