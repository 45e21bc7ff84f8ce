-- Removes the products whose ids begin so.
--
-- Parameters
--   ?1 text  what they begin with, as a JSON array of texts
-- Result: one row per product that was removed
--   id  text
DELETE FROM product
WHERE substr(product.id, 1, length(json_extract(?1, '$[0]'))) = json_extract(?1, '$[0]')
RETURNING id
