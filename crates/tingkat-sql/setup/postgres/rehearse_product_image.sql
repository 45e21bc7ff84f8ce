-- Describes an image otherwise.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
UPDATE product_image
SET alt = product_image.alt || '~'
WHERE (product_image.product_id, product_image.position) = (
  SELECT one.product_id, one.position
  FROM product_image AS one
  LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING
  product_image.product_id AS key,
  json_build_array(
    json_build_array('product', product_image.product_id)
  )::text AS deps
