-- Removes the products whose ids begin so.
--
-- Parameters
--   $1 text[]  what they begin with
-- Result: one row per product that was removed
--   id  text
DELETE FROM products
WHERE starts_with(products.id::text, ($1::text[])[1])
RETURNING products.id::text AS id
