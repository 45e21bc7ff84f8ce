-- What is on sale in a category that is under no other, or under it.
--
-- Parameters
--   ?1 text  the id of the category, as a JSON array of texts
-- Result: one row per product
--   id  text
WITH RECURSIVE branch AS (
  SELECT category.id
  FROM category
  WHERE category.id IN (SELECT value FROM json_each(?1)) AND category.parent_id IS NULL AND category.active
  UNION
  SELECT category.id
  FROM branch
  JOIN category ON category.parent_id = branch.id AND category.active
)
SELECT DISTINCT product.id
FROM branch
JOIN product_category ON product_category.category_id = branch.id
JOIN product ON product.id = product_category.product_id
WHERE product.status = 'active'
