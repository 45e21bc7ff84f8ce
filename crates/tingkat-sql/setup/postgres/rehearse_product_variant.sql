-- Adds to the stock of a variant.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
UPDATE product_variant
SET stock_quantity = product_variant.stock_quantity + 1
WHERE product_variant.sku = (
  SELECT one.sku FROM product_variant AS one LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING
  product_variant.product_id AS key,
  json_build_array(
    json_build_array('product', product_variant.product_id)
  )::text AS deps
