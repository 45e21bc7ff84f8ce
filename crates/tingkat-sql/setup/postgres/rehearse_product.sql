-- Changes a product.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
UPDATE product
SET version = product.version + 1
WHERE product.id = (SELECT one.id FROM product AS one LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING
  product.id AS key,
  json_build_array(
    json_build_array('product', product.id)
  )::text AS deps
