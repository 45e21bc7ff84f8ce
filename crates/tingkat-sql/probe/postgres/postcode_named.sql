-- Which of some codes the store has.
--
-- Parameters
--   $1 text[]  the codes
-- Result: one row per postcode
--   code  text
SELECT DISTINCT postcode.code
FROM postcode
WHERE postcode.code IN (SELECT unnest($1::text[]))
