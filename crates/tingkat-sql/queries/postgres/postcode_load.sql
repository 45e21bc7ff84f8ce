-- Where postcodes are.
--
-- Parameters
--   $1 text[]  codes
-- Result: one row per code that exists, in any order
--   code        text: five digits
--   cities      text: JSON [name], the primary one first
--   state_code  text: the primary city's
--   state_name  text
--   zone        text: west, east
SELECT
  place.code,
  (
    SELECT json_agg(postcode.city ORDER BY postcode.position)
    FROM postcode
    WHERE postcode.code = place.code
  )::text AS cities,
  place.state_code,
  state.name AS state_name,
  state.zone
FROM (
  SELECT DISTINCT ON (postcode.code) postcode.code, postcode.state_code
  FROM postcode
  WHERE postcode.code = ANY ($1::text[])
  ORDER BY postcode.code, postcode.position
) AS place
JOIN state ON state.code = place.state_code
