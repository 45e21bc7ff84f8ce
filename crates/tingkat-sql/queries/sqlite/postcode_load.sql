-- Where postcodes are.
--
-- Parameters
--   ?1 text  codes: a JSON array of texts
-- Result: one row per code that exists, in any order
--   code        text: five digits
--   cities      text: JSON [name], the primary one first
--   state_code  text: the primary city's
--   state_name  text
--   zone        text: west, east
SELECT
  place.code,
  (
    SELECT json_group_array(postcode.city ORDER BY postcode.position)
    FROM postcode
    WHERE postcode.code = place.code
  ) AS cities,
  place.state_code,
  -- Without foreign keys a state may come after its postcodes.
  coalesce(state.name, place.state_code) AS state_name,
  coalesce(state.zone, iif(place.state_code IN ('LBN', 'SBH', 'SRW', 'SWK'), 'east', 'west')) AS zone
FROM json_each(?1) AS wanted
CROSS JOIN postcode AS place ON place.code = wanted.value AND place.position = (
  SELECT min(postcode.position)
  FROM postcode
  WHERE postcode.code = wanted.value
)
LEFT JOIN state ON state.code = place.state_code
