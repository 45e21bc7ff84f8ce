-- Removes the products whose ids begin so.
--
-- Parameters
--   $1 text[]  what they begin with
-- Result: one row per product that was removed
--   id  text
DELETE FROM product
WHERE starts_with(product.id, ($1::text[])[1])
RETURNING product.id
