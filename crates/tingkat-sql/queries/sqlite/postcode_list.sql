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
  state.code AS state_code,
  state.name AS state_name,
  state.zone
FROM (
  SELECT
    postcode.code,
    json_group_array(postcode.city ORDER BY postcode.position) AS cities,
    json_extract(json_group_array(postcode.state_code ORDER BY postcode.position), '$[0]')
      AS state_code
  FROM postcode
  GROUP BY postcode.code
) AS place
JOIN state ON state.code = place.state_code
