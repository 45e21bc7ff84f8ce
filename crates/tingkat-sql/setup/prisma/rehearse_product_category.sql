-- Takes a product out of a category.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
DELETE FROM product_categories
WHERE product_categories.id = (
  SELECT one.id FROM product_categories AS one LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING
  product_categories."productId" AS key,
  json_build_array(
    json_build_array('product', product_categories."productId"),
    json_build_array('category.members', product_categories."categoryId")
  )::text AS deps
