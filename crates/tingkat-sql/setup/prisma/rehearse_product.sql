-- Adds to the stock of a product.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
UPDATE products
SET "stockQuantity" = products."stockQuantity" + 1
WHERE products.id = (SELECT one.id FROM products AS one LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING
  products.id AS key,
  json_build_array(
    json_build_array('product', products.id)
  )::text AS deps
