-- Renames a category that a product shows.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
UPDATE categories
SET name = categories.name || '~'
FROM (
  SELECT membership."productId" AS product, membership."categoryId" AS category
  FROM product_categories AS membership
  JOIN categories AS shown ON shown.id = membership."categoryId"
  LIMIT 1 FOR UPDATE OF shown SKIP LOCKED
) AS one
WHERE categories.id = one.category
RETURNING
  one.product AS key,
  json_build_array(
    json_build_array('category', categories.id),
    json_build_array('categories.tree', NULL)
  )::text AS deps
