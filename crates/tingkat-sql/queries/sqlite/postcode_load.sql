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
  wanted.value AS code,
  (
    SELECT json_group_array(postcode.city ORDER BY postcode.position)
    FROM postcode
    WHERE postcode.code = wanted.value
  ) AS cities,
  state.code AS state_code,
  state.name AS state_name,
  state.zone
FROM json_each(?1) AS wanted
CROSS JOIN state ON state.code = (
  SELECT postcode.state_code
  FROM postcode
  WHERE postcode.code = wanted.value
  ORDER BY postcode.position
  LIMIT 1
)
