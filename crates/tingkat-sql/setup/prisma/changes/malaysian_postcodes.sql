-- What a changed row of `malaysian_postcodes` writes.
--
-- Parameters: none
-- Result: one row per row of `rows` and dep
--   dep   text
--   seen  jsonb: what of the row this dep rests on
SELECT 'postcode:' || postcode AS dep, jsonb_build_array(district, "stateCode") AS seen FROM rows
UNION ALL
SELECT 'postcodes.list', jsonb_build_array(postcode, district, "stateCode") FROM rows
