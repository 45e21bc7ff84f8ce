-- Which of some codes the store has.
--
-- Parameters
--   ?1 text  the codes, as a JSON array of texts
-- Result: one row per postcode
--   code  text
SELECT DISTINCT postcode.code
FROM postcode
WHERE postcode.code IN (SELECT value FROM json_each(?1))
