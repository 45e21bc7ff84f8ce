-- Renames a category that a product shows.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
UPDATE category
SET name = category.name || '~'
FROM (
  SELECT membership.product_id, membership.category_id
  FROM product_category AS membership
  JOIN category AS shown ON shown.id = membership.category_id
  LIMIT 1 FOR UPDATE OF shown SKIP LOCKED
) AS one
WHERE category.id = one.category_id
RETURNING
  one.product_id AS key,
  json_build_array(
    json_build_array('category', category.id),
    json_build_array('categories.tree', NULL)
  )::text AS deps
