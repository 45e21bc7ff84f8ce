-- Gives a product another sku.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
UPDATE products
SET sku = one.sku || '~'
FROM (SELECT any_one.id, any_one.sku FROM products AS any_one LIMIT 1 FOR UPDATE SKIP LOCKED) AS one
WHERE products.id = one.id
RETURNING
  one.sku AS key,
  json_build_array(
    json_build_array('product', products.id),
    json_build_array('product.sku', one.sku),
    json_build_array('product.sku', products.sku)
  )::text AS deps
