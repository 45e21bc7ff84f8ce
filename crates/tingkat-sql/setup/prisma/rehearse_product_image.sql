-- Describes an image otherwise.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
UPDATE product_images
SET "altText" = coalesce(product_images."altText", '') || '~'
WHERE product_images.id = (
  SELECT one.id FROM product_images AS one LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING
  product_images."productId" AS key,
  json_build_array(
    json_build_array('product', product_images."productId")
  )::text AS deps
