-- Takes a product out of a category.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
DELETE FROM product_category
WHERE (product_category.product_id, product_category.category_id) = (
  SELECT one.product_id, one.category_id
  FROM product_category AS one
  LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING
  product_category.product_id AS key,
  json_build_array(
    json_build_array('product', product_category.product_id),
    json_build_array('category.members', product_category.category_id)
  )::text AS deps
