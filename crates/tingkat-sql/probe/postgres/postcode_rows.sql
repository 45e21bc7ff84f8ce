-- Some postcodes, of one state each.
--
-- Parameters
--   $1 text[]  how many at most
-- Result: one row per postcode
--   code        text
--   state_code  text
--   cities      text: JSON [name], in any order
SELECT
  postcode.code,
  min(postcode.state_code) AS state_code,
  json_agg(postcode.city)::text AS cities
FROM postcode
GROUP BY postcode.code
HAVING count(DISTINCT postcode.state_code) = 1
ORDER BY postcode.code
LIMIT (SELECT parameter.most::bigint FROM unnest($1::text[]) AS parameter (most))
