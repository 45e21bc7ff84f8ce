-- Some postcodes, of one state each.
--
-- Parameters
--   $1 text[]  how many at most
-- Result: one row per postcode
--   code        text
--   state_code  text
--   cities      text: JSON [name], in any order
SELECT
  places.postcode::text AS code,
  min(places."stateCode"::text) AS state_code,
  json_agg(places.district)::text AS cities
FROM malaysian_postcodes AS places
GROUP BY places.postcode
HAVING count(DISTINCT places."stateCode") = 1
ORDER BY places.postcode
LIMIT (SELECT parameter.most::bigint FROM unnest($1::text[]) AS parameter (most))
