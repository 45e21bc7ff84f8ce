-- Adds to the stock of a variant.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
UPDATE product_variants
SET "stockQuantity" = product_variants."stockQuantity" + 1
WHERE product_variants.id = (
  SELECT one.id FROM product_variants AS one LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING
  product_variants."productId" AS key,
  json_build_array(
    json_build_array('product', product_variants."productId")
  )::text AS deps
