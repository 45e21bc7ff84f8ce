-- Gives a product another sku.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key  text: of an entry that shows what was changed
UPDATE product
SET sku = one.sku || '~'
FROM (SELECT any_one.id, any_one.sku FROM product AS any_one LIMIT 1 FOR UPDATE SKIP LOCKED) AS one
WHERE product.id = one.id
RETURNING one.sku AS key
