-- What is on sale in a category that is under no other, or under it.
--
-- Parameters
--   $1 text[]  the id of the category
-- Result: one row per product
--   id  text
WITH RECURSIVE branch AS (
  SELECT categories.id
  FROM categories
  WHERE categories.id IN (SELECT unnest($1::text[])) AND categories."parentId" IS NULL
  UNION
  SELECT categories.id
  FROM branch
  JOIN categories ON categories."parentId" = branch.id
)
SELECT DISTINCT products.id::text AS id
FROM branch
JOIN product_categories ON product_categories."categoryId" = branch.id
JOIN products ON products.id = product_categories."productId"
WHERE products.status::text IN ('ACTIVE', 'OUT_OF_STOCK')
  AND abs(products."regularPrice") < 1e15
  AND abs(products."memberPrice") < 1e15
