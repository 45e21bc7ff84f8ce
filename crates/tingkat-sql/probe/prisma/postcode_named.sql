-- Which of some codes the store has.
--
-- Parameters
--   $1 text[]  the codes
-- Result: one row per postcode
--   code  text
SELECT DISTINCT places.postcode::text AS code
FROM malaysian_postcodes AS places
WHERE places.postcode::text IN (SELECT unnest($1::text[]))
