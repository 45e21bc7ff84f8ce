-- Renames a category that a product shows.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key  text: of an entry that shows what was changed
UPDATE category
SET name = category.name || '~'
FROM (
  SELECT membership.product_id, membership.category_id
  FROM product_category AS membership
  JOIN category AS shown ON shown.id = membership.category_id
  LIMIT 1 FOR UPDATE OF shown SKIP LOCKED
) AS one
WHERE category.id = one.category_id
RETURNING one.product_id AS key
